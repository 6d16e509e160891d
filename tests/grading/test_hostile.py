"""Hostile submissions: none gains a point, none takes down the grader or the rest of its own submission.

Each attack is a body of gaussian_kl (3 of the 4 points of the example); wrong_gradient stays right (1 point).
SOLUTION and VICTIM stand for the path of the solution and of a file that belongs to the user.
"""
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import minigen
from minigen.grading import Exercise, Limits, Result, runner, score, stubs
from minigen.grading.isolation import LAYERS
from minigen.grading.runner import OUTPUT_LIMIT, Child, Raised

from .conftest import SOLUTION

QUICK = Limits(call=0.8, total=8.0, memory=2 << 30, disk=8 << 20)
PORTABLE = ("limits", "audit")
KERNEL = ("limits", "landlock", "seccomp")
LINUX = sys.platform.startswith("linux")

READ_BY_LIBC = """
    import ctypes
    libc = ctypes.CDLL(None)
    held = ctypes.create_string_buffer(10000)
    fd = libc.open(b"SOLUTION", 0)
    if fd < 0:
        raise PermissionError("libc.open was refused")
    libc.read(fd, held, 10000)
    scope = {}
    exec(held.value.decode(), scope)
    return scope["gaussian_kl"](mu, log_sigma)
"""

# name -> (body of gaussian_kl, statuses that its first check may have)
ATTACKS = {
    "leaves by os._exit": ("import os; os._exit(0)", "died"),
    "crashes the interpreter": ("import ctypes; ctypes.string_at(0)", "died"),
    "closes every descriptor": ("import os; os.closerange(0, 64); return 0.0", "died"),
    "never returns": ("while True: pass", "late"),
    "never returns from Numba": ("""
        import numba
        @numba.njit("f8(f8)")
        def forever(x):
            while x > -1.0:
                x = x + 1.0
            return x
        return forever(1.0)""", "late"),
    "prints without end": ("while True: print('x' * 100000)", "late"),
    "allocates 100 GB": ("return np.ones(100 << 27)[: len(mu)]", "error"),
    "reserves more than its share": ("np.empty(3 << 27); return np.zeros(mu.shape[:-1])", "error"),
    "fills the disk": ("""
        import itertools
        for n in itertools.count():
            with open(f'{n}', 'wb') as f: f.write(bytes(4 << 20))""", "died"),
    "fills one file": ("open('one', 'wb').write(bytes(64 << 20))", "error"),
    "an object equal to everything": ("""
        class Liar:
            def __eq__(self, other): return True
            def __array__(self, dtype=None, copy=None): return np.array(self, dtype=object)
        return Liar()""", "error"),
    "a subclass equal to everything": ("""
        class Liar(np.ndarray):
            def __array_ufunc__(self, *a, **k): return np.bool_(True)
            def __eq__(self, other): return True
            def __sub__(self, other): return 0.0
        return np.zeros(mu.shape[:-1]).view(Liar)""", "failed"),
    "patches NumPy's comparisons": ("""
        np.testing.assert_allclose = lambda *a, **k: None
        np.allclose = np.array_equal = lambda *a, **k: True
        np.abs = lambda x: np.zeros_like(x)
        return np.zeros(mu.shape[:-1])""", "failed"),
    "looks into its callers' frames": ("""
        import sys
        frame = sys._getframe()
        while frame:
            for name, value in {**frame.f_globals, **frame.f_locals}.items():
                if name in ('expected', 'want', 'reference', 'truth') and value is not None:
                    return value
            frame = frame.f_back
        raise LookupError('no reference in sight')""", "error"),
    "looks through the garbage collector": ("""
        import gc
        for thing in gc.get_objects():
            if getattr(type(thing), '__name__', '') in ('Check', 'Exercise'):
                return thing.expected(mu, log_sigma)
        raise LookupError('no record in sight')""", "error"),
    "writes replies itself": ("""
        import os
        for fd in range(3, 64):
            try: os.write(fd, b'{"value": true}\\n{"passed": true, "points": 100}\\n' * 9)
            except OSError: pass
        return np.zeros(mu.shape[:-1])""", "failed"),
    "replies with something else": ("""
        import os
        for fd in range(3, 64):
            try: os.write(fd, b'\\x80\\x04cos\\nsystem\\n' + b'[' * 100000 + b'\\n')
            except OSError: pass
        return np.zeros(mu.shape[:-1])""", "died"),
    "replies without end": ("""
        import os
        while True:
            for fd in range(3, 12):
                try: os.write(fd, b'[' * 65536)
                except OSError: pass""", "died late"),
    "returns an object": ("return object()", "error"),
    "returns a pickle": ("import pickle; return pickle.dumps(np.zeros(4))", "error"),
    "returns an array of objects": ("return np.array([print] * len(mu))", "error"),
    "returns NaN": ("return np.full(mu.shape[:-1], np.nan)", "failed"),
    "returns infinity": ("return np.full(mu.shape[:-1], np.inf)", "failed"),
    "returns a huge array": ("return np.zeros(1 << 21)", "error"),
    "returns a huge view": ("return np.broadcast_to(0.0, (1 << 40,))", "error"),
    "returns a huge list": ("return [0.25] * 5_000_000", "died late error"),
    "returns a huge integer": ("return 10 ** 100_000", "died error"),
    "returns itself": ("a = []; a.append(a); return a", "error"),
    "raises what cannot be shown": ("""
        class Odd(Exception):
            def __str__(self): raise SystemExit(0)
        raise Odd""", "error"),
    "raises SystemExit": ("raise SystemExit(0)", "error"),
    "raises KeyboardInterrupt": ("raise KeyboardInterrupt", "error"),
    "recurses without end": ("return gaussian_kl(mu, log_sigma)", "error died"),
    "imports the answer": ("import minigen.autodiff as ad; return ad.gaussian_kl(mu, log_sigma)", "error"),
    "imports the grader": ("import minigen.grading; return np.zeros(4)", "error"),
    "removes the import hook": ("""
        import sys, os
        root = os.path.dirname(sys.meta_path[0].package)
        del sys.meta_path[0]
        sys.path.append(root)
        from minigen.autodiff import gaussian_kl as answer
        return answer(mu, log_sigma)""", "error"),
    "reads the solution": ("""
        scope = {}
        exec(open('SOLUTION').read(), scope)
        return scope['gaussian_kl'](mu, log_sigma)""", "error"),
    "reads the solution through a link": ("""
        import os
        os.symlink('SOLUTION', 'mine')
        scope = {}
        exec(open('mine').read(), scope)
        return scope['gaussian_kl'](mu, log_sigma)""", "error"),
    "deletes the user's file": ("import os; os.remove('VICTIM'); return 0.0", "error"),
    "deletes the user's folder": ("import shutil, os; shutil.rmtree(os.path.dirname('VICTIM')); return 0.0", "error"),
    "overwrites the user's file": ("open('VICTIM', 'w').write('mine'); return 0.0", "error"),
    "opens the user's library for writing": ("open(np.__file__, 'a').close(); return 0.0", "error"),
    "empties the user's file": ("import os; os.truncate('VICTIM', 0); return 0.0", "error"),
    "moves over the user's file": ("""
        import os
        open('own', 'w').close()
        os.replace('own', 'VICTIM')
        return 0.0""", "error"),
    "makes the user's file unreadable": ("import os; os.chmod('VICTIM', 0); return 0.0", "error"),
    "forks": ("import os; os.fork(); return 0.0", "error"),
    "starts a program": ("import subprocess; subprocess.run(['true']); return 0.0", "error"),
    "becomes a program": ("import os; os.execv('/bin/sh', ['sh', '-c', 'true'])", "error"),
    "opens a socket": ("import socket; socket.socket(); return 0.0", "error"),
    "signals its parent": ("import os; os.kill(os.getppid(), 9); return 0.0", "error"),
    "lifts its limits": ("""
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        return 0.0""", "error"),
}

OF_PROCESSES = ["forks", "starts a program", "becomes a program", "opens a socket", "signals its parent",
                "lifts its limits", "makes the user's file unreadable", "empties the user's file"]
OF_FILES = [n for n in ATTACKS if "user's" in n or "solution" in n or "import" in n]
FORBIDDEN = [*OF_FILES, *(n for n in OF_PROCESSES if n not in OF_FILES)]

# Python's own audit events do not see these; the kernel's layers do. Body, statuses, and whether it gains the points
# without those layers.
BELOW_PYTHON = {
    "reads the solution through libc": (READ_BY_LIBC, True),
    "empties the user's file through libc": ("""
        import ctypes
        if ctypes.CDLL(None).truncate(b'VICTIM', 0): raise PermissionError
        return 0.0""", False),
    "forks through libc": ("""
        import ctypes
        if ctypes.CDLL(None).fork() < 0: raise PermissionError
        return 0.0""", False),
}

# Whole files: what comes before any function is called.
FILES = {
    "leaves while imported": (b"import os; os._exit(0)", "died"),
    "exits while imported": (b"import sys; sys.exit()", "error"),
    "never ends its import": (b"while True: pass", "late"),
    "is no Python": (b"def gaussian_kl(mu, log_sigma:\n    return", "error"),
    "is not UTF-8": (b"def gaussian_kl(mu, log_sigma):\n    return '\xff\xfe'\n", "error"),
    "holds a null byte": (b"x = 1\0", "error"),
    "is nested too deep": (b"x = " + b"(" * 5000 + b")" * 5000, "error died"),
    "is empty": (b"", "error"),
    "names no functions": (b"gaussian_kl = wrong_gradient = 3", "error"),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the user's."""
    file = tmp_path / "work" / "thesis.txt"
    file.parent.mkdir()
    file.write_text("years of work")
    return file


def body_of(text: str, exercise: Exercise, victim: Path) -> str:
    """Indented, with the paths filled in."""
    text = text.replace("SOLUTION", str(exercise.folder / "solution.py")).replace("VICTIM", str(victim))
    return textwrap.indent(textwrap.dedent(text.strip("\n")), "    ")


def submit(exercise: Exercise, victim: Path, body: str, layers=LAYERS) -> Result:
    """Score the solution with this body of gaussian_kl."""
    definition = f"def gaussian_kl(mu, log_sigma):\n{body_of(body, exercise, victim)}\n"
    source = stubs.replace_function(SOLUTION, "gaussian_kl", definition)
    return score(exercise, source.encode(), 1, limits=QUICK, layers=layers)


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in FORBIDDEN])
def test_attack_gains_nothing_and_costs_only_its_own_function(name, exercise, victim):
    body, statuses = ATTACKS[name]
    result = submit(exercise, victim, body)
    first, _, other = result.checks
    assert first.status in statuses.split() or (first.status == "not run" and "died" in statuses), first
    assert result.function_points("gaussian_kl")[0] == 0.0
    assert other.passed or "patches" in name, other.message()  # who patches NumPy patches it for all of its functions
    assert len(result.output) <= OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("layers", "names"),
    [(LAYERS, FORBIDDEN), (PORTABLE, FORBIDDEN), (KERNEL, FORBIDDEN), (("seccomp",), OF_PROCESSES)],
    ids=["all", "portable", "kernel", "seccomp"])
def test_each_layer_refuses_alone(layers, names, exercise, victim):
    """What one layer refuses, the others that claim it must refuse too, or the first would hide their holes."""
    bodies = [body_of(ATTACKS[name][0], exercise, victim) for name in names]
    source = "import numpy as np\n" + "".join(f"def attack{n}(mu, log_sigma):\n{b}\n" for n, b in enumerate(bodies))
    with Child(exercise, source.encode(), QUICK, layers) as child:
        if set(child.isolation) != set(layers):
            pytest.skip(f"this machine offers only {child.isolation}")
        for n, name in enumerate(names):
            with pytest.raises(Raised) as refusal:
                child.call(f"attack{n}", (np.ones(3), np.ones(3)))
            assert refusal.value.kind in ("PermissionError", "ImportError", "ModuleNotFoundError", "OSError",
                                          "ValueError"), (name, refusal.value)
            assert victim.read_text() == "years of work" and victim.stat().st_mode & 0o400, name


@pytest.mark.skipif(not LINUX, reason="Landlock and seccomp are layers of Linux")
@pytest.mark.parametrize("name", BELOW_PYTHON)
def test_code_below_python_is_held_by_the_kernel_alone(name, exercise, victim):
    body, gains = BELOW_PYTHON[name]
    held = submit(exercise, victim, body)
    if not {"landlock", "seccomp"} <= set(held.isolation):
        pytest.skip(f"this kernel offers only {held.isolation}")
    assert held.checks[0].status == "error" and held.function_points("gaussian_kl")[0] == 0.0
    assert victim.read_text() == "years of work"
    if "forks" not in name:  # the truth about the portable layers, which results report
        free = submit(exercise, victim, body, PORTABLE)
        assert (free.function_points("gaussian_kl")[0] == 3.0) == gains
        assert gains or victim.read_text() == ""


@pytest.mark.parametrize("name", FILES)
def test_file_that_cannot_be_executed(name, exercise):
    source, statuses = FILES[name]
    result = score(exercise, source, 1, limits=QUICK)
    assert result.points == 0.0 and result.checks[0].status in statuses.split(), result.checks[0]
    assert result.problem or name in ("is empty", "names no functions")


def test_an_escaped_process_does_not_hold_the_grader(exercise, victim):
    """Without any layer a grandchild in a session of its own keeps the pipes open; nobody waits for it."""
    body = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            time.sleep(3)
            os._exit(0)
        os._exit(0)"""
    start = time.monotonic()
    result = submit(exercise, victim, body, ())
    assert result.checks[0].status in ("late", "died") and result.checks[2].passed
    assert result.isolation == () and time.monotonic() - start < 2.9


def test_the_whole_process_group_ends(exercise, victim):
    body = """
        import os, time
        if os.fork() == 0:
            time.sleep(1.1)
            open('VICTIM', 'w').write('mine')
        os._exit(0)"""
    assert submit(exercise, victim, body, ()).checks[0].status == "late"  # the grandchild held the pipe open
    time.sleep(0.4)
    assert victim.read_text() == "years of work"


def test_printing_is_cut_as_it_comes(exercise):
    with Child(exercise, b"def gaussian_kl(mu, log_sigma):\n    print('x' * 1_000_000)\n    return 0.0\n") as child:
        assert child.call("gaussian_kl", (0.0, 0.0)) == 0.0
        assert child.call("gaussian_kl", (0.0, 0.0)) == 0.0
        assert child.output == "x" * OUTPUT_LIMIT


def test_ctrl_c_while_a_child_starts_leaves_no_process(exercise, monkeypatch):
    started = []

    def interrupted(self, configuration):
        started.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Child, "_greet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Child(exercise, b"")
    assert started[0]._process.returncode is not None and not started[0]._folder.exists()


def test_a_child_that_does_not_start_is_the_graders_fault(exercise, monkeypatch):
    monkeypatch.setattr(runner, "_configuration", lambda *args: {})
    with pytest.raises(runner.GraderError, match="(?s)did not start.*KeyError"):
        score(exercise, SOLUTION.encode(), 1)


def test_what_the_child_needs_still_works(exercise):
    """Numba with its cache, threads, temporary files, a look at the limits; and no trace is left behind."""
    source = b"""
import resource, tempfile, threading
import numba
import numpy as np

@numba.njit(cache=True)
def twice(x):
    return 2 * x

def gaussian_kl(mu, log_sigma):
    with tempfile.TemporaryFile() as file:
        file.write(b'x')
    thread = threading.Thread(target=twice, args=(mu,))
    thread.start()
    thread.join()
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
    return twice(mu)
"""
    with Child(exercise, source) as child:
        assert child.problem is None
        assert child.call("gaussian_kl", (1.5, 0.0)) == 3.0
        folder = child._folder
        assert folder.exists()
    assert not folder.exists()


def test_an_installed_package_is_gone_around(monkeypatch):
    """In a wheel minigen lies among the packages that may be read: only its permitted modules are granted."""
    package = Path(minigen.__file__).resolve().parent
    monkeypatch.setattr(runner, "_import_path", lambda: [str(package.parent)])
    readable, listable = runner._granted.__wrapped__(("minigen.nn.layers", "minigen.autodiff"))
    inside = {Path(p).relative_to(package) for p in readable if Path(p).is_relative_to(package)}
    sources = {str(p) for p in inside if p.suffix != ".pyc"}
    assert sources == {"__init__.py", "nn/__init__.py", "nn/layers.py", "autodiff"}
    assert str(package.parent / "tests") in readable and str(package.parent) in listable
    assert not any(Path(p).name == "exercises" for p in readable)
