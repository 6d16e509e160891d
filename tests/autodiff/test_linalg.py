"""Products and decompositions against jax: values, gradients, gradients of gradients; and their refusals."""

import numpy as np
import pytest

from minigen import autodiff as ad

jnp = pytest.importorskip("jax.numpy", reason="jax is the referee of values and gradients")


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def well_conditioned(*shape):
    return normal(*shape) + 4 * np.eye(shape[-1])


def positive_definite(*shape):
    A = normal(*shape)
    return A @ np.swapaxes(A, -1, -2) + np.eye(shape[-1])


@pytest.mark.parametrize("a, b", [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((3,), (4, 3, 2)), ((4, 2, 3), (3,)), ((4, 2, 3), (3, 5)),
    ((2, 3), (4, 3, 5)), ((4, 1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)), ((2, 4, 0), (0, 3)),
])
def test_matmul(a, b, agrees_with_jax):
    assert agrees_with_jax(ad.matmul, jnp.matmul, normal(*a), normal(*b, seed=1))


def test_matmul_of_strided_arrays(agrees_with_jax):
    assert agrees_with_jax(ad.matmul, jnp.matmul, normal(6, 4)[::2, ::-1], normal(5, 4).T)


@pytest.mark.parametrize("subscripts, shapes", [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),  # implicit output: alphabetical, a transpose
    ("ij->", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("iiij->j", [(3, 3, 3, 2)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ii,ij->j", [(3, 3), (3, 2)]),
    ("ij,k->i", [(2, 3), (4,)]),  # j and k are summed alone
    ("bi,ij,bj->b", [(5, 3), (3, 4), (5, 4)]),
    ("...ij,...jk", [(5, 1, 2, 3), (4, 3, 2)]),  # the ellipses broadcast
    ("i...j, j... -> i...", [(2, 5, 3), (3, 5)]),
    ("i...->...", [(2, 3, 4)]),
    (",->", [(), ()]),
    ("ij,jk->ik", [(2, 0), (0, 4)]),
])
def test_einsum(subscripts, shapes, agrees_with_jax):
    arrays = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    assert agrees_with_jax(lambda *x: ad.einsum(subscripts, *x), lambda *x: jnp.einsum(subscripts, *x), *arrays)


@pytest.mark.parametrize("output", ["i", ""])
def test_einsum_broadcasts_an_axis_of_length_one(output, agrees_with_jax):
    assert agrees_with_jax(lambda a, b: ad.einsum(f"i,i->{output}", a, b),
                           lambda a, b: a * b if output else jnp.sum(a * b), normal(3), normal(1))


@pytest.mark.parametrize("subscripts, shapes, message", [
    ("ij,jk", [(2, 3)], "1 operands were given; expected 2"),
    ("ij,jk", [(2, 3), (4, 5)], "'j' is an axis of length 3 and of length 4"),
    ("i,i,i", [(1,), (3,), (4,)], "'i' is an axis of length 3 and of length 4"),
    ("ii", [(1, 3)], "'i' is an axis of length 1 and of length 3"),
    ("ijk", [(2, 3)], r"operand 0 has shape \(2, 3\); its subscripts name 3 axes"),
    ("...ij", [(3,)], r"operand 0 has shape \(3,\); its subscripts name 2 axes"),
    ("ij->ik", [(2, 3)], "output names 'k'"),
    ("ij->ii", [(2, 3)], "output names 'i'"),
])
def test_einsum_names_what_does_not_fit(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message):
        ad.einsum(subscripts, *(normal(*shape) for shape in shapes))


@pytest.mark.parametrize("name, offset, axis1, axis2", [
    ("diagonal", 0, 0, 1), ("diagonal", 1, 1, 2), ("diagonal", -2, -1, 0), ("diagonal", 4, 0, 1), ("trace", 1, -1, 0),
])
def test_diagonal_and_trace(name, offset, axis1, axis2, agrees_with_jax):
    assert agrees_with_jax(lambda x: getattr(ad, name)(x, offset, axis1, axis2),
                           lambda x: getattr(jnp, name)(x, offset, axis1, axis2), normal(3, 4, 5))


@pytest.mark.parametrize("axis, keepdims", [(None, False), (None, True), (-1, False), ((0, 2), True)])
def test_norm(axis, keepdims, agrees_with_jax):
    assert agrees_with_jax(lambda x: ad.norm(x, axis=axis, keepdims=keepdims),
                           lambda x: jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=keepdims)), normal(3, 4, 2))


def test_norm_at_zero_has_gradient_zero():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert np.allclose(ad.grad(lambda x: ad.sum(ad.norm(x, axis=1)))(x), [[0, 0], [0.6, 0.8]], rtol=1e-15, atol=0)
    assert np.array_equal(ad.hessian(ad.norm)(np.zeros(2)), np.zeros((2, 2)))


@pytest.mark.parametrize("name, matrix, batch", [
    ("inv", well_conditioned, (2, 3)), ("inv", well_conditioned, (0,)), ("det", well_conditioned, ()),
    ("det", well_conditioned, (2, 3)), ("cholesky", positive_definite, (2, 3)), ("cholesky", positive_definite, (0,)),
    ("cholesky", well_conditioned, ()),  # not symmetric: both take the symmetric part
])
def test_decompositions(name, matrix, batch, agrees_with_jax):
    assert agrees_with_jax(getattr(ad, name), getattr(jnp.linalg, name), matrix(*batch, 4, 4))


@pytest.mark.parametrize("batch", [(), (3,)])
def test_slogdet(batch, agrees_with_jax):
    A = well_conditioned(*batch, 4, 4)
    A[..., 0, :] *= -1
    assert agrees_with_jax(lambda A: ad.slogdet(A)[1], lambda A: jnp.linalg.slogdet(A)[1], A)
    sign, logabsdet = ad.slogdet(ad.Tensor(A, requires_grad=True))
    assert not sign.requires_grad and np.all(sign.data == -1)
    assert np.allclose(sign.data * np.exp(logabsdet.data), np.linalg.det(A))
    assert all(np.array_equal(a, b) for a, b in zip(ad.slogdet(A), np.linalg.slogdet(A)))


@pytest.mark.parametrize("A, b", [
    ((4, 4), (4,)), ((3, 4, 4), (4,)), ((3, 4, 4), (3, 4, 2)), ((3, 4, 4), (4, 2)), ((4, 4), (3, 4, 2)),
    ((0, 4, 4), (4, 1)),
])
def test_solve(A, b, agrees_with_jax):
    assert agrees_with_jax(ad.solve, jnp.linalg.solve, well_conditioned(*A), normal(*b))


def test_cholesky_cotangent_is_symmetric():
    weight = normal(3, 3)
    g = ad.grad(lambda A: ad.sum(ad.cholesky(A) * weight))(positive_definite(3, 3))
    assert np.array_equal(g, g.T)


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def test_a_singular_matrix_has_log_determinant_minus_infinity_and_no_gradient():
    sign, logabsdet = ad.slogdet(np.stack([SINGULAR, np.eye(2)]))
    assert np.array_equal(sign, [0, 1]) and np.array_equal(logabsdet, [-np.inf, 0])
    assert ad.det(SINGULAR) == 0
    for name, f in (("slogdet", lambda A: ad.slogdet(A)[1]), ("det", ad.det)):
        with pytest.raises(np.linalg.LinAlgError, match=f"{name}: its gradient was asked for at a singular matrix"):
            ad.grad(f)(SINGULAR)


@pytest.mark.parametrize("f, error, message", [
    (lambda: ad.inv(SINGULAR), np.linalg.LinAlgError, "inv: A .* is singular"),
    (lambda: ad.solve(SINGULAR, np.ones(2)), np.linalg.LinAlgError, "solve: A .* is singular"),
    (lambda: ad.cholesky(-np.eye(2)), np.linalg.LinAlgError, "cholesky: A .* is not positive definite"),
    (lambda: ad.inv(np.ones((2, 3))), ValueError, r"inv: A has shape \(2, 3\); expected \(..., n, n\)"),
    (lambda: ad.slogdet(np.ones(3)), ValueError, r"slogdet: A has shape \(3,\)"),
    (lambda: ad.solve(np.eye(2), np.ones(3)), ValueError, r"solve: b has shape \(3,\); expected \(2,\)"),
    (lambda: ad.solve(np.eye(2), np.ones((5, 3, 1))), ValueError, r"solve: b has shape \(5, 3, 1\)"),
])
def test_refusals_name_operation_and_argument(f, error, message):
    with pytest.raises(error, match=message):
        f()
