"""Pixels drawn anew: the draws, the gradient on average, and what is refused."""

import numpy as np
import pytest

from minigen import optim
from minigen.energy.contrastive_divergence import ContrastiveDivergence
from minigen.energy.rbm import RBM
from minigen.energy.redrawn import Redrawn
from minigen.training import fit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_are_drawn_with_their_grey_value_as_probability(dtype):
    """Within 5 standard errors of 40 000 draws; two draws differ, ends of the scale never."""
    p = np.array([0, 0.2, 0.7, 1], dtype)
    rng = np.random.default_rng(0)
    first, second = (Redrawn.drawn(np.tile(p, (40_000, 1)), rng) for _ in range(2))
    np.testing.assert_allclose(first.mean(0), p, atol=5 * 0.5 / 200)
    assert (first != second).any() and set(np.unique(first)) == {0, 1} and first.dtype == dtype
    assert not first[:, 0].any() and first[:, 3].all()


def test_the_step_is_that_of_the_trainer_on_the_draw():
    rbm = RBM(4, 3, rng=np.random.default_rng(0), dtype=np.float64)
    x = np.random.default_rng(1).random((6, 4))
    found, expected = ({name: np.empty(p.shape) for name, p in m.named_parameters()}
                       for m in (Redrawn(ContrastiveDivergence(rbm)), ContrastiveDivergence(rbm)))
    rng, same = np.random.default_rng(2), np.random.default_rng(2)
    Redrawn(ContrastiveDivergence(rbm)).loss_and_gradients(x, rng, found)
    ContrastiveDivergence(rbm).loss_and_gradients(Redrawn.drawn(x, same), same, expected)
    for a, b in zip(found.values(), expected.values()):
        np.testing.assert_array_equal(a, b)


def test_grey_rows_can_be_learnt():
    """Independent pixels: the best model has the grey values as its means, and their entropy as its likelihood."""
    rng, p = np.random.default_rng(3), np.array([0.1, 0.5, 0.8], np.float32)
    x = np.tile(p, (400, 1))
    trainer = Redrawn(ContrastiveDivergence(RBM(3, 2, rng=rng)))
    fit(trainer, x, valid=x[:50], optimizer=optim.SGD(trainer.parameters(), 0.02), epochs=40, batch_size=50, rng=rng,
        progress=False)
    v = Redrawn.drawn(np.tile(p, (20_000, 1)), rng)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    assert trainer.model.log_likelihood(v).mean() == pytest.approx(-entropy, abs=0.03)
    assert trainer.sample(5, rng).shape == (5, 3)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_values_that_are_no_probabilities(bad):
    with pytest.raises(ValueError, match="expected probabilities in"):
        Redrawn.drawn(np.array([[0.5, bad]]), np.random.default_rng(0))
