"""The cases: what is asked, the floor's products, cases of fresh processes."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from minigen.bench.case import Absent, Case, targets
from minigen.bench.cases import first_call, fresh, imports, iwae, realnvp, steps, vae, vae_small
from minigen.bench.cases.vae_race import VAERace
from minigen.bench.catalogue import CASES, FAMILIES


@pytest.mark.parametrize("race", [vae.RACE, vae_small.RACE, iwae.RACE, realnvp.RACE], ids=str)
def test_the_floor_has_every_product_of_the_step(race):
    """Two products per weight, a third where the layer's input needs a gradient, which data do not."""
    weights = [a.shape for a in race.start() if a.ndim == 2]
    assert [(n, m) for _, n, m, _ in race.products()] == weights
    assert [inner for *_, inner in race.products()] == [False] + [True] * (len(weights) - 1)
    encoder = len(weights) // 2 if isinstance(race, VAERace) else len(weights)
    drawn = race.batch * getattr(race, "samples", 1)
    assert [rows for rows, *_ in race.products()] == [race.batch] * encoder + [drawn] * (len(weights) - encoder)


def test_the_floor_multiplies():
    calls = []
    step = steps.product_step([(3, 4, 5, False), (3, 5, 2, True)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "dot", lambda a, b, out: calls.append((a.shape, b.shape, out.shape)))
        step()
    assert calls == [((3, 4), (4, 5), (3, 5)), ((4, 3), (3, 5), (4, 5)),
                     ((3, 5), (5, 2), (3, 2)), ((5, 3), (3, 2), (5, 2)), ((3, 2), (2, 5), (3, 5))]


def test_every_case_is_whole():
    assert list(CASES)[:4] == ["vae", "vae-small", "iwae", "realnvp"] and {"import", "first-call"} <= set(CASES)
    assert all(set(members) <= set(CASES) for members in FAMILIES.values()) and not set(FAMILIES) & set(CASES)
    for name, case in CASES.items():
        module = importlib.import_module(case.module)
        assert name == case.name and module.CASE is case
        assert all(callable(getattr(module, peer)) for peer in case.peers), name


ASKED = {  # case, ours -> setting and peer -> at most
    ("vae", "replay"): {"A torch": 0.45, "A torch_fused": 0.60, "A floor": 1.35,
                        "B torch": 0.35, "B jax": 1.0, "B floor": 1.40},
    ("vae-small", "replay"): {"A torch": 0.28, "B torch": 0.25, "B jax": 1.0},
    ("iwae", "replay"): {"A torch": 0.58, "A floor": 1.3, "B torch": 0.40, "B jax": 0.95},
    ("realnvp", "replay"): {"A torch": 0.20, "B torch": 0.12, "B jax": 0.6},
    ("realnvp", "eager"): {"A torch": 0.35},
}


@pytest.mark.parametrize(("name", "ours"), ASKED)
def test_what_is_asked(name, ours):
    stated = {f"{t.setting} {t.peer}": t.at_most for t in CASES[name].targets if t.ours == ours}
    assert stated == ASKED[name, ours]
    assert CASES[name].at_most("A", ours, "hips") is None


def test_a_case_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="'x': a target of ours over jax, no race of it"):
        Case("x", "", "", {"ours": ("torch",)}, targets("ours", A={"jax": 1.0}))
    with pytest.raises(ValueError, match="'x': passes of jax, which do not race"):
        Case("x", "", "", {"ours": ("torch",)}, passes={"jax": 3})


def test_seconds_of_fresh_processes():
    assert 0.05 <= fresh.seconds_of("time.sleep(0.05)") < 5
    with pytest.raises(Absent, match="^ValueError: no such thing$"):
        fresh.seconds_of("raise ValueError('no such thing')")
    with pytest.raises(Absent, match="^not built yet$"):
        fresh.seconds_of("from minigen.bench.case import Absent; raise Absent('not built yet')")
    with pytest.raises(ImportError) as error:
        fresh.importing("a_package_that_nobody_has")
    assert error.value.name == "a_package_that_nobody_has"
    assert 0 < imports.numpy()() < 60


FILL = """
import os
folder = os.environ["NUMBA_CACHE_DIR"]
before = len(os.listdir(folder))
os.mkdir(os.path.join(folder, str(before)))
start -= 100 * before
"""


def test_cold_is_cold_and_warm_is_warm(monkeypatch):
    monkeypatch.setattr(first_call, "LINES", FILL)  # 100 s for every earlier process that used the folder
    cold, warm = first_call.cold(), first_call.warm()
    assert [round(cold(), -2) for _ in range(2)] == [0, 0]
    assert [round(warm(), -2) for _ in range(2)] == [100, 200]


def test_a_process_imports_one_case_only():
    """Another case's kernels would be paid for by every peer."""
    others = ("minigen.bench.cases.realnvp", "torch", "jax", "rich", "matplotlib")
    modules = "minigen.bench.worker, minigen.bench.cases.vae"
    code = f"import sys, {modules}; print([m for m in {others} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
