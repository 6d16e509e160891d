"""Random numbers: a replay draws what the eager function would draw from the same generator, in the same order."""

import copy
import pickle

import numpy as np
import pytest

from minigen.autodiff.containers import leaves
from minigen.kernels.stream import Stream
from minigen.record import record

pytestmark = pytest.mark.usefixtures("interpreted_loops")

X = np.linspace(-1, 2, 6).reshape(2, 3)
GENERATORS = {
    "PCG64": lambda: np.random.default_rng(5),
    "MT19937": lambda: np.random.Generator(np.random.MT19937(5)),
    "Stream": lambda: Stream(np.random.default_rng(5)),
}
DRAWS = {
    "standard_normal": lambda x, rng: x + rng.standard_normal(x.shape),
    "standard_normal in float32": lambda x, rng: x + rng.standard_normal((2, 3), dtype=np.float32),
    "random": lambda x, rng: x * rng.random(x.shape) + rng.random(3),
    "random in float32": lambda x, rng: rng.random(size=(2, 3), dtype=np.float32),
    "another way to draw": lambda x, rng: rng.standard_exponential(3, method="inv") + x,
    "one number": lambda x, rng: x * rng.random(),
    "integers": lambda x, rng: x[:, rng.integers(3, size=5)],
    "permutation": lambda x, rng: x[:, rng.permutation(3)],
    "permutation of an array": lambda x, rng: rng.permutation(x),
    "normal around an array": lambda x, rng: rng.normal(x, np.exp(x)),
    "uniform and others": lambda x, rng: (rng.uniform(-1, 2, 3), rng.exponential(2.0, 3), rng.gamma(2.0, size=3)),
    "choice": lambda x, rng: x[rng.choice(2, size=4)],
    "binomial of an array": lambda x, rng: x * rng.binomial(3, 1 / (1 + np.exp(-x))),
    "multivariate": lambda x, rng: rng.multivariate_normal(np.zeros(3), np.eye(3)) + x,
    "the same call twice": lambda x, rng: rng.random(3) - rng.random(3),
    "what nobody reads": lambda x, rng: (rng.random(3), rng.normal(x), x + rng.random(3))[2],
    "a result of its own": lambda x, rng: (rng.random(3), rng.standard_normal((2, 3)).T, rng.random(3) > 0.5),
    "laid out otherwise": lambda x, rng: rng.standard_normal((2, 3)).T @ x + rng.standard_normal((3, 3)).T,
    "none": lambda x, rng: x * 2,
}


@pytest.mark.parametrize("made", GENERATORS)
@pytest.mark.parametrize("name", DRAWS)
def test_a_replay_draws_what_the_function_draws(name, made):
    function, recorded = DRAWS[name], record(DRAWS[name])
    rng, same = GENERATORS[made](), GENERATORS[made]()
    before = pickle.dumps(rng)
    recorded.program(X, rng)
    assert pickle.dumps(rng) == before  # recording draws, and gives back
    for i in range(4):
        for a, b in zip(leaves(recorded(X + i, rng)), leaves(function(X + i, same)), strict=True):
            assert a.dtype == np.asarray(b).dtype
            np.testing.assert_allclose(a, b, rtol=1e-13)
    assert pickle.dumps(rng) == pickle.dumps(same) and rng.random() == same.random()


def test_numbers_of_a_program_do_not_repeat():
    recorded, rng = record(lambda rng: rng.random(3)), np.random.default_rng(0)
    rows = np.array([recorded(rng).copy() for _ in range(5)])
    assert len(np.unique(rows)) == 15


def test_two_generators_are_told_apart_and_may_be_one():
    def two(a, b):
        return a.random(2), b.standard_normal(2), a.random(2) - b.random(2)

    recorded = record(two)
    first, second = [np.random.default_rng(i) for i in (1, 2)], [np.random.default_rng(i) for i in (1, 2)]
    for order in (slice(None), slice(None, None, -1)):
        for a, b in zip(recorded(*first[order]), two(*second[order])):
            assert np.array_equal(a, b)
    one, same = np.random.default_rng(3), np.random.default_rng(3)
    for a, b in zip(recorded(one, one), two(same, same)):
        assert np.array_equal(a, b)
    assert len(recorded.programs) == 1


def test_a_program_takes_the_generator_of_the_call():
    recorded = record(lambda x, rng: x + rng.normal(size=3))
    for seed in (1, 2, 1):
        y = recorded(X, np.random.default_rng(seed))
        assert np.array_equal(y, X + np.random.default_rng(seed).normal(size=3))
    kept = copy.deepcopy(stream := GENERATORS["Stream"]())
    assert np.array_equal(recorded(X, stream), X + kept.normal(size=3))


def test_one_by_one_is_the_same_stream():
    recorded = record(DRAWS["normal around an array"])
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    program = recorded.program(X, rng)
    for _ in range(3):
        assert np.array_equal(program.interpret([X], [rng]), DRAWS["normal around an array"](X, same))
