"""The races of energy-based models are fair: every engine takes the same update, and goes on where it stands."""

import itertools

import numpy as np
import pytest

from minigen.bench.cases import ising, rbm_chain
from minigen.bench.cases.rbm_race import LR, RBMRace
from minigen.bench.catalogue import CASES

ENGINES = {"minigen": "minigen", "torch": "torch", "jax": "jax", "sklearn_float32": "sklearn",
           "sklearn_float64": "sklearn", "learnergy": "learnergy"}


def arrays(found):
    return [np.array(x.detach().numpy() if hasattr(x, "detach") else x) for x in found]


def engine(name):
    pytest.importorskip(ENGINES[name], reason=f"{ENGINES[name]} is not installed")
    return name


class Certain(RBMRace):
    """Logits of at least 20 in size, so that no draw depends on the random numbers; visible units follow their biases
    where `hold`, whatever the hidden ones do."""

    hold = 0

    def start(self):
        rng = np.random.default_rng(0)
        W = 40.0 * rng.integers(-3, 4, (self.visible, self.hidden))
        b = (20 + self.hold) * rng.choice([-1, 1], self.visible)
        return [a.astype(np.float32) for a in (W, b, np.full(self.hidden, 20))]

    def batches(self):
        v = np.random.default_rng(1).integers(0, 2, (3, self.batch, self.visible))
        return itertools.cycle(v.astype(np.float32))


class Held(Certain):
    hold = 4000


def by_definition(race):
    """W, b, c after one update in which every unit does what its logit says."""
    W, b, c = (a.astype(float) for a in race.start())
    v = next(race.batches()).astype(float)
    h = (v @ W + c > 0) * 1.0
    hidden = h
    for _ in range(race.k):
        fantasy = (hidden @ W.T + b > 0) * 1.0
        hidden = (fantasy @ W + c > 0) * 1.0
    rate = LR / len(v)
    return (W + rate * (v.T @ h - fantasy.T @ hidden), b + rate * (v - fantasy).sum(0), c + rate * (h - hidden).sum(0))


@pytest.mark.parametrize("name", ["minigen", "torch", "jax", "learnergy"])
def test_every_engine_takes_the_update_of_contrastive_divergence(name):
    race = Certain(k=3, visible=9, hidden=5, batch=4)
    for found, exact in zip(arrays(getattr(race, engine(name))()()), by_definition(race)):
        assert found.shape == exact.shape and np.abs(found - exact).max() < 1e-4
    assert np.abs(by_definition(race)[0] - race.start()[0]).max() > LR / 4 - 1e-9


@pytest.mark.parametrize("name", ["minigen", "torch", "jax", "sklearn_float32", "sklearn_float64"])
def test_every_engine_takes_the_update_of_persistent_chains(name):
    race = Held(persistent=True, visible=9, hidden=5, batch=4)
    for found, exact in zip(arrays(getattr(race, engine(name))()()), by_definition(race)):
        assert found.shape == exact.shape and np.abs(found - exact).max() < 5e-4


class Ladder(RBMRace):
    """A unit that is on lights the next one: a chain that goes on has all of them on after as many updates."""

    def start(self):
        n = self.visible
        W = 40.0 * (np.eye(n) + np.eye(n, k=-1))
        return [a.astype(np.float32) for a in (W, np.where(np.arange(n) == 0, 20, -20), np.full(n, -20))]

    def batches(self):
        return itertools.repeat(np.zeros((self.batch, self.visible), np.float32))


@pytest.mark.parametrize("name", ["minigen", "torch", "jax", "sklearn_float32", "sklearn_float64"])
def test_persistent_chains_go_on_where_they_stood(name):
    race = Ladder(persistent=True, visible=8, hidden=8, batch=3)
    step = getattr(race, engine(name))()
    steps = [arrays(step())[1] for _ in range(10)]
    np.testing.assert_allclose(steps[-1] - steps[-2], -LR, rtol=1e-3)


@pytest.mark.parametrize("persistent, name", [
    *((False, name) for name in ("minigen", "torch", "jax", "learnergy")),
    *((True, name) for name in ("minigen", "torch", "sklearn_float32"))])
def test_every_engine_draws_anew_and_learns(name, persistent):
    """Two of nine units are always on, the others never: their biases rise and fall."""
    class Constant(RBMRace):
        def batches(self):
            return itertools.repeat(np.tile(np.float32([1, 1, 0, 0, 0, 0, 0, 0, 0]), (self.batch, 1)))

    step = getattr(Constant(persistent=persistent, visible=9, hidden=5, batch=50), engine(name))()
    biases = [arrays(step())[1] for _ in range(40)]
    assert len({b.tobytes() for b in np.diff(biases, axis=0)}) > 20, "the same fantasies again and again"
    assert biases[-1][:2].min() > 0.2 and biases[-1][2:].max() < -0.2


def test_the_floor_has_the_products_of_the_update():
    calls, race = [], RBMRace(k=2, visible=7, hidden=5, batch=3)
    step = race.floor()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "dot", lambda a, b, out: calls.append((a.shape, b.shape, out.shape)))
        step()
    to_hidden, to_visible = ((3, 7), (7, 5), (3, 5)), ((3, 5), (5, 7), (3, 7))
    assert calls == [to_hidden, to_visible, to_hidden, to_visible, to_hidden, ((7, 6), (6, 5), (7, 5))]


@pytest.mark.parametrize("name", ["checkerboard", "sequential", "numpy", "torch"])
def test_every_ising_sweep_orders_the_lattice_alike(name, monkeypatch):
    """Far below the critical temperature a lattice that is all up stays so; at infinite temperature it is coins."""
    if name == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setattr(ising, "N", 24)
    monkeypatch.setattr(ising, "spins", lambda: np.ones((24, 24), np.int8))
    for beta, low, high in ((2.0, 0.99, 1.0), (0.0, -0.25, 0.25), (0.3, 0.0, 0.6)):
        monkeypatch.setattr(ising, "BETA", beta)
        step = getattr(ising, name)()
        states = [np.array(step()) for _ in range(8)]
        assert set(np.unique(states)) <= {-1, 1} and low <= states[-1].mean() <= high
        assert beta == 2 or not np.array_equal(states[-1], states[-2])


@pytest.mark.parametrize("name", ["minigen", "numpy", "torch"])
def test_every_chain_has_as_many_units_on(name):
    if name == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    step = getattr(rbm_chain, name)()
    assert np.mean([np.array(step()).mean() for _ in range(10)]) == pytest.approx(0.3, abs=0.02)


ASKED = {
    ("rbm-cd1", "minigen"): {"A torch": 0.62, "A floor": 1.15, "B torch": 0.42, "B jax": 0.8, "B floor": 1.15},
    ("rbm-pcd", "minigen"): {"A sklearn_float32": 0.60, "A sklearn_float64": 0.22,
                             "B sklearn_float32": 0.45, "B sklearn_float64": 0.22, "B jax": 0.8},
    ("rbm-cd10", "minigen"): {"A torch": 0.62, "B torch": 0.40, "B jax": 0.8},
    ("rbm-chain", "minigen"): {"A numpy": 0.5, "B numpy": 0.5},
    ("ising", "checkerboard"): {"A numpy": 0.06, "B numpy": 0.06},
}


@pytest.mark.parametrize(("name", "ours"), ASKED)
def test_what_is_asked(name, ours):
    assert {f"{t.setting} {t.peer}": t.at_most for t in CASES[name].targets} == ASKED[name, ours]
    assert {t.ours for t in CASES[name].targets} == {ours}
