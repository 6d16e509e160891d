"""A run that was killed and resumed gives the bits of one that was not; Ctrl-C is a kill with manners."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from minigen import optim
from minigen.training import CheckpointError, TrainingError, read_checkpoint
from minigen.training.keeper import Keeper

VARIANTS = {
    "plain": {},
    "average, patience, clip, schedule": dict(ema=True, patience=2, clip=0.5, schedule=optim.warmup_cosine(5, 20)),
    "inside epochs": dict(ema=True, save_steps=2),
    "every step": dict(save_seconds=1e-9),
}


def files(folder):
    """What a run leaves on disk, without wall times: arrays by their bytes, everything else as JSON."""
    checkpoint = read_checkpoint(folder)
    checkpoint.meta["position"].pop("seconds")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == checkpoint.records
    for record in [*lines, *checkpoint.records]:
        assert record.pop("seconds") > 0
    return {name: a.tobytes() for name, a in checkpoint.arrays.items()}, checkpoint.meta, lines


class Killed(BaseException):
    """What SIGKILL would do, at a chosen moment."""


class Guillotine:
    """Falls at event number `at`: before it, in the middle of it, or after it."""

    def __init__(self, monkeypatch):
        self.count, self.at = 0, None
        for owner, name, half in [(os, "fsync", None), (os, "replace", None), (optim.Optimiser, "step", None),
                                  (np, "savez", self.half_an_archive), (Keeper, "append", self.half_a_line)]:
            monkeypatch.setattr(owner, name, self.watched(getattr(owner, name), half))

    def watched(self, event, half):
        def call(*args, **kwargs):
            for moment in ("before", "in", "after"):
                if moment == "in" and half is None:
                    result = event(*args, **kwargs)
                    continue
                self.count += 1
                if self.count == self.at:
                    if moment == "in":
                        half(*args, **kwargs)
                    raise Killed
                if moment == "in":
                    result = event(*args, **kwargs)
            return result

        return call

    @staticmethod
    def half_an_archive(file, **arrays):
        file.write(b"PK\x03\x04" + bytes(100))

    @staticmethod
    def half_a_line(keeper, record):
        with open(keeper.metrics, "a") as file:
            file.write(json.dumps(record)[:20])


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_at_every_kind_of_moment_and_resumed(variant, setting, tmp_path, monkeypatch):
    setting(**VARIANTS[variant]).fit()  # compiles what is not compiled yet, so that every run has the same moments
    whole = setting(out=tmp_path / "whole", **VARIANTS[variant])
    guillotine = Guillotine(monkeypatch)
    whole.fit()
    expected, moments = files(tmp_path / "whole"), guillotine.count
    draw = np.random.default_rng(5)
    for n, first in enumerate(draw.choice(np.arange(1, moments + 1), 8, replace=False).tolist()):
        out, guillotine.count, guillotine.at, kills = tmp_path / str(n), 0, first, 0
        while True:
            run = setting(out=out, resume=True, **VARIANTS[variant])
            try:
                run.fit()
                break
            except Killed:
                kills += 1
                guillotine.count, guillotine.at = 0, int(draw.integers(2, moments))
        assert kills >= 1 and files(out) == expected, f"{variant}, first killed at moment {first} of {moments}"
        assert run.bits() == whole.bits()
        assert run.options["rng"].bit_generator.state == whole.options["rng"].bit_generator.state


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import Setting
print("ready", flush=True)
Setting(epochs=30, batch_size=5, out=Path(sys.argv[1]), resume=True, ema=True, save_steps=3, clip=1.0).fit()
"""


def start(folder):
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


def test_a_process_killed_by_sigkill_several_times_gives_the_same_bytes(setting, tmp_path):
    setting(epochs=30, batch_size=5, out=tmp_path / "whole", ema=True, save_steps=3, clip=1.0).fit()
    out, killed = tmp_path / "killed", 0
    for pause in (0.0, 0.04, 0.12):  # where exactly it strikes is up to the machine
        process = start(out)
        while not (out / "checkpoint.npz").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(pause)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        process.communicate()
    last = start(out)
    _, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    assert killed >= 1 and files(out) == files(tmp_path / "whole")


def test_a_finished_run_goes_on_to_more_epochs(setting, tmp_path):
    setting(out=tmp_path / "whole", epochs=5, ema=True).fit()
    setting(out=tmp_path / "parts", epochs=2, ema=True).fit()
    again = setting(out=tmp_path / "parts", epochs=2, ema=True, resume=True)
    assert len(again.fit().records) == 2
    history = setting(out=tmp_path / "parts", epochs=5, ema=True, resume=True).fit()
    assert [r["epoch"] for r in history.records] == [1, 2, 3, 4, 5]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_resuming_where_nothing_is_begins(setting, tmp_path):
    one, two = setting(out=tmp_path / "one", resume=True), setting(out=tmp_path / "two")
    one.fit()
    two.fit()
    assert files(tmp_path / "one") == files(tmp_path / "two") and one.bits() == two.bits()


def test_a_run_is_not_overwritten(setting, tmp_path):
    setting(out=tmp_path).fit()
    before = files(tmp_path)
    with pytest.raises(FileExistsError, match=r"checkpoint\.npz exists already; pass resume=True to go on"):
        setting(out=tmp_path).fit()
    assert files(tmp_path) == before
    (tmp_path / "checkpoint.npz").unlink()
    for resume in (False, True):
        with pytest.raises(FileExistsError, match=r"metrics\.jsonl exists already"):
            setting(out=tmp_path, resume=resume).fit()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("change, message", [
    (dict(batch_size=9), 'was written with data {"rows": 41, "event": [4], "batch_size": 10}'),
    (dict(rng=np.random.Generator(np.random.Philox(1))), "holds the state of a PCG64, but rng is a Philox"),
    (dict(ema=True), "was written with ema false; this run has true"),
])
def test_a_checkpoint_of_another_run_is_refused(change, message, setting, tmp_path):
    setting(out=tmp_path).fit()
    with pytest.raises(CheckpointError) as error:
        setting(out=tmp_path, resume=True, **change).fit()
    assert message in str(error.value) and str(tmp_path / "checkpoint.npz") in str(error.value)


def test_another_model_or_optimiser_is_refused(setting, tmp_path):
    setting(out=tmp_path).fit()
    run = setting(out=tmp_path, resume=True)
    run.model.config = {"hidden": 9}
    with pytest.raises(CheckpointError, match=r'written with config {"hidden": 8}; this run has {"hidden": 9}'):
        run.fit()
    run = setting(out=tmp_path, resume=True)
    run.options["optimizer"] = optim.SGD(run.model.parameters(), 0.1)
    with pytest.raises(CheckpointError, match='written with optimizer "Adam"; this run has "SGD"'):
        run.fit()
    run = setting(out=tmp_path, resume=True)
    run.model.astype(np.float64)
    run.options["optimizer"] = optim.Adam(run.model.parameters())
    with pytest.raises(CheckpointError, match=r'written with dtype \["float32"\]; this run has \["float64"\]'):
        run.fit()


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM])
def test_every_bit_generator_is_kept(kind, setting, tmp_path):
    whole = setting(rng=np.random.Generator(kind(7)), epochs=2)
    whole.fit()
    setting(rng=np.random.Generator(kind(7)), epochs=1, out=tmp_path).fit()
    run = setting(rng=np.random.Generator(kind(7)), epochs=2, out=tmp_path, resume=True)
    run.fit()
    assert run.bits() == whole.bits()
    assert whole.options["rng"].random() == run.options["rng"].random()


# ------------------------------------------------------------------------------------------------------- Ctrl-C


def interrupting(run, at):
    """The run sends itself SIGINT in the middle of training step `at`."""
    loss, calls = run.model.loss, [0]

    def interrupted(x, rng):
        calls[0] += 1
        if calls[0] == at:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)  # the handler runs between two byte codes
        return loss(x, rng)

    run.model.loss = interrupted
    return run


@pytest.mark.parametrize("at, step", [(1, 1), (3, 3), (6, 5), (7, 5), (8, 6)])  # 6 and 7 are validation batches
def test_ctrl_c_finishes_the_step_writes_the_checkpoint_and_says_how_to_go_on(at, step, setting, tmp_path, timeless):
    whole = setting(out=tmp_path / "whole")
    whole.fit()
    run = interrupting(setting(out=tmp_path / "run"), at)
    with pytest.raises(KeyboardInterrupt) as error:
        run.fit()
    assert f"stopped after step {step}; the same call with resume=True goes on from" in str(error.value)
    assert str(tmp_path / "run" / "checkpoint.npz") in str(error.value)
    assert read_checkpoint(tmp_path / "run").meta["position"]["step"] == step
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = setting(out=tmp_path / "run", resume=True)
    again.fit()
    ours, theirs = files(tmp_path / "run"), files(tmp_path / "whole")
    assert ours[2] == theirs[2]
    assert all(ours[0][name] == theirs[0][name] for name in theirs[0] if not name.endswith("/calls"))


def test_ctrl_c_without_a_folder_says_that_nothing_was_written(setting):
    run = interrupting(setting(), 2)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 2; nothing was written, as out is None"):
        run.fit()


def test_a_second_ctrl_c_acts_at_once(setting, tmp_path):
    run = interrupting(interrupting(setting(out=tmp_path), 3), 3)
    with pytest.raises(KeyboardInterrupt) as error:
        run.fit()
    assert str(error.value) == "" and read_checkpoint(tmp_path).meta["position"]["step"] == 0


def test_training_in_a_thread_leaves_signals_alone(setting):
    found = []
    thread = threading.Thread(target=lambda: found.append(setting().fit()))
    thread.start()
    thread.join()
    assert len(found[0].records) == 4


def test_a_run_that_stopped_on_nan_can_be_resumed(setting, tmp_path):
    whole = setting(out=tmp_path / "whole")
    whole.fit()
    run = setting(out=tmp_path / "run")
    loss, calls = run.model.loss, [0]

    def spoiled(x, rng):
        calls[0] += 1
        found = loss(x, rng)
        if calls[0] == 12:
            found.parts["per_pixel"] = float("nan")
        return found

    run.model.loss = spoiled
    with pytest.raises(TrainingError):
        run.fit()
    setting(out=tmp_path / "run", resume=True).fit()
    assert files(tmp_path / "run") == files(tmp_path / "whole")
