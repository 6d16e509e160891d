"""grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp: closed forms, nesting, containers, and jax as referee."""

import numpy as np
import pytest

from minigen import autodiff as ad

X = np.array([0.5, -1.0, 2.0])
A = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, -1.0], [0.0, 1.0, 1.0]])
V = np.array([1.0, -2.0, 0.5])


def quadratic(x):
    """x' A x, with gradient (A + A') x and Hessian A + A'."""
    return ad.matmul(x, ad.matmul(A, x))


def cubes(x):
    """A x^3, with Jacobian A diag(3 x^2)."""
    return ad.matmul(A, x ** 3)


# ---- closed forms


def test_closed_forms_of_a_quadratic():
    H = A + A.T
    value, gradient = ad.value_and_grad(quadratic)(X)
    assert np.isclose(value, X @ A @ X, rtol=1e-15) and np.allclose(gradient, H @ X, rtol=1e-15)
    assert np.allclose(ad.grad(quadratic)(X), H @ X, rtol=1e-15)
    assert np.allclose(ad.hessian(quadratic)(X), H, rtol=1e-15)
    assert np.allclose(ad.hvp(quadratic)(X, V), H @ V, rtol=1e-15)


def test_closed_forms_of_a_vector_function():
    J = A * (3 * X ** 2)
    assert np.allclose(ad.jacobian(cubes)(X), J, rtol=1e-15)
    y, pullback = ad.vjp(cubes, X)
    assert np.allclose(y, A @ X ** 3, rtol=1e-15)
    for row, expected in zip(np.eye(3), J):
        assert np.allclose(pullback(row)[0], expected, rtol=1e-15)  # a pullback may be called again and again
    y, tangent = ad.jvp(cubes, (X,), (V,))
    assert np.allclose(y, A @ X ** 3, rtol=1e-15) and np.allclose(tangent, J @ V, rtol=1e-14)


def test_shapes_of_jacobian_and_hessian():
    x = np.arange(6.0).reshape(2, 3)
    assert ad.jacobian(lambda x: x[:, :2] ** 2)(x).shape == (2, 2, 2, 3)
    assert ad.hessian(lambda x: ad.sum(x ** 3))(x).shape == (2, 3, 2, 3)
    assert ad.jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert ad.jacobian(lambda x: ad.sum(x))(np.zeros((0, 2))).shape == (0, 2)
    assert ad.jacobian(lambda x: np.ones(2))(X).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_plain_numbers_in_plain_numbers_out():
    for result in (*ad.value_and_grad(lambda x: x ** 3)(2.0), *ad.jvp(lambda x: x ** 3, (2.0,), (1.0,)),
                   ad.hessian(lambda x: x ** 3)(2), ad.grad(lambda x: ad.sum(x))(ad.Tensor(X))):
        assert not isinstance(result, ad.Tensor)
    assert ad.grad(lambda x: x ** 3)(2) == 12 and ad.hessian(lambda x: x ** 3)(2) == 12


def test_a_function_that_ignores_its_argument_has_gradient_zero():
    assert np.array_equal(ad.grad(lambda x: 3.0)(X), [0, 0, 0])
    assert np.array_equal(ad.grad(lambda x, y: ad.sum(y))(X, X), [0, 0, 0])
    assert ad.jvp(lambda x: 3.0, (X,), (V,))[1] == 0
    assert np.array_equal(ad.hvp(lambda x: ad.sum(x))(X, V), [0, 0, 0])
    assert np.array_equal(ad.vjp(lambda x: np.ones(2), X)[1](np.ones(2))[0], [0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transforms_keep_the_precision(dtype):
    x, v, B = X.astype(dtype), V.astype(dtype), A.astype(dtype)
    for result in (ad.grad(lambda x: ad.matmul(x, ad.matmul(B, x)))(x), ad.jacobian(lambda x: ad.matmul(B, x))(x),
                   ad.jvp(lambda x: ad.matmul(B, x), (x,), (v,))[1], ad.hvp(lambda x: ad.sum(ad.exp(x)))(x, v),
                   ad.hessian(lambda x: ad.sum(x ** 3))(x)):
        assert result.dtype == dtype


# ---- arguments and containers


def f(a, b, c):
    """Three arguments with three different gradients."""
    return ad.sum(a * b ** 2) + c * ad.sum(b)


@pytest.mark.parametrize("argnums, expected", [
    (0, V ** 2), (1, 2 * X * V + 3), (2, V.sum()), (-1, V.sum()), ((0, 2), (V ** 2, V.sum())), ((1,), (2 * X * V + 3,)),
])
def test_argnums(argnums, expected):
    gradient = ad.grad(f, argnums)(X, V, 3.0)
    assert isinstance(gradient, tuple) == isinstance(argnums, tuple)
    for ours, right in zip(gradient if isinstance(gradient, tuple) else [gradient],
                           expected if isinstance(expected, tuple) else [expected]):
        assert np.allclose(ours, right, rtol=1e-15)


def test_jacobian_and_hessian_take_argnums():
    assert np.allclose(ad.jacobian(lambda a, b: a * b, 1)(X, V), np.diag(X))
    by_a, by_b = ad.jacobian(lambda a, b: a * b, (0, 1))(X, V)
    assert np.allclose(by_a, np.diag(V)) and np.allclose(by_b, np.diag(X))
    (aa, ab), (ba, bb) = ad.hessian(lambda a, b: ad.sum(a * b ** 2), (0, 1))(X, V)
    assert np.allclose(aa, 0) and np.allclose(bb, np.diag(2 * X))
    assert np.allclose(ab, np.diag(2 * V)) and np.allclose(ba, ab.T)


def test_arguments_that_are_not_differentiated_may_be_anything():
    assert np.allclose(ad.grad(lambda x, mode, n: ad.sum(x ** n) if mode == "power" else x)(X, "power", 2), 2 * X)


PARAMETERS = {"layers": [{"W": A, "b": X}, (V, np.float32(2.0))], "scale": 1.5, "nothing": None}


def network(p):
    """A scalar function of a nested container."""
    (first, (v, s)) = p["layers"]
    return ad.sum(ad.tanh(first["W"] @ v + first["b"]) * s) * p["scale"]


def test_gradients_come_in_the_container_of_the_argument():
    value, gradient = ad.value_and_grad(network)(PARAMETERS)
    h = np.tanh(A @ V + X)
    d = 3.0 * (1 - h ** 2)
    assert np.isclose(value, 3.0 * h.sum())
    assert list(gradient) == ["layers", "scale", "nothing"] and gradient["nothing"] is None
    assert isinstance(gradient["layers"], list) and isinstance(gradient["layers"][1], tuple)
    assert np.allclose(gradient["layers"][0]["W"], np.outer(d, V)) and np.allclose(gradient["layers"][0]["b"], d)
    assert np.allclose(gradient["layers"][1][0], A.T @ d) and np.isclose(gradient["scale"], 2 * h.sum())
    assert gradient["layers"][1][1].dtype == np.float32 and np.isclose(gradient["layers"][1][1], 1.5 * h.sum())


def test_vjp_and_jvp_of_containers_are_transposes():
    rng = np.random.default_rng(0)

    def h(p, x):
        return ad.concatenate([p["a"] * x, ad.reshape(p["b"][0] @ x, (-1,))])

    p, x = {"a": X, "b": [A]}, V
    dp, dx = {"a": rng.normal(size=3), "b": [rng.normal(size=(3, 3))]}, rng.normal(size=3)
    g = rng.normal(size=6)
    y, pullback = ad.vjp(h, p, x)
    their_y, tangent = ad.jvp(h, (p, x), (dp, dx))
    gp, gx = pullback(g)
    assert np.array_equal(y, their_y)
    assert np.isclose(g @ tangent, np.sum(gp["a"] * dp["a"]) + np.sum(gp["b"][0] * dp["b"][0]) + gx @ dx, rtol=1e-14)


def test_jacobian_and_hessian_of_containers_are_containers_of_blocks():
    J = ad.jacobian(lambda p: {"y": p["a"] * p["b"], "z": [ad.sum(p["a"])]})({"a": X, "b": 2.0})
    assert np.allclose(J["y"]["a"], 2 * np.eye(3)) and np.allclose(J["y"]["b"], X)
    assert np.allclose(J["z"][0]["a"], [1, 1, 1]) and J["z"][0]["b"] == 0
    H = ad.hessian(lambda p: ad.sum(p["a"] ** 2) * p["b"])({"a": X, "b": 2.0})
    assert np.allclose(H["a"]["a"], 4 * np.eye(3)) and np.allclose(H["a"]["b"], 2 * X)
    assert np.allclose(H["b"]["a"], 2 * X) and H["b"]["b"] == 0
    v = {"a": V, "b": 3.0}
    along = ad.hvp(lambda p: ad.sum(p["a"] ** 2) * p["b"])({"a": X, "b": 2.0}, v)
    assert np.allclose(along["a"], 4 * V + 2 * X * 3) and np.isclose(along["b"], 2 * X @ V)


# ---- nesting


def test_derivatives_of_every_order():
    d, x = ad.sin, 0.7
    for expected in (np.cos(x), -np.sin(x), -np.cos(x), np.sin(x)):
        d = ad.grad(d)
        assert np.isclose(d(x), expected, rtol=1e-14)


def test_perturbations_are_not_confused():
    """d/dx [x d/dy (x + y)] = 1; an engine that confuses the two levels answers 2."""
    assert ad.grad(lambda x: x * ad.grad(lambda y: x + y)(2.0))(1.0) == 1
    assert ad.grad(lambda x: x * ad.grad(lambda y: x + y)(x))(1.0) == 1
    assert ad.grad(lambda x: x * ad.jvp(lambda y: x * y, (2.0,), (1.0,))[1])(3.0) == 6
    assert ad.grad(lambda x: ad.vjp(lambda y: x * x * y, 2.0)[1](x)[0])(3.0) == 27


def test_a_captured_variable_of_the_outer_level_keeps_its_gradient():
    def inner_minimum(x):
        """One Newton step from 0 on (y - x^2)^2: exactly x^2."""
        def loss(y):
            return (y - x ** 2) ** 2

        return 0.0 - ad.grad(loss)(0.0) / ad.hessian(loss)(0.0)

    assert np.isclose(inner_minimum(3.0), 9) and np.isclose(ad.grad(inner_minimum)(3.0), 6)


def test_transforms_compose_in_every_pair():
    H = A + A.T
    assert np.allclose(ad.jacobian(ad.grad(quadratic))(X), H)
    assert np.allclose(ad.jvp(ad.grad(quadratic), (X,), (V,))[1], H @ V)
    assert np.allclose(ad.vjp(ad.grad(quadratic), X)[1](V)[0], H @ V)
    assert np.allclose(ad.grad(lambda x: ad.jvp(quadratic, (x,), (V,))[1])(X), H @ V)
    assert np.allclose(ad.grad(lambda x: ad.sum(ad.vjp(cubes, x)[1](V)[0]))(X), A.T @ V * 6 * X)
    assert np.allclose(ad.grad(lambda x: ad.sum(ad.jacobian(cubes)(x)))(X), A.sum(0) * 6 * X)
    assert np.allclose(ad.jvp(lambda x: ad.jvp(cubes, (x,), (V,))[1], (X,), (V,))[1], A @ (6 * X * V ** 2))
    assert np.allclose(ad.jacobian(lambda x: ad.hvp(lambda x: ad.sum(x ** 3))(x, V))(X), np.diag(6 * V))


def test_gradients_of_a_loss_with_a_gradient_in_it():
    """The penalty |df/dx|^2 of a network reaches its weights, by a transform and by backward."""
    def penalty(W):
        return ad.sum(ad.grad(lambda x: ad.sum(ad.tanh(W @ x)))(X) ** 2)

    W = ad.Tensor(A, requires_grad=True)
    penalty(W).backward()
    assert np.allclose(W.grad, ad.grad(penalty)(A), rtol=1e-14)
    assert ad.gradcheck(penalty, A, rng=np.random.default_rng(0)) < 1e-6


CAPTURED = {
    "grad": lambda w: ad.grad(lambda x: ad.sum(w * x ** 2))(X),
    "jvp": lambda w: ad.jvp(lambda x: w * x ** 2, (X,), (V,))[1],
    "value_and_grad": lambda w: ad.value_and_grad(lambda x: ad.sum(w * x ** 2))(X)[1],
    "vjp": lambda w: ad.vjp(lambda x: w * x ** 2, X)[1](V)[0],
    "jacobian": lambda w: ad.jacobian(lambda x: w * x ** 2)(X),
    "hessian": lambda w: ad.hessian(lambda x: ad.sum(w * x ** 3))(X),
    "hvp": lambda w: ad.hvp(lambda x: ad.sum(w * x ** 3))(X, V),
    "value of jvp": lambda w: ad.jvp(lambda x: w + x, (X,), (V,))[0],
    "value of vjp": lambda w: ad.vjp(lambda x: w + x, X)[0],
}


@pytest.mark.parametrize("transform", CAPTURED.values(), ids=CAPTURED)
def test_parameters_that_a_function_captures_are_reached(transform):
    """As in a loss that holds the score of a model: the parameters are not among the arguments."""
    w = ad.Tensor(V, requires_grad=True)
    ad.sum(transform(w) ** 2).backward()
    assert np.allclose(w.grad, ad.grad(lambda w: ad.sum(transform(w) ** 2))(V), rtol=1e-13) and w.grad.any()


def test_directions_and_cotangents_on_the_tape_are_reached():
    v, g = ad.Tensor(V, requires_grad=True), ad.Tensor(V, requires_grad=True)
    ad.sum(ad.jvp(cubes, (X,), (v,))[1]).backward()
    ad.sum(ad.vjp(cubes, X)[1](g)[0]).backward()
    J = ad.jacobian(cubes)(X)
    assert np.allclose(v.grad, J.sum(0), rtol=1e-14) and np.allclose(g.grad, J.sum(1), rtol=1e-14)


@pytest.mark.parametrize("transform", CAPTURED.values(), ids=CAPTURED)
def test_under_no_grad_transforms_answer_arrays_and_leave_captured_parameters_alone(transform):
    w = ad.Tensor(V, requires_grad=True)
    with ad.no_grad():
        result = transform(w)
        assert not ad.is_recording()
    assert isinstance(result, np.ndarray) and np.allclose(result, transform(V))
    assert w.grad is None and w.data.flags.writeable


def test_no_grad_inside_a_transform_makes_a_constant():
    def f(x):
        with ad.no_grad():
            slope = ad.grad(lambda y: y ** 3)(x)
        return x * slope

    assert ad.grad(f)(2.0) == 12


def test_a_rule_may_answer_a_plain_array_where_nothing_depends_on_anything():
    rounded = ad.rules.Rule("rounded", np.round, (lambda g, y, x: np.zeros(x.shape),))

    def f(x):
        return ad.sum(x ** 2) + sum(ad.sum(ad.rules.apply(rounded, (x,), {})) for _ in range(2))

    assert np.array_equal(ad.grad(f)(X), 2 * X) and np.array_equal(ad.hessian(f)(X), 2 * np.eye(3))


# ---- errors


@pytest.mark.parametrize("action, error, message", [
    (lambda: ad.grad(cubes)(X), TypeError, r"grad: the function must give a scalar, it gave shape \(3,\)"),
    (lambda: ad.grad(lambda x: {"y": x})(X), TypeError, "grad: the function must give one array, it gave a dict"),
    (lambda: ad.jvp(lambda x: (x, x), (X,), (V,)), TypeError, "jvp: the function must give one array, it gave a tuple"),
    (lambda: ad.vjp(lambda x: [x], X), TypeError, "vjp: the function must give one array, it gave a list"),
    (lambda: ad.grad(quadratic, 1)(X), ValueError, "argnums names argument 1, but only 1 were given"),
    (lambda: ad.grad(quadratic)(np.arange(3)), TypeError, "must be float32 or float64, got int64"),
    (lambda: ad.grad(quadratic)("abc"), TypeError, "must be float32 or float64"),
    (lambda: ad.vjp(cubes, X)[1](np.ones(2)), ValueError, r"vjp: cotangent has shape \(2,\); expected \(3,\)"),
    (lambda: ad.jvp(cubes, (X,), (np.ones(2),)), ValueError, r"jvp: tangent has shape \(2,\); expected \(3,\)"),
    (lambda: ad.jvp(cubes, (X,), ()), ValueError, "jvp: 0 arrays of tangents were given; expected 1"),
    (lambda: ad.hvp(quadratic)(X, np.ones(2)), ValueError, r"hvp: v has shapes \[\(2,\)\]; expected those of x"),
])
def test_clear_errors(action, error, message):
    with pytest.raises(error, match=message):
        action()


# ---- jax


def test_jax_agrees_on_a_network():
    jax = pytest.importorskip("jax", reason="jax is the referee of transforms")
    jax.config.update("jax_enable_x64", True)
    p = {"W": [A, A.T], "b": X}

    def loss(tanh, total):
        return lambda p, x: total(tanh(p["W"][1] @ tanh(p["W"][0] @ x + p["b"])) ** 2)

    ours, theirs = loss(ad.tanh, ad.sum), loss(jax.numpy.tanh, jax.numpy.sum)

    def same(a, b):
        flat = jax.tree.leaves(a), jax.tree.leaves(b)
        assert len(flat[0]) == len(flat[1]) > 0
        assert all(x.shape == y.shape and np.allclose(x, y, rtol=1e-12, atol=1e-14) for x, y in zip(*flat))

    same(ad.grad(ours, (0, 1))(p, V), jax.grad(theirs, (0, 1))(p, V))
    same(ad.hessian(ours)(p, V), jax.hessian(theirs)(p, V))
