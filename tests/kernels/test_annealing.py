"""Steps of annealed importance sampling: bits and increments of the twins, an enumerated RBM, and wrong steps told from
right ones.

Every statistical test has a chance of at most 1e-6 to reject a right sampler; the seeds are fixed.
"""

import inspect
import itertools

import numba
import numpy as np
import pytest
from scipy import stats

from minigen.kernels import annealing as kernels
from minigen.kernels import reference_annealing as twins

JIT = not numba.config.DISABLE_JIT
f32, u32, u64 = np.float32, np.uint32, np.uint64
FALSE_ALARM = 1e-6


def rbm(D, H, seed=0):
    """W, b, c and the logits a of a base"""
    rng = np.random.default_rng([seed, D, H])
    return (rng.standard_normal((D, H)).astype(f32), *(rng.standard_normal(n).astype(f32) for n in (D, H, D)))


def ratio(t, last, beta):
    with np.errstate(all="ignore"):
        return kernels.log_ratio(t, last, beta, np.empty_like(t))


@pytest.mark.parametrize("last, beta", [(0.0, 1.0), (0.3, 0.3001), (0.5, 0.5), (0.0, 1e-7), (0.2, 0.9)])
@pytest.mark.parametrize("chains, D, H", [(1, 1, 1), (3, 5, 7), (2, 30, 11), (4, 9, 1100)])
def test_kernel_and_twin_draw_the_same_and_weigh_alike(chains, D, H, last, beta):
    (W, b, c, a), rng, results = rbm(D, H), np.random.default_rng(1), []
    v, old = rng.integers(0, 2, (chains, D)).astype(f32), rng.normal(size=chains)
    for room in (kernels, twins):
        h, new, z, log_w = np.empty((chains, H), f32), np.empty_like(v), v @ W, old.copy()
        score, again = twins.dot_difference(v, a, b), np.empty(chains)
        room.hidden_step(u32(3), u64(2**32 - 2), z, c, score, last, beta, log_w, h)
        room.visible_step(u32(3), u64(2**40), h @ W.T, a, b, beta, new, again)
        results.append((h, z, new, again, log_w))
    for found, twin in zip(results[0][:3], results[1][:3]):
        assert found.tobytes() == twin.tobytes()
    assert np.allclose(results[0][3], results[1][3], rtol=0, atol=1e-13 * np.abs(b - a.astype(float)).sum())
    t = results[1][1].astype(float)
    shares = np.abs(np.logaddexp(0, beta * t) - np.logaddexp(0, last * t)).sum(1)
    assert (np.abs(results[0][4] - results[1][4]) <= 1e-6 * shares + 1e-13).all()


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1, 10, 100, 1e4, 1e30])
def test_increments_of_any_size(size):
    t = (size * np.random.default_rng(0).standard_normal(1300)).astype(f32)
    for last, beta in ((0.0, 1.0), (0.1, 0.5), (0.7, 0.7001), (1 - 1e-9, 1.0)):
        shares = np.logaddexp(0, beta * t.astype(float)) - np.logaddexp(0, last * t.astype(float))
        assert abs(ratio(t, last, beta) - shares.sum()) <= 1e-6 * np.abs(shares).sum() + 1e-13
    assert np.isnan(ratio(np.append(t, f32(np.nan)), 0.1, 0.5))


def test_many_small_increments_add_up_to_the_large_one():
    t = (4 * np.random.default_rng(0).standard_normal(500 if JIT else 20)).astype(f32)
    betas = np.linspace(0, 1, 3001 if JIT else 101)
    exact = np.logaddexp(0, t.astype(float)).sum() - t.size * np.log(2)
    assert abs(sum(ratio(t, *pair) for pair in zip(betas, betas[1:])) - exact) < 1e-7 * exact


def test_what_is_not_a_number_stays_so():
    z, score, log_w, h = np.zeros((2, 3), f32), np.zeros(2), np.zeros(2), np.zeros((2, 3), f32)
    z[1, 2] = np.nan
    with np.errstate(invalid="ignore"):  # interpreted, NumPy warns of what a kernel does in silence
        kernels.hidden_step(u32(0), u64(0), z, np.zeros(3, f32), score, 0.1, 0.2, log_w, h)
    assert np.isnan(log_w[1]) and np.isnan(h[1, 2]) and np.isfinite(log_w[0]) and np.isfinite(h[0]).all()
    with np.errstate(invalid="ignore"):
        kernels.visible_step(u32(0), u64(0), z, np.zeros(3, f32), np.ones(3, f32), 0.2, h, score)
    assert np.isnan(h[1, 2]) and np.isnan(score[1]) and np.isfinite(score[0])


class Right:
    """A sweep at one temperature, and the weights of an annealing; each slip below changes one line."""

    def hidden(self, counter, v, model, last, beta, log_w, score):
        W, b, c, a = model
        h = np.empty((len(v), c.size), f32)
        kernels.hidden_step(u32(5), u64(counter), v @ W, c, score, last, beta, log_w, h)
        return h

    def visible(self, counter, h, model, beta, v, score):
        W, b, c, a = model
        kernels.visible_step(u32(5), u64(counter), h @ W.T, a, b, beta, v, score)

    def sweep(self, i, v, model, last, beta, log_w, score):
        h = self.hidden(2**33 * i, v, model, last, beta, log_w, score)
        self.visible(2**33 * i + 2**32, h, model, beta, v, score)
        return h

    def log_z(self, model, betas, chains):
        """log of the mean weight, in standard errors from the enumerated log Z"""
        W, b, c, a = (x.astype(float) for x in model)
        v = (np.random.default_rng(4).random((chains, b.size)) < 1 / (1 + np.exp(-a))).astype(f32)
        log_w, score = np.zeros(chains), twins.dot_difference(v, model[3], model[1])
        for i, (last, beta) in enumerate(zip(betas, betas[1:])):
            self.sweep(i, v, model, last, beta, log_w, score)
        v, h, energy = joint(model, 1.0)
        log_base = np.logaddexp(0, a).sum() + c.size * np.log(2)
        w = np.exp(log_w + log_base - np.logaddexp.reduce(energy))
        return (w.mean() - 1) / (w.std() / np.sqrt(chains))


def joint(model, beta):
    """All (v, h) and log p_beta of them, not normalised"""
    W, b, c, a = (x.astype(float) for x in model)
    states = np.array(list(itertools.product((0, 1), repeat=W.shape[0] + W.shape[1])))
    v, h = states[:, :W.shape[0]], states[:, W.shape[0]:]
    return v, h, (1 - beta) * v @ a + beta * (((v @ W) * h).sum(1) + v @ b + h @ c)


def surprise(room, beta=0.6, chains=50_000, sweeps=3):
    """The chance that chains begun in the enumerated p_beta fit it as badly as these do after some sweeps"""
    model = rbm(3, 3)
    v, h, log_p = joint(model, beta)
    p = np.exp(log_p) / np.exp(log_p).sum()
    at = v[np.random.default_rng(2).choice(len(p), chains, p=p)].astype(f32)
    for i in range(sweeps):
        found = room.sweep(i, at, model, beta, beta, np.zeros(chains), np.zeros(chains))
    number = np.hstack([at, found]).astype(int) @ (1 << np.arange(6)[::-1])
    return stats.chisquare(np.bincount(number, minlength=64), chains * p).pvalue


class HiddenBiasNotScaled(Right):
    def hidden(self, counter, v, model, last, beta, log_w, score):
        W, b, c, a = model
        return super().hidden(counter, v, (W, b, c / f32(beta), a), last, beta, log_w, score)


class BaseForgotten(Right):
    def visible(self, counter, h, model, beta, v, score):
        W, b, c, a = model
        super().visible(counter, h, (W, b, c, np.zeros_like(a)), beta, v, score)


class BaseAndModelExchanged(Right):
    def visible(self, counter, h, model, beta, v, score):
        W, b, c, a = model
        super().visible(counter, h, (W, a, c, b), beta, v, score)


class SameNumbersForBothLayers(Right):
    def visible(self, counter, h, model, beta, v, score):
        super().visible(counter - 2**32, h, model, beta, v, score)


class Hotter(Right):
    def visible(self, counter, h, model, beta, v, score):
        super().visible(counter, h, model, 0.9 * beta, v, score)


class WeighedAfterTheSweep(Right):
    def sweep(self, i, v, model, last, beta, log_w, score):
        super().sweep(i, v, model, last, beta, np.zeros_like(log_w), score)
        return super().hidden(2**33 * i, v, model, last, beta, log_w, score)


class VisiblePartForgotten(Right):
    def visible(self, counter, h, model, beta, v, score):
        super().visible(counter, h, model, beta, v, score)
        score[:] = 0


class ScoreOfTheFirstStates(Right):
    def visible(self, counter, h, model, beta, v, score):
        super().visible(counter, h, model, beta, v, score.copy())


needs_speed = pytest.mark.skipif(not JIT, reason="NUMBA_DISABLE_JIT is set: as many chains take minutes")
BETAS = np.linspace(0, 1, 9)


@needs_speed
@pytest.mark.parametrize("beta", [0.1, 0.6, 1.0])
def test_a_sweep_leaves_the_enumerated_distribution_where_it_is(beta):
    assert surprise(Right(), beta) > FALSE_ALARM


@needs_speed
@pytest.mark.parametrize("wrong", [HiddenBiasNotScaled, BaseForgotten, BaseAndModelExchanged, SameNumbersForBothLayers,
                                   Hotter])
def test_wrong_sweeps_leave_it(wrong):
    assert surprise(wrong()) < FALSE_ALARM


@needs_speed
@pytest.mark.parametrize("D, H", [(3, 3), (6, 4)])
def test_the_mean_weight_is_the_ratio_of_normalisers(D, H):
    assert abs(Right().log_z(rbm(D, H), BETAS, 100_000)) < 4.9


@needs_speed
@pytest.mark.parametrize("wrong", [HiddenBiasNotScaled, WeighedAfterTheSweep, VisiblePartForgotten,
                                   ScoreOfTheFirstStates, Hotter, BaseForgotten])
def test_wrong_weights_miss_it(wrong):
    assert abs(wrong().log_z(rbm(6, 4), BETAS, 100_000)) > 4.9


@pytest.mark.parametrize("name", ["hidden_step", "visible_step", "log_ratio", "dot_difference"])
def test_the_twin_has_the_same_signature(name):
    kernel = getattr(kernels, name)
    assert (list(inspect.signature(getattr(kernel, "py_func", kernel)).parameters)
            == list(inspect.signature(getattr(twins, name)).parameters))
