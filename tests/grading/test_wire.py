"""What crosses the pipe comes back as it was; what is not plain, or malformed, is refused."""
import json

import numpy as np
import pytest

from minigen.grading import wire


def there_and_back(value, **options):
    """Through JSON text."""
    return wire.decode(json.loads(json.dumps(wire.encode(value))), **options)


@pytest.mark.parametrize("value", [
    None, True, 3, -2.5, "text", 10**30, float("inf"), float("-inf"), [1, [2.0, "x"]], (1, (True,)), {"a": (1, 2)}])
def test_plain_values(value):
    back = there_and_back(value)
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize("array", [
    np.arange(6.0).reshape(2, 3), np.arange(6).reshape(3, 2).T, np.zeros((0, 4)), np.array(2.5),
    np.array([True, False]), np.arange(3, dtype=np.float32), np.arange(4.0)[::2]])
def test_arrays(array):
    back = there_and_back(array)
    assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)
    assert back.flags.writeable


def test_kinds_of_numbers_are_kept():
    assert np.isnan(there_and_back(float("nan")))
    assert type(there_and_back(np.float64(0.5))) is float and type(there_and_back(np.int32(4))) is int
    assert there_and_back(np.arange(3, dtype=np.uint8)).dtype == np.int64
    assert there_and_back(np.array([0.5], dtype=np.longdouble)).dtype == np.float64
    assert there_and_back(np.array([1.0], dtype=">f8")).dtype == np.float64


def test_subclasses_arrive_as_bare_numbers():
    class Loud(np.ndarray):
        """Lies."""
        def __eq__(self, other):
            return True

    assert type(there_and_back(np.zeros(2).view(Loud))) is np.ndarray


def test_a_seed_becomes_a_generator_only_on_the_way_in():
    message = wire.encode(wire.Seed(7))
    assert wire.decode(message, seeds=True).random() == np.random.default_rng(7).random()
    with pytest.raises(ValueError, match="malformed"):
        wire.decode(message)


@pytest.mark.parametrize("value", [object(), print, 1j, np.array(["a"]), np.array([None]), {1, 2}, b"bytes"])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(TypeError, match="is not a number"):
        wire.encode(value)


def test_too_much_is_refused():
    with pytest.raises(ValueError, match="at most"):
        wire.encode(np.zeros(wire.ARRAY_LIMIT // 8 + 1))
    with pytest.raises(ValueError, match="at most"):
        wire.encode(np.broadcast_to(0.0, (1 << 40,)))
    assert wire.encode(np.zeros(wire.ARRAY_LIMIT // 8))


@pytest.mark.parametrize("data", [
    {"array": ["<f8", [3], "AAAA"]}, {"array": ["|O8", [1], ""]}, {"array": ["<f8", [-1], ""]}, {"array": 3},
    {"array": ["<f8", ["1"], "AAAAAAAAAAA="]}, {"array": ["<f8", [1], "***"]}, {"float": "1"}, {"pickle": "x"}, {},
    {"tuple": 3}, {"dict": []}, {"tuple": [], "dict": {}}])
def test_malformed_messages_are_refused(data):
    with pytest.raises(ValueError, match="malformed"):
        wire.decode(data)
