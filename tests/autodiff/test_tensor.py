"""The face of a Tensor: NumPy's operators and method names, and how it is printed."""

import numpy as np

from minigen import autodiff as ad

X = np.array([1.0, 2.0, 3.0])


def leaf(data=X):
    """A Tensor that requires a gradient."""
    return ad.Tensor(data, requires_grad=True)


def test_repr_shows_value_precision_and_origin():
    assert repr(leaf([1.0, 2.5])) == "Tensor([1. , 2.5], float64, requires_grad=True)"
    assert repr(ad.exp(leaf([0.0]))) == "Tensor([1.], float64, from exp)"
    assert repr(ad.Tensor(np.float32(3))) == "Tensor(3., float32)"


def test_properties_operators_and_methods_are_those_of_numpy():
    a = np.arange(6.0).reshape(2, 3) + 1
    t = leaf(a)
    assert (t.shape, t.ndim, t.size, len(t), t.dtype) == ((2, 3), 2, 6, 2, np.float64)
    assert leaf(2.5).item() == float(leaf(2.5)) == 2.5 and bool(leaf(1.0))
    for name, f in {
        "+": lambda x: 1 + x + 2, "-": lambda x: 1 - x - 2, "*": lambda x: 2 * x * 3, "/": lambda x: 1 / x / 2,
        "**": lambda x: 2 ** (x ** 2), "@": lambda x: x @ x.T, "array @": lambda x: np.ones((4, 2)) @ x,
        "array op": lambda x: a - x / a, "+x": lambda x: +x, "-x": lambda x: -x, "abs": abs, "T": lambda x: x.T,
        "reshape": lambda x: x.reshape(3, 2) + x.reshape((3, -1)), "flatten": lambda x: x.flatten(),
        "transpose": lambda x: x.transpose() + x.transpose(1, 0) + x.transpose((1, 0)),
        "sum": lambda x: x.sum(), "sum axis": lambda x: x.sum(0) + x.sum(axis=-2),
        "mean": lambda x: x.mean(1, keepdims=True), "max": lambda x: x.max(axis=1), "min": lambda x: x.min(),
        "prod": lambda x: x.prod(0), "var": lambda x: x.var(),
        "cumsum": lambda x: x.cumsum(1), "squeeze": lambda x: x[:1].squeeze(), "swapaxes": lambda x: x.swapaxes(0, 1),
        "repeat": lambda x: x.repeat(2, 1), "clip": lambda x: x.clip(2, 4), "index": lambda x: x[1, ::-1],
        "rows": lambda x: sum(row * i for i, row in enumerate(x)),
    }.items():
        ours, numpys = f(t), f(a)
        assert isinstance(ours, ad.Tensor) and ours.requires_grad, name
        assert np.allclose(ours.data, numpys, rtol=1e-15, atol=0) and ours.shape == numpys.shape, name
    for compare in (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal):
        symbol = {"less": "__lt__", "less_equal": "__le__", "greater": "__gt__", "greater_equal": "__ge__",
                  "equal": "__eq__", "not_equal": "__ne__"}[compare.__name__]
        assert np.array_equal(getattr(t, symbol)(3.0), compare(a, 3.0))


def test_numpy_takes_a_tensor_that_is_not_on_the_tape():
    assert np.array_equal(np.asarray(ad.Tensor(X)), X) and np.array_equal(np.asarray(leaf().detach()), X)
    assert np.asarray(ad.Tensor(X), dtype=np.float32).dtype == np.float32
