"""What cannot be recorded is refused in one sentence that says which operation asked for what, and changes nothing."""

import copy
import math

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.autodiff import tensor as tape
from minigen.record import RecordError, record

pytestmark = pytest.mark.usefixtures("interpreted_loops")

X = np.linspace(-1, 2, 6).reshape(2, 3)
OUTSIDE = np.zeros((2, 3))
WEIGHT = ad.Tensor(np.ones(3), requires_grad=True)


def change(x, key, new):
    """x[key] = new"""
    x[key] = new
    return x


def added(x, y):
    """x += y"""
    x += y
    return x


def and_then(function):
    """A change of an array of the function's own, and what it became."""
    def changed(x):
        y = x * 2
        function(y)
        return y + 1

    return changed


def view_first(x):
    y = x * 2
    z = y[0]
    y += 1
    return y + z


def backward(x):
    loss = ad.sum(WEIGHT * x)
    loss.backward()
    return loss


def tensor_branch(x):
    y = ad.sum(WEIGHT * x)
    return y if ad.value(y) > 0 else -y


INSIDE = record(lambda x: x * 2)
LOOKS = {
    "if": (lambda x: x if x.sum() > 0 else -x, "an if, and or while on a recorded array chooses a way by its value"),
    "if on a Tensor": (tensor_branch, "an if, and or while on a recorded array"),
    "bool of a Tensor": (lambda x: 1 if ad.sum(WEIGHT * x) else 2, "an if, and or while on a recorded array"),
    "if on array_equal": (lambda x: x if np.array_equal(x, x) else -x, "an if, and or while on a recorded array"),
    "float": (lambda x: x * float(x.sum()), "float() takes the number of a recorded array out of the program"),
    "float of a Tensor": (lambda x: float(ad.sum(WEIGHT * x)), "float() takes the number"),
    "int": (lambda x: x * int(x.sum()), "takes the number of a recorded array out of the program"),
    "range": (lambda x: list(range(x[0, 0])), "takes the number of a recorded array out of the program"),
    "math": (lambda x: math.exp(x[0, 0]), "float() takes the number"),
    "item": (lambda x: x * x.sum().item(), "takes the number of a recorded array out of the program"),
    "item of a Tensor": (lambda x: ad.sum(WEIGHT * x).item(), "takes the number of a recorded array"),
    "tolist": (lambda x: x.tolist(), "takes the number of a recorded array out of the program"),
    "asarray": (lambda x: np.asarray(x) * 2, "np.asarray or the like takes the numbers of a recorded array"),
    "an index of a plain array": (lambda x: OUTSIDE[x.astype(int)], "np.asarray or the like takes the numbers"),
    "sorted": (lambda x: sorted(x[0]), "an if, and or while on a recorded array"),
    "method without a form": (lambda x: x.cumsum(), "x.cumsum has no recorded form"),
}
UNKNOWN_SHAPES = {
    "mask": (lambda x: x[x > 0], "x[mask] has a shape that depends on values"),
    "mask in a tuple": (lambda x: x[0, x[0] > 0], "x[mask] has a shape that depends on values"),
    "nonzero": (lambda x: np.nonzero(x)[0], "np.nonzero has a shape that depends on values"),
    "where": (lambda x: np.where(x > 0)[0], "np.where has a shape that depends on values"),
    "unique": (lambda x: np.unique(x), "np.unique has a shape that depends on values"),
}
CHANGES = {
    "argument += 1": (lambda x: added(x, 1), "a change in place would reach an array that others look at"),
    "argument[...] = 1": (lambda x: change(x, ..., 1), "a change in place would reach an array that others look at"),
    "argument[0] = 1": (lambda x: change(x, 0, 1), "x[key] = y changes a part of an array"),
    "part of an own array": (and_then(lambda y: change(y, 0, 1)), "x[key] = y changes a part of an array"),
    "view": (and_then(lambda y: added(y[0], 1)), "a change in place would reach an array that others look at"),
    "array with a view": (view_first, "a change in place would reach an array that others look at"),
    "parameter": (lambda x: added(ad.value(WEIGHT), 1), "a change in place would reach an array that others look at"),
    "parameter.data": (lambda x: (WEIGHT * x, added(WEIGHT.data, 1)), "a change in place would reach an array"),
    "out=": (lambda x: np.add(x, 1, out=OUTSIDE), "np.add with out= writes into an array that is not recorded"),
    "out= of a function": (lambda x: np.dot(x, np.eye(3), out=OUTSIDE), "np.dot with out= writes into an array"),
    "out= of a sum": (lambda x: np.sum(x, axis=0, out=OUTSIDE[0]), "np.add.reduce with out= writes into an array"),
    "outside[...] = x": (lambda x: change(OUTSIDE, ..., x), "np.asarray or the like takes the numbers"),
    "outside += x": (lambda x: added(OUTSIDE, x), "np.add with out= writes into an array that is not recorded"),
    "ufunc.at": (and_then(lambda y: np.add.at(y, 0, 1)), "np.add.at changes single numbers"),
    "where=": (lambda x: np.add(x, 1, where=x > 0), "np.add with where= changes single numbers"),
    **{f.__name__: (and_then(lambda y, f=f, args=args: f(y, *args)), f"np.{f.__name__} changes a part of an array")
       for f, args in [(np.copyto, [5]), (np.put, [[0], 5]), (np.putmask, [True, 5]), (np.place, [True, 5]),
                       (np.fill_diagonal, [0]), (np.put_along_axis, [np.zeros((2, 1), int), 5, 1])]},
    "nothing": (lambda x: ad.recordable.whole(lambda x, scratch: None, x), "<lambda> answers NoneType; only"),
    "text": (lambda x: np.array2string(x), "array2string answers str; only functions that answer arrays"),
    "backward": (backward, "the function leaves a gradient in .grad of a Tensor"),
    "a recorded function": (lambda x: INSIDE(x) + 1, "a function that is being recorded called another recorded"),
}


@pytest.mark.parametrize("name", [*LOOKS, *UNKNOWN_SHAPES, *CHANGES])
def test_refused_in_one_sentence_and_nothing_changed(name):
    function, sentence = (LOOKS | UNKNOWN_SHAPES | CHANGES)[name]
    before, x = copy.deepcopy((OUTSIDE, WEIGHT.data)), X.copy()
    array, gradient = WEIGHT.data, WEIGHT.grad
    recorded = record(function)
    with pytest.raises(RecordError) as error:
        recorded(x)
    text = str(error.value)
    assert text.startswith("record: ") and sentence in text and "\n" not in text
    assert tape.recorder is None and not recorded.programs
    assert WEIGHT.data is array and type(array) is np.ndarray and array.flags.writeable and WEIGHT.grad is gradient
    assert np.array_equal(OUTSIDE, before[0]) and np.array_equal(array, before[1]) and np.array_equal(x, X)


def test_a_refusal_says_what_to_do_and_where_it_happened():
    with pytest.raises(RecordError, match=r"a float64 array of shape \(\), made by 'add.reduce'.*where\(condition"):
        record(lambda x: x * float(x.sum()))(X)


class Changing:
    """Functions that compute something in Python that is another thing in every call."""

    def __init__(self):
        self.n, self.rng = 0, np.random.default_rng(0)

    def count(self):
        self.n += 1
        return self.n

    ways = {
        "counter": (lambda self, x: x * self.count(), "argument 1 of multiply .* was 1, then 2"),
        "counter in an array": (lambda self, x: x * np.full(3, self.count()), "an array of shape (3,) was computed"),
        "captured generator": (lambda self, x: x + self.rng.normal(size=3), "an array of shape (3,) was computed"),
        "number of operations": (lambda self, x: sum([x] * self.count(), x), "there were 2 operations, then 3"),
        "another operation": (lambda self, x: np.exp(x) if self.count() % 2 else np.sin(x), "was exp, then sin"),
        "another axis": (lambda self, x: x.sum(self.count() % 2), "argument 1 of add.reduce"),
        "another key": (lambda self, x: x[self.count() % 2], "argument 1 of getitem"),
        "another result": (lambda self, x: (x + 1, x + 2)[self.count() % 2], "they hand back other results"),
        "more results": (lambda self, x: [x + 1] * self.count(), "they hand back other results"),
        "a result of Python": (lambda self, x: (x, self.count()), "an array of shape () was computed"),
    }


@pytest.mark.parametrize("way", Changing.ways)
def test_what_changes_in_python_is_found_by_recording_twice(way):
    function, message = Changing.ways[way]
    state = Changing()
    with pytest.raises(RecordError, match="two recordings of the same call differ") as error:
        record(lambda x: function(state, x))(X)
    pieces = message.split(" .* ")
    assert all(piece in str(error.value) for piece in pieces)


GENERATORS = {
    "shuffle": (lambda x, rng: rng.shuffle(x), "rng.shuffle has no recorded form"),
    "spawn": (lambda x, rng: rng.spawn(2)[0].random(3), "rng.spawn has no recorded form"),
    "bit_generator": (lambda x, rng: x * rng.bit_generator.random_raw(), "rng.bit_generator has no recorded form"),
    "a generator on the same bits": (lambda x, rng: np.random.Generator(rng.bit_generator).random(3), "bit_generator"),
    "copy": (lambda x, rng: copy.deepcopy(rng).random(3), "rng.copy has no recorded form"),
    "out=": (lambda x, rng: rng.random(out=OUTSIDE), "rng.random with out= has no recorded form"),
    "number of draws": (lambda x, rng: rng.random(rng.integers(5)), "rng.random of a size that was computed has no"),
    "draws, then refused": (lambda x, rng: float(rng.random(3)[0]), "float() takes the number"),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_refusal_leaves_the_generator_where_it_stood(name):
    function, sentence = GENERATORS[name]
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    rng.integers(10, dtype=np.uint32), same.integers(10, dtype=np.uint32)  # half of a 64-bit word is left
    with pytest.raises(RecordError) as error:
        record(function)(X, rng)
    assert sentence in str(error.value) and rng.bit_generator.state == same.bit_generator.state
    assert not OUTSIDE.any()


def test_an_error_of_the_function_is_the_functions_and_leaves_everything_as_it_was():
    rng, same = np.random.default_rng(3), np.random.default_rng(3)

    def failing(x, rng):
        y = WEIGHT * x + rng.random(3)
        raise KeyError("mine") if y.shape == (2, 3) else AssertionError

    with pytest.raises(KeyError, match="mine"):
        record(failing)(X, rng)
    assert tape.recorder is None and type(WEIGHT.data) is np.ndarray
    assert rng.bit_generator.state == same.bit_generator.state


def test_a_shape_that_turns_out_to_depend_on_values_stops_the_replay():
    def positive(x, scratch):
        return np.repeat(x, (x > 0).sum())

    recorded = record(lambda x: ad.recordable.whole(positive, x))
    assert recorded(np.array([1.0, -1.0])).shape == (2,)
    with pytest.raises(RecordError, match=r"replay: positive answered an array of shape \(4,\), but \(2,\) when"):
        recorded(np.array([1.0, 1.0]))


def test_own_arrays_may_be_changed():
    def allowed(x):
        y = x * 2
        y += 1
        z = np.exp(x)
        np.multiply(z, y, out=z)
        z[...] = z - x
        y[:] = 3
        y *= x[0]
        return y, z

    recorded = record(allowed)
    for x in (X, X + 1):
        for a, b in zip(recorded(x), allowed(x)):
            np.testing.assert_allclose(a, b, rtol=1e-14)


def test_names_of_one_array_and_of_two_are_kept_apart():
    def named(x):
        y, s = x * 2, x.sum()
        same, copies, number = y, [+y, y.copy(), y.astype(np.float64), np.abs(y)], s
        again, wide = x * 2, x + np.broadcast_to(s, 3)
        y += 1
        s += 1
        return y, same, copies, again, s, number, wide

    for a, b in zip(ad.containers.leaves(record(named)(X)), ad.containers.leaves(named(X))):
        np.testing.assert_allclose(a, b, rtol=1e-14)
