"""Linear flows: factors of every matrix, orthogonal products of reflections, and what training may not change."""

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen import optim
from minigen.flows import DenseLinear, FlowModel, PLULinear, QRLinear
from minigen.flows.linear import plu, rotation

LAYERS = {"dense": DenseLinear, "plu": PLULinear, "qr": QRLinear}
every_layer = pytest.mark.parametrize("layer", LAYERS)


def matrices(d):
    rng = np.random.default_rng(d)
    yield from rng.normal(size=(4, d, d))  # of both orientations for every d but by bad luck
    yield np.eye(d)[rng.permutation(d)]
    yield -np.eye(d)
    yield np.zeros((d, d))
    yield np.outer(rng.normal(size=d), rng.normal(size=d))
    yield np.triu(rng.normal(size=(d, d)))[:, ::-1]  # every pivot on the last row


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_every_matrix_has_its_factors(d):
    signs = set()
    for W in matrices(d):
        P, L, U = plu(W)
        assert np.allclose(P @ L @ U, W, atol=1e-12)
        assert np.array_equal(np.sort(P.argmax(0)), np.arange(d)) and P.sum() == d and set(P.ravel()) <= {0.0, 1.0}
        assert np.array_equal(np.diagonal(L), np.ones(d)) and not np.triu(L, 1).any() and not np.tril(U, -1).any()
        assert np.abs(L).max() <= 1, "pivots are the largest of their column"
        sign, log_det = np.linalg.slogdet(W)
        assert np.isclose(np.prod(np.diagonal(U)) * np.linalg.det(P), sign * np.exp(log_det), atol=1e-12)
        signs.add(sign)
    assert {-1.0, 1.0} <= signs


@pytest.mark.parametrize("W", [np.ones((2, 3)), np.ones(4), 3.0])
def test_what_is_not_square_has_none(W):
    with pytest.raises(ValueError, match="plu: W has shape"):
        plu(W)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_rotations_are_orthogonal_and_of_both_orientations(d):
    found = [rotation(d, np.random.default_rng(seed)) for seed in range(20)]
    assert all(np.allclose(Q.T @ Q, np.eye(d), atol=1e-12) for Q in found)
    assert {round(np.linalg.det(Q)) for Q in found} == {-1, 1}


@every_layer
@pytest.mark.parametrize("seed", range(4))
def test_layers_start_as_rotations(layer, seed):
    flow = LAYERS[layer](4, rng=np.random.default_rng(seed), dtype=np.float64)
    W = ad.value(flow.weight())
    assert np.allclose(W.T @ W, np.eye(4), atol=1e-12) and np.isclose(ad.value(flow.log_det()), 0, atol=1e-12)


def test_the_sign_of_a_determinant_does_not_matter_to_its_logarithm():
    orientations = set()
    for seed in range(8):
        flow = PLULinear(3, rng=np.random.default_rng(seed), dtype=np.float64)
        flow.s.data += 0.3
        sign, log_det = np.linalg.slogdet(ad.value(flow.weight()))
        orientations.add(sign)
        assert np.isclose(ad.value(flow.log_det()), log_det, rtol=1e-12)
    assert orientations == {-1.0, 1.0}


@every_layer
def test_training_leaves_the_log_det_right(layer):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    model = FlowModel(LAYERS[layer](3, rng=rng, dtype=np.float64))
    steps = optim.Adam(model.parameters(), lr=0.05)
    before = model.log_likelihood(x).mean()
    for _ in range(300):
        model.loss(x, rng).total.backward()
        steps.step()
    assert np.isclose(ad.value(model.flow.log_det()), np.linalg.slogdet(ad.value(model.flow.weight()))[1], rtol=1e-9)
    # The fit of a linear flow is the Gaussian of the data's own mean and covariance.
    centred = x - x.mean(0)
    best = -0.5 * (np.linalg.slogdet(2 * np.pi * np.e * centred.T @ centred / len(x))[1])
    assert before < best - 0.1 and abs(model.log_likelihood(x).mean() - best) < 1e-3


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_products_of_reflections_are_orthogonal_with_determinant_plus_or_minus_one(k):
    Q = ad.value(QRLinear(3, k, rng=np.random.default_rng(k), dtype=np.float64).orthogonal())
    assert np.allclose(Q.T @ Q, np.eye(3), atol=1e-13) and np.isclose(np.linalg.det(Q), (-1) ** k)


def test_a_reflection_without_direction_is_a_clear_error():
    flow = QRLinear(3, rng=np.random.default_rng(0))
    flow.v.data[1] = 0
    for direction in (flow.forward, flow.inverse):
        with pytest.raises(ValueError, match=r"QRLinear\(d=3\): row 1 of v is 0"):
            direction(np.ones((2, 3)))


def test_a_singular_dense_matrix_has_log_det_minus_infinity_and_no_inverse():
    flow = DenseLinear(2, rng=np.random.default_rng(0))
    flow.W.data[...] = [[1, 2], [2, 4]]
    with ad.no_grad():
        assert np.all(ad.value(flow.forward(np.ones((3, 2)))[1]) == -np.inf)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        flow.inverse(np.ones((3, 2)))
