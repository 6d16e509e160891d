"""Kullback-Leibler divergences in closed form: a table of pairs, and one function that looks into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigen import autodiff as ad

from .base import Array, Distribution, together
from .combine import Independent
from .discrete import Bernoulli, Categorical
from .location import Cauchy, Laplace, Uniform
from .normal import DiagonalNormal, MultivariateNormal, Normal, log_det, whiten
from .positive import Beta, Dirichlet, Gamma, Pareto, Rayleigh, log_beta, log_multi_beta
from .sphere import VonMisesFisher

CLOSED_FORMS: dict[tuple[type, type], Callable] = {}


def kl(p: Distribution, q: Distribution) -> Array:
    """KL(p || q) = E_p[log p(x) - log q(x)] in nats, exact; shape: the batch shapes broadcast.

    +inf where q has no mass on a part of p's support. Raises NotImplementedError, naming the pair and the pairs there
    are, where no closed form is known here, and ValueError for different event shapes.
    """
    formula = CLOSED_FORMS.get((type(p), type(q)))
    if formula is None:
        known = ", ".join(f"{a.__name__} || {b.__name__}" for a, b in CLOSED_FORMS)
        raise NotImplementedError(f"kl: no closed form for {type(p).__name__} || {type(q).__name__} is known here, "
                                  f"only {known}. Estimate it by the mean of p.log_prob(x) - q.log_prob(x), x ~ p")
    if p.event_shape != q.event_shape:
        raise ValueError(f"kl: p has event_shape {p.event_shape} and q {q.event_shape}; expected the same")
    return formula(p, q)


def closed_form(p: type[Distribution], q: type[Distribution]) -> Callable:
    """Enter a formula f(p, q) in the table."""

    def enter(formula: Callable) -> Callable:
        CLOSED_FORMS[p, q] = formula
        return formula

    return enter


def _both(p: Distribution, q: Distribution) -> list:
    return together(*p._own(), *q._own())


def _finite_where(inside: Any, divergence: Array) -> Array:
    return ad.where(inside, divergence, np.inf)


@closed_form(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Array:
    """log(sq / sp) + (sp^2 + (mp - mq)^2) / (2 sq^2) - 1/2"""
    mp, sp, mq, sq = _both(p, q)
    r, z = sp / sq, (mp - mq) / sq
    return 0.5 * (r * r + z * z - 1) - ad.log(r)


@closed_form(DiagonalNormal, DiagonalNormal)
def _diagonal_normal(p: DiagonalNormal, q: DiagonalNormal) -> Array:
    """The sum of the coordinates' divergences."""
    return ad.sum(_normal(p, q), axis=-1)


@closed_form(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Array:
    """(|Lq^-1 Lp|^2 + |Lq^-1 (mp - mq)|^2 - d) / 2 + log det Lq - log det Lp"""
    mp, Lp, mq, Lq = _both(p, q)
    spread = ad.sum(ad.square(ad.solve(Lq, Lp)), axis=(-2, -1))
    shift = ad.sum(ad.square(whiten(Lq, mp - mq)), axis=-1)
    return 0.5 * (spread + shift - p.event_shape[0]) + log_det(Lq) - log_det(Lp)


@closed_form(DiagonalNormal, MultivariateNormal)
def _diagonal_in_full(p: DiagonalNormal, q: MultivariateNormal) -> Array:
    return _multivariate_normal(_full(p), q)


@closed_form(MultivariateNormal, DiagonalNormal)
def _full_in_diagonal(p: MultivariateNormal, q: DiagonalNormal) -> Array:
    return _multivariate_normal(p, _full(q))


def _full(p: DiagonalNormal) -> MultivariateNormal:
    mu, sigma = p._own()
    sigma = ad.broadcast_to(sigma, sigma.shape[:-1] + p.event_shape)
    return MultivariateNormal(mu, ad.expand_dims(sigma, -1) * np.eye(p.event_shape[0], dtype=p.dtype))


@closed_form(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Array:
    """sigmoid(lp) (lp - lq) + softplus(lq) - softplus(lp)"""
    lp, lq = _both(p, q)
    return ad.sigmoid(lp) * (lp - lq) + ad.softplus(lq) - ad.softplus(lp)


@closed_form(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Array:
    """sum_k p(k) (log p(k) - log q(k))"""
    K, L = p.logits.shape[-1], q.logits.shape[-1]
    if K != L:
        raise ValueError(f"kl: p has {K} outcomes and q {L}; expected the same")
    log_p, log_q = p.log_probs, q.log_probs
    return ad.sum(ad.exp(log_p) * (log_p - log_q), axis=-1)


@closed_form(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Array:
    """log((high_q - low_q) / (high_p - low_p)) where q covers p"""
    lp, hp, lq, hq = _both(p, q)
    covered = (ad.value(lq) <= ad.value(lp)) & (ad.value(hp) <= ad.value(hq))
    return _finite_where(covered, ad.log(hq - lq) - ad.log(hp - lp))


@closed_form(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Array:
    """log(bq / bp) + (bp exp(-|mp - mq| / bp) + |mp - mq|) / bq - 1"""
    mp, bp, mq, bq = _both(p, q)
    far = ad.abs(mp - mq)
    return ad.log(bq) - ad.log(bp) + (bp * ad.exp(-far / bp) + far) / bq - 1


@closed_form(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Array:
    """log(((bp + bq)^2 + (mp - mq)^2) / (4 bp bq)). Chyzak and Nielsen 2019."""
    mp, bp, mq, bq = _both(p, q)
    return ad.log((ad.square(bp + bq) + ad.square(mp - mq)) / (4 * bp * bq))


@closed_form(Rayleigh, Rayleigh)
def _rayleigh(p: Rayleigh, q: Rayleigh) -> Array:
    """(sp / sq)^2 - 1 - 2 log(sp / sq)"""
    sp, sq = _both(p, q)
    r = sp / sq
    return r * r - 1 - 2 * ad.log(r)


@closed_form(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Array:
    """log(ap / aq) + aq log(sp / sq) + aq / ap - 1 where sp >= sq"""
    ap, sp, aq, sq = _both(p, q)
    divergence = ad.log(ap / aq) + aq * ad.log(sp / sq) + aq / ap - 1
    return _finite_where(ad.value(sp) >= ad.value(sq), divergence)


@closed_form(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Array:
    """(ap - aq) psi(ap) - log G(ap) + log G(aq) + aq log(rp / rq) + ap (rq / rp - 1)"""
    ap, rp, aq, rq = _both(p, q)
    return ((ap - aq) * ad.digamma(ap) - ad.lgamma(ap) + ad.lgamma(aq) + aq * ad.log(rp / rq)
            + ap * (rq / rp - 1))


@closed_form(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Array:
    """log(Bq / Bp) + (ap - aq) psi(ap) + (bp - bq) psi(bp) - (ap - aq + bp - bq) psi(ap + bp)"""
    ap, bp, aq, bq = _both(p, q)
    return (log_beta(aq, bq) - log_beta(ap, bp) + (ap - aq) * ad.digamma(ap) + (bp - bq) * ad.digamma(bp)
            - (ap - aq + bp - bq) * ad.digamma(ap + bp))


@closed_form(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Array:
    """log(Bq / Bp) + sum_k (ap_k - aq_k) (psi(ap_k) - psi(sum_k ap_k))"""
    ap, aq = _both(p, q)
    slope = ad.digamma(ap) - ad.digamma(ad.sum(ap, axis=-1, keepdims=True))
    return log_multi_beta(aq) - log_multi_beta(ap) + ad.sum((ap - aq) * slope, axis=-1)


@closed_form(VonMisesFisher, VonMisesFisher)
def _von_mises_fisher(p: VonMisesFisher, q: VonMisesFisher) -> Array:
    """A(kp) (kp - kq mp . mq) + log c(kp) - log c(kq)"""
    mp, kp, mq, kq = _both(p, q)
    (scaled_p, A), (scaled_q, _) = p._normaliser(), q._normaliser()
    return A * (kp - kq * ad.sum(mp * mq, axis=-1)) - kp + kq - scaled_p + scaled_q


@closed_form(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Array:
    """The sum of the parts' divergences."""
    return p._summed(kl(p.base, q.base))
