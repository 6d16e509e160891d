"""A `Stream` is a Generator: same arguments, same errors, and a key and a counter that tell all it will ever draw."""

import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigen.kernels import reference_random as twins
from minigen.kernels.stream import Philox2x32, Stream
from minigen.training.checkpoints import decode_generator, encode_generator

METHODS = sorted(name for name in dir(np.random.Generator) if not name.startswith("_") and name != "bit_generator")
CALLS = {
    "random": lambda s: s.random((3, 5)), "random, single": lambda s: s.random(7, dtype=np.float32),
    "standard_normal": lambda s: s.standard_normal((3, 5)), "one": lambda s: s.standard_normal(),
    "normal": lambda s: s.normal(1, 2, size=4), "uniform": lambda s: s.uniform(-1, 1), "bytes": lambda s: s.bytes(5),
    "integers": lambda s: s.integers(1000, size=9), "choice": lambda s: s.choice(5, 3, replace=False),
    "permutation": lambda s: s.permutation(20), "laplace": lambda s: s.laplace(size=3),
    "multivariate_normal": lambda s: s.multivariate_normal([0, 0], np.eye(2)),
    "spawn": lambda s: s.spawn(2)[1].random(3), "poisson": lambda s: s.poisson([1, 100]),
}


def stream(seed=0):
    return Stream(np.random.default_rng(seed))


def test_a_stream_is_a_generator_and_keyed_by_the_one_handed_in():
    assert isinstance(stream(), np.random.Generator)
    assert np.array_equal(stream(1).random(9), stream(1).random(9))
    assert not np.isin(stream(1).random(9), stream(2).random(9)).any()
    rng = np.random.default_rng(0)
    assert Stream(rng).bit_generator.state != Stream(rng).bit_generator.state
    assert stream().bit_generator.state["counter"] % 2**32 == 0
    for wrong in (0, None, np.random.RandomState(0)):
        with pytest.raises(TypeError, match="Stream: rng is .*; expected a numpy.random.Generator"):
            Stream(wrong)


@pytest.mark.parametrize("dtype, uniform, normal", [
    (np.float32, twins.uniforms, twins.normals), (np.float64, twins.uniforms64, twins.normals64)])
def test_numbers_are_those_of_the_kernels_one_draw_behind_the_other(dtype, uniform, normal):
    s = stream()
    key, counter = s.bit_generator.key, s.bit_generator.counter
    parts = [s.random((2, 3), dtype=dtype), s.random(5, dtype=dtype), s.random(4, dtype=dtype)]
    for start, part in zip([0, 3, 6] if dtype == np.float32 else [0, 6, 12], parts):
        out = np.empty(part.shape, dtype)
        uniform(key, counter + start, out.reshape(-1))
        assert part.dtype == dtype and np.array_equal(out, part)
    counter, z, out = s.bit_generator.counter, s.standard_normal((4, 2), dtype), np.empty((4, 2), dtype)
    normal(key, counter, out.reshape(-1))
    assert np.array_equal(z, out)


@pytest.mark.parametrize("name", ["random", "standard_normal"])
def test_arguments_and_errors_are_those_of_numpy(name):
    ours, numpys = getattr(stream(), name), getattr(np.random.default_rng(0), name)
    out, large = np.empty((2, 3), np.float32), np.empty(4)
    for kwargs in ({}, {"size": None}, {"size": 3}, {"size": (2, 0)}, {"size": ()}, {"size": np.int64(2)},
                   {"dtype": np.float32}, {"dtype": "f", "size": 2}, {"out": out, "dtype": np.float32}, {"out": large},
                   {"out": large, "size": 4}, {"size": (2, 3), "out": out, "dtype": np.float32}):
        a, b = ours(**kwargs), numpys(**kwargs)
        assert type(a) is type(b) and np.shape(a) == np.shape(b), kwargs
        assert "out" not in kwargs or a is kwargs["out"]
    assert 1 < len(np.unique(out))
    for kwargs in ({"dtype": int}, {"dtype": np.float16}, {"out": out}, {"out": [1.0]}, {"out": large, "size": 5},
                   {"size": -1}, {"size": 2.5}, {"out": np.empty((4, 4))[:, 0]}, {"out": np.broadcast_to(1.0, 3)}):
        with pytest.raises((TypeError, ValueError)):
            numpys(**kwargs)
        with pytest.raises((TypeError, ValueError)):
            ours(**kwargs)
    with pytest.raises(TypeError, match=f"{name}: dtype is int64; expected float32 or float64"):
        ours(3, np.int64)


def test_a_draw_that_is_refused_takes_nothing():
    s = stream()
    before = s.bit_generator.state
    for kwargs in ({"dtype": int}, {"out": np.empty(3, int)}, {"size": -1}):
        with pytest.raises((TypeError, ValueError)):
            s.random(**kwargs)
    assert s.bit_generator.state == before


@pytest.mark.parametrize("name", METHODS)
def test_no_method_is_left_that_would_draw_from_elsewhere(name):
    assert name in vars(Stream)


@pytest.mark.parametrize("name", CALLS)
def test_key_and_counter_are_all_there_is(name):
    s = stream()
    s.random(3)
    state = json.loads(json.dumps(s.bit_generator.state))
    copies = [copy.copy(s), copy.deepcopy(s), pickle.loads(pickle.dumps(s))]
    first, second = CALLS[name](s), CALLS[name](s)
    assert s.bit_generator.counter > state["counter"]
    assert name in ("one", "uniform") or len(np.atleast_1d(first)) and not np.array_equal(first, second)
    other = stream(99)
    other.bit_generator.state = state
    for s in (*copies, other):
        assert np.array_equal(CALLS[name](s), first) and np.array_equal(CALLS[name](s), second)


def test_a_copy_goes_its_own_way():
    s = stream()
    t = copy.copy(s)
    s.random(10)
    assert t.bit_generator.counter + 10 == s.bit_generator.counter
    assert repr(t) == str(t) and "counter=0x" in repr(t) and repr(s) != repr(t)


def test_shuffling_in_place():
    x, y, s = np.arange(50), np.arange(50), stream()
    s.shuffle(x)
    s.shuffle(y)
    assert sorted(x) == list(range(50)) and not np.array_equal(x, y)


def test_checkpoints_keep_a_stream():
    s, t = stream(), stream(1)
    s.random(5)
    decode_generator(encode_generator(s), t)
    assert np.array_equal(s.random(9), t.random(9))
    with pytest.raises(ValueError, match="PCG64"):
        decode_generator(encode_generator(np.random.default_rng(0)), t)
    with pytest.raises(ValueError, match="Philox2x32"):
        decode_generator(encode_generator(s), np.random.default_rng(0))


@pytest.mark.parametrize("change, said", [
    ({"bit_generator": "PCG64"}, "state is of a PCG64; expected Philox2x32"),
    ({"key": 2**32}, "key is 4294967296; expected 0 <= key < 2\\^32"),
    ({"counter": -1}, "counter is -1; expected 0 <= counter < 2\\^64"),
])
def test_a_state_that_cannot_be_is_refused(change, said):
    place = Philox2x32(1, 2)
    with pytest.raises(ValueError, match=said):
        place.state = place.state | change
    assert place.state == {"bit_generator": "Philox2x32", "key": 1, "counter": 2}


def test_the_counter_goes_round():
    s = stream()
    s.bit_generator.state = {"bit_generator": "Philox2x32", "key": 7, "counter": 2**64 - 2}
    u = s.random(8, dtype=np.float32)
    assert s.bit_generator.counter == 2
    out = np.empty(4, np.float32)
    twins.uniforms(7, 0, out)
    assert np.array_equal(u[4:], out)


def test_threads_never_share_a_block():
    s, taken = stream(), []
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: taken.extend(int(s.take(3)[1]) for _ in range(3000)))
                   for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(old)
    assert len(taken) == 12000 and len(set(taken)) == 12000
    assert s.bit_generator.counter == stream().bit_generator.counter + 36000


SCRIPT = """
import hashlib
import numpy as np
from minigen.kernels.stream import Stream
s, h = Stream(np.random.default_rng(5)), hashlib.sha256()
for _ in range(2):
    for dtype in (np.float32, np.float64):
        for n in (1, 7, 1000):
            h.update(s.random(n, dtype=dtype).tobytes() + s.standard_normal(n, dtype=dtype).tobytes())
    h.update(s.integers(2**60, size=5).tobytes())
print(h.hexdigest(), s)
"""


@pytest.mark.parametrize("setting", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_NUM_THREADS": "2"}])
def test_bits_are_the_same_interpreted_and_for_any_number_of_threads(setting, capsys):
    exec(SCRIPT, {})
    run = subprocess.run([sys.executable, "-c", SCRIPT], env={**os.environ, **setting}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == capsys.readouterr().out


def test_every_public_signature_is_kept():
    for name in ("random", "standard_normal"):
        assert list(inspect.signature(getattr(Stream, name)).parameters) == ["self", "size", "dtype", "out"]
