"""check_bijection accepts flows and rejects the slips that public flow code has made."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import CheckError, check_bijection

D = 3
A, C = np.array([0.5, -0.8, 0.3]), np.array([0.2, 0.4, -0.6])
RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, D))


class Map:
    """A flow made of two functions, each giving value and log-det."""

    def __init__(self, forward, inverse):
        self.forward, self.inverse = forward, inverse


class Autoregressive:
    """z_j = (x_j - mu_j(x_<j)) exp(-a_j(x_<j)); the slips are its arguments."""

    def __init__(self, forward_sign=-1.0, inverse_sign=1.0, peek=0):
        self.forward_sign, self.inverse_sign = forward_sign, inverse_sign
        self.mask = np.tri(D, k=peek - 1)

    def nets(self, x):
        h = x @ self.mask.T
        return np.tanh(C * h), 0.5 * np.sin(A * h)

    def forward(self, x):
        mu, a = self.nets(x)
        return (x - mu) * np.exp(-a), self.forward_sign * a.sum(axis=1)

    def inverse(self, z):
        x = np.zeros_like(z)
        for j in range(D):
            mu, a = self.nets(x)
            x[:, j] = (z * np.exp(a) + mu)[:, j]
        return x, self.inverse_sign * self.nets(x)[1].sum(axis=1)


class Coupling:
    """The first coordinate passes, the others are scaled by it; `axis` is where the halves are split."""

    def __init__(self, axis=-1, split=np.array_split):
        self.axis, self.split = axis, split

    def halves(self, x):
        return np.split(x, [1], axis=-1) if self.axis == -1 else self.split(x, 2, axis=0)

    def apply(self, x, sign):
        one, two = self.halves(x)
        scale = 0.3 * np.tanh(one)
        out = np.concatenate([one, two * np.exp(sign * scale)], axis=self.axis)
        if self.axis == -1:
            return out, sign * (D - 1) * scale[:, 0]
        return out, sign * np.concatenate([np.zeros(len(one)), scale.sum(axis=1)])

    def forward(self, x):
        return self.apply(x, 1.0)

    def inverse(self, z):
        return self.apply(z, -1.0)


class Planar:
    """f(z) = z + u tanh(w'z + b) with u constrained to w'u > -1; inverse by bisection along w."""

    def __init__(self, norm_power=2, slope=lambda s: 1 - np.tanh(s) ** 2):
        self.w, self.b, u = np.array([0.3, 0.4, 0.0]), 0.2, np.array([-8.0, -9.0, 1.0])
        wu = self.w @ u
        self.u = u + (np.log1p(np.exp(wu)) - 1 - wu) * self.w / np.linalg.norm(self.w) ** norm_power
        self.slope = slope

    def forward(self, z):
        s = z @ self.w + self.b
        return z + np.tanh(s)[:, None] * self.u, np.log(np.abs(1 + self.slope(s) * (self.w @ self.u)))

    def inverse(self, y):
        low, high = np.full(len(y), -50.0), np.full(len(y), 50.0)
        for _ in range(200):
            middle = (low + high) / 2
            below = middle + (self.w @ self.u) * np.tanh(middle + self.b) < y @ self.w
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        z = y - np.tanh(low + self.b)[:, None] * self.u
        return z, -self.forward(z)[1]


W = RNG.normal(size=(D, D)) + 2 * np.eye(D)
W_BACK = np.linalg.inv(W)
LINEAR_DET = np.linalg.slogdet(W)[1]


def linear(forward_det=LINEAR_DET, inverse_det=-LINEAR_DET, back=W_BACK):
    return Map(
        lambda x: (x @ W.T, np.full(len(x), forward_det)), lambda z: (z @ back.T, np.full(len(z), inverse_det))
    )


def logit_map():
    """x in (0, 1): z = logit x."""
    return Map(
        lambda x: (np.log(x / (1 - x)), -(np.log(x) + np.log1p(-x)).sum(axis=1)),
        lambda z: (1 / (1 + np.exp(-z)), -(np.logaddexp(0, z) + np.logaddexp(0, -z)).sum(axis=1)),
    )


def tensors():
    return Map(
        lambda x: (ad.Tensor(x) * 2.0, ad.Tensor(np.full(len(x), D * np.log(2.0)))),
        lambda z: (ad.Tensor(z) / 2.0, ad.Tensor(np.full(len(z), -D * np.log(2.0)))),
    )


RIGHT = {
    "autoregressive": (Autoregressive(), X, np.tri(D)),
    "coupling": (Coupling(), X, np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1]])),
    "planar": (Planar(), X, None),
    "linear": (linear(), X, None),
    "logit": (logit_map(), RNG.uniform(0.1, 0.9, size=(4, D)), np.eye(D)),
    "tensors": (tensors(), X, np.eye(D)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_flow_passes(name):
    flow, x, mask = RIGHT[name]
    result = check_bijection(flow, x, mask=mask)
    assert result.passed and "inverse log-det" in result.detail


def test_events_may_be_images():
    x = RNG.normal(size=(3, 1, 2, 2))
    flow = Map(lambda x: (3 * x, np.full(len(x), 4 * np.log(3))), lambda z: (z / 3, np.full(len(z), -4 * np.log(3))))
    assert check_bijection(flow, x).passed


WRONG = {
    "both signs flipped": (Autoregressive(1.0, -1.0), "forward differs .* its sign is flipped"),
    "inverse sign flipped": (Autoregressive(-1.0, -1.0), "log-det of inverse differs .* its sign is flipped"),
    "both signs of a linear flow": (linear(-LINEAR_DET, LINEAR_DET), "sign is flipped"),
    "log det counted D times": (linear(D * LINEAR_DET), "log-det of forward differs"),
    "inverse log-det forgotten": (linear(inverse_det=0.0), "log-det of inverse differs"),
    "transposed inverse": (linear(back=W_BACK.T), r"inverse\(forward\(.\)\) differs"),
    "net sees its own input": (Autoregressive(peek=1), "do not undo each other|differs from"),
    "halves of the batch mixed": (Coupling(axis=0), r"cannot take a row alone: .*log-dets of shape \(2,\)"),
    "halves of an even batch": (Coupling(axis=0, split=np.split), "cannot take a row alone: array split"),
    "planar |w| for |w|^2": (Planar(norm_power=1), "do not undo each other"),
    "planar slope forgotten": (Planar(slope=np.ones_like), "log-det of forward differs"),
    "log det of the batch": (
        Map(lambda x: (2 * x, D * np.log(2.0)), lambda z: (z / 2, -D * np.log(2.0))), r"log-dets of shape \(\)"),
    "log det per coordinate": (
        Map(lambda x: (2 * x, np.log(2.0) + 0 * x), lambda z: (z / 2, 0 * z)), r"log-dets of shape \(6, 3\)"),
    "centred by the batch": (
        Map(lambda x: (x - x.mean(axis=0), np.zeros(len(x))), lambda z: (z, np.zeros(len(z)))), "mixes the rows"),
    "coordinate dropped": (Map(lambda x: (x[:, 1:], np.zeros(len(x))), lambda z: (z, z[:, 0])), "keeps rows"),
    "nan": (Map(lambda x: (x, np.full(len(x), np.nan)), lambda z: (z, np.zeros(len(z)))), "NaN or infinity"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_slip_is_rejected(name):
    flow, message = WRONG[name]
    with pytest.raises(CheckError, match=message):
        check_bijection(flow, X)


def test_random_degrees_are_not_triangular():
    """D2.6: output degrees drawn at random; the Jacobian has entries that the order forbids."""
    swapped = np.eye(D)[[1, 0, 2]]
    lower = np.array([[1.0, 0, 0], [0.7, 1, 0], [0.2, 0.5, 1]])
    full = swapped @ lower
    det = np.linalg.slogdet(full)[1]
    flow = Map(
        lambda x: (x @ full.T, np.full(len(x), det)),
        lambda z: (z @ np.linalg.inv(full).T, np.full(len(z), -det)),
    )
    assert check_bijection(flow, X).passed
    with pytest.raises(CheckError, match="output 0 depends on input 1 .* which the claimed structure forbids"):
        check_bijection(flow, X, mask=np.tri(D))


def test_a_mask_that_forbids_nothing_is_refused():
    """D2.7: a mask test that is always true."""
    with pytest.raises(ValueError, match="forbids 0 entries"):
        check_bijection(linear(), X, mask=np.ones((D, D)))


def test_it_says_what_it_needs():
    with pytest.raises(ValueError, match="at least 2 rows"):
        check_bijection(linear(), X[:1])
    single = Map(lambda x: (x.astype(np.float32), np.zeros(len(x))), lambda z: (z, np.zeros(len(z))))
    with pytest.raises(ValueError, match=r"forward gave float32 for float64 input; use flow.astype"):
        check_bijection(single, X)


def test_numbers_are_shown_only_when_asked():
    with pytest.raises(CheckError) as caught:
        check_bijection(linear(0.0), X)
    assert f"{LINEAR_DET:.6f}" not in str(caught.value)
    with pytest.raises(CheckError, match=f"numeric {LINEAR_DET:.6f}"):
        check_bijection(linear(0.0), X, reveal=True)
