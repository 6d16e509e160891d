"""Statistical tests of what a `Stream` draws, and the broken generators that they reject.

A check gives the probability that a true source of random numbers looks as odd as this one. A right stream fails one
check for one key in a million (ALPHA); the key is fixed, so a stream that passes once passes on every machine.
"""

import numpy as np
import pytest
from scipy import special, stats

from minigen.energy.sampling import kernels
from minigen.kernels import reference_random as twins
from minigen.kernels.stream import Stream

ALPHA = 1e-6
N = 1 << 19
f32, u32 = np.float32, np.uint32


def stream(kind=Stream, seed=20):
    return kind(np.random.default_rng(seed))


def chi_square(counts, expected=None):
    """P(a sum of squares this large or this small); the cells are equally likely without `expected`."""
    counts = np.asarray(counts, float).reshape(-1)
    expected = counts.sum() / counts.size if expected is None else expected
    x, df = ((counts - expected) ** 2 / expected).sum(), counts.size - 1
    return 2 * min(special.chdtr(df, x), special.chdtrc(df, x))


def deviation(x, mean, sigma):
    """P(a mean this far off) by the central limit theorem"""
    return 2 * special.ndtr(-abs(np.mean(x) - mean) / sigma * np.sqrt(np.size(x)))


def cells(*u, bins=32):
    """How many points (u_1, u_2, ...) fell into each cell of a grid."""
    index = sum((v * bins).astype(int) * bins**i for i, v in enumerate(u))
    return np.bincount(index, minlength=bins ** len(u))


def integers(s, n=N):
    """The bits of n uniform numbers in single precision."""
    return (s.random(n, dtype=f32) * 2**24).astype(int)


def normals(s, n=N):
    return s.standard_normal(n, dtype=f32).astype(float)


def flips(a, b):
    """Words that should have nothing in common differ in half of their bits, each bit as often as every other."""
    differ = np.unpackbits((a ^ b).reshape(-1, 1).view(np.uint8), axis=1)
    per_bit = differ.sum(0)
    squares = 4 / len(differ) * ((per_bit - len(differ) / 2)**2).sum()
    return min(deviation(differ, 0.5, 0.5), special.chdtrc(32, squares))


def repeats(s):
    """Pairs of numbers that come again in many draws of a few numbers: one in 2^48 is expected by chance."""
    bits = np.concatenate([integers(s, n).reshape(-1, 2) for n in [2, 4, 6, 8] * 500])
    return 1.0 if len(np.unique(bits @ [1 << 24, 1])) == len(bits) else len(bits)**2 / 2 / 2.0**48


def edge_pairs(s):
    """P(the greatest and least of so many numbers lie this far inside)"""
    u = s.random(N, dtype=f32)
    return min((u.max() + 2.0**-24)**N, (1 - u.min())**N) if 0 <= u.min() and u.max() < 1 else 0.0


CHECKS = {
    "uniform": lambda s: chi_square(cells(s.random(N, dtype=f32), bins=1024)),
    "uniform in double precision": lambda s: chi_square(cells(s.random(N), bins=1024)),
    "lowest 8 bits": lambda s: chi_square(np.bincount(integers(s) & 255, minlength=256)),
    "lowest 8 bits in double precision":
        lambda s: chi_square(np.bincount(((s.random(N) * 2.0**53).astype(np.int64) & 255).astype(int), minlength=256)),
    "range": edge_pairs,
    "the two of a block": lambda s: chi_square(cells(*s.random((N, 2), dtype=f32).T)),
    "neighbouring counters": lambda s: chi_square(cells(*s.random((N, 2), dtype=f32)[:, 0].reshape(-1, 2).T)),
    "three in a row": lambda s: chi_square(cells(*s.random((N // 3, 3), dtype=f32).T, bins=16)),
    "one draw and the next": lambda s: chi_square(cells(s.random(N, dtype=f32), s.random(N, dtype=f32))),
    "no repeats": repeats,
    "normal": lambda s: stats.kstest(normals(s), "norm").pvalue,
    "normal in double precision": lambda s: stats.kstest(s.standard_normal(N), "norm").pvalue,
    "mean": lambda s: deviation(normals(s), 0, 1),
    "variance": lambda s: deviation(normals(s)**2, 1, 2**0.5),
    "skewness": lambda s: deviation(normals(s)**3, 0, 15**0.5),
    "kurtosis": lambda s: deviation(normals(s)**4, 3, 96**0.5),
    "tails": lambda s: min(stats.binomtest(int((np.abs(normals(s)) > t).sum()), N, 2 * special.ndtr(-t)).pvalue
                           for t in (2, 3, 4, 4.5)) * 4,
    "cosine and sine": lambda s: chi_square(cells(*special.ndtr(normals(s, 2 * N)).reshape(-1, 2).T)),
    "their squares": lambda s: deviation(np.prod(normals(s, 2 * N).reshape(-1, 2)**2 - 1, axis=1), 0, 2),
    "their squares in double precision":
        lambda s: deviation(np.prod(s.standard_normal((N, 2))**2 - 1, axis=1), 0, 2),
    "methods of NumPy": lambda s: stats.kstest([s.exponential() for _ in range(2000)], "expon").pvalue,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_stream_looks_random(name):
    assert CHECKS[name](stream()) > ALPHA


class SameBlocksAgain(Stream):
    def take(self, blocks):
        key, counter = super().take(blocks)
        self._place.counter = int(counter)
        return key, counter


class OneBlockOverlaps(Stream):
    def take(self, blocks):
        key, counter = super().take(blocks)
        self._place.counter -= 1
        return key, counter


class Changed(Stream):
    """A stream whose single-precision numbers are spoilt."""
    uniform = staticmethod(lambda u: u)
    normal = staticmethod(lambda z: z)

    def random(self, size=None, dtype=float, out=None):
        return self.uniform(super().random(size, dtype))

    def standard_normal(self, size=None, dtype=float, out=None):
        return self.normal(super().standard_normal(size, dtype))


def changed(**how):
    return type("Slip", (Changed,), {name: staticmethod(f) for name, f in how.items()})


def second_of_pairs(f):
    def spoilt(x):
        x = x.copy()
        pairs = x.reshape(-1)[:x.size // 2 * 2].reshape(-1, 2)
        pairs[:, 1] = f(pairs)
        return x
    return spoilt


SLIPS = [
    (SameBlocksAgain, ["one draw and the next", "no repeats"]),
    (OneBlockOverlaps, ["no repeats"]),
    (changed(uniform=lambda u: np.floor(u * 4096) / 4096), ["lowest 8 bits"]),  # half of the bits
    (changed(uniform=lambda u: np.maximum(u, 1e-3)), ["uniform", "range"]),
    (changed(uniform=lambda u: u * 0.9999), ["range"]),
    (changed(uniform=second_of_pairs(lambda p: p[:, 0])), ["the two of a block"]),  # one word used twice
    (changed(uniform=second_of_pairs(lambda p: (p[:, 0] + p[:, 1]) / 2)), ["the two of a block", "uniform"]),
    (changed(normal=lambda z: z * f32(1.01)), ["variance", "kurtosis"]),
    (changed(normal=lambda z: np.abs(z)), ["mean", "skewness"]),
    (changed(normal=lambda z: np.clip(z, -4, 4)), ["tails"]),
    (changed(normal=lambda z: z.astype(float) + 0.01), ["mean", "normal in double precision"]),
    (changed(normal=second_of_pairs(lambda p: p[:, 0])), ["cosine and sine", "their squares"]),  # cosine for sine
    (changed(normal=second_of_pairs(lambda p: np.abs(p[:, 0]) * np.sign(p[:, 1]))),
     ["their squares", "their squares in double precision"]),
    (changed(normal=lambda z: special.ndtri(np.clip(np.floor(special.ndtr(z) * 64) / 64 + 1 / 128, 0, 1))),
     ["normal", "tails"]),
]


@pytest.mark.parametrize("slip, names", SLIPS)
def test_a_broken_generator_is_rejected(slip, names):
    for name in names:
        assert CHECKS[name](stream(slip)) < ALPHA, name


@pytest.mark.parametrize("rounds, rejected", [(10, False), (2, True), (3, True)])
@pytest.mark.parametrize("step", ["key", "counter"])
def test_neighbours_have_nothing_in_common(step, rounds, rejected):
    """Counters that differ by one, and keys that differ by one, all else equal."""
    key, counter, n = 0x1234, 0x5678 << 32, 1 << 16
    a = twins.blocks(key, counter, n, rounds)
    b = twins.blocks(key + 1, counter, n, rounds) if step == "key" else twins.blocks(key, counter + 1, n, rounds)
    p = min(flips(a[:, i].copy(), b[:, i].copy()) for i in (0, 1)) * 2
    assert (p < ALPHA) == rejected
    if not rejected:
        high = twins.blocks(key, counter + (1 << 32), n)
        assert flips(a[:, 0].copy(), high[:, 0].copy()) > ALPHA, "streams of one key, next high word"


PROBABILITIES = np.array([0, 2.0**-24, 1e-3, 0.1, 0.3, 0.5, 0.9, 0.999, 1 - 2.0**-24, 1], f32)


def frequencies_fit(hits, p, n):
    """P(hits as far from n p) over the cells; a cell that must never or always fire does"""
    sure = (p == 0) | (p == 1)
    if (hits[sure] != n * p[sure]).any():
        return 0.0
    each = [stats.binomtest(int(h), n, float(q)).pvalue for h, q in zip(hits[~sure], p[~sure])]
    return min(each) * len(each)


def fires(room, p, rows):
    """How often each of the cells fired in that many rows."""
    out = np.empty((rows, len(p)), f32)
    room.bernoulli(*stream().take(out.size), np.tile(p, rows), out.reshape(-1))
    return out.sum(0, dtype=float)


def test_bernoulli_fires_with_its_probability():
    assert frequencies_fit(fires(twins, PROBABILITIES, 30_000), PROBABILITIES, 30_000) > ALPHA


def test_gibbs_units_fire_with_their_probability():
    """An odd number of columns, so that rows begin in the middle of a pair."""
    rows, b = 30_000, np.linspace(-2, 2, 9, dtype=f32)
    logits = np.array([0, 1, -1, 3, -3, 300, -300, 0.5, 20], f32)
    out, p = np.tile(logits, (rows, 1)), special.expit(logits + b.astype(float))
    kernels().gibbs.flip(*stream().take(out.size), out, b)
    p[5:7] = 1, 0  # for good, not almost
    assert frequencies_fit(out.sum(0, dtype=float), p, rows) > ALPHA
    assert frequencies_fit(out.sum(0, dtype=float), special.expit(logits), rows) < ALPHA, "without its bias"
    agree = (out[:, :-1] == out[:, 1:])[:, [0, 1, 2]]  # neighbours are independent
    expected = p[:3] * p[1:4] + (1 - p[:3]) * (1 - p[1:4])
    assert frequencies_fit(agree.sum(0), expected, rows) > ALPHA


class Swapped:
    """Comparisons that are not u < p."""

    def __init__(self, compare):
        self.compare = compare

    def bernoulli(self, key, counter, p, out):
        u = np.empty(out.size, f32)
        twins.uniforms(key, counter, u)
        out[...] = self.compare(u, p)


@pytest.mark.parametrize("compare", [
    lambda u, p: u > p, lambda u, p: u * f32(0.98) < p, lambda u, p: np.floor(u * 256) / 256 < p,
    lambda u, p: np.floor(u * 256) / 256 <= p, lambda u, p: u < np.clip(p, 1e-3, 1 - 1e-3),
])
def test_a_wrong_comparison_is_rejected(compare):
    assert frequencies_fit(fires(Swapped(compare), PROBABILITIES, 30_000), PROBABILITIES, 30_000) < ALPHA
