"""The file: whole or absent, refused when it is not what it should be, never written over something good."""

import errno
import os
import pickle
import subprocess

import numpy as np
import pytest

from minigen.nn import Linear
from minigen.training import CheckpointError, load_weights, read_checkpoint
from minigen.training.checkpoints import Checkpoint, write_checkpoint


@pytest.fixture
def run(setting, tmp_path):
    """A finished run in tmp_path / run."""
    run = setting(out=tmp_path / "run", epochs=2, ema=True)
    run.fit()
    return run


def test_it_holds_what_it_says_and_no_pickle(run, tmp_path):
    with np.load(tmp_path / "run" / "checkpoint.npz", allow_pickle=False) as file:
        names = set(file.files)
        assert all(file[name].dtype.kind != "O" for name in names)
    assert {"meta", "model/net.layers.0.W", "model/calls", "optimizer/m.0", "optimizer/steps", "best/calls",
            "ema/average.net.layers.1.b", "ema/updates"} < names
    held = read_checkpoint(tmp_path / "run")
    assert (held.model, held.config) == ("Denoiser", {"hidden": 8}) and [r["epoch"] for r in held.records] == [1, 2]
    assert held.meta["position"]["step"] == 10 and set(held.section("optimizer")) == set(
        run.options["optimizer"].state_dict())
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize("options", [{}, {"ema": True}, {"patience": 1}, {"patience": 1, "ema": True}])
def test_weights_are_those_that_fit_leaves_in_the_model(options, setting, tmp_path):
    run = setting(out=tmp_path, schedule=lambda t: 1 if t < 10 else 300, **options)  # so that the last is not the best
    history = run.fit()
    assert history.best_epoch < history.records[-1]["epoch"]
    other = setting()
    checkpoint = load_weights(other.model, tmp_path)
    assert other.bits() == run.bits() and checkpoint.model == "Denoiser"
    raw = {name: array.tobytes() for name, array in checkpoint.section("model").items()}
    assert (raw == other.bits()) == (not options)


def test_what_is_validated_is_the_average(setting):
    run = setting(ema=True, epochs=1)
    told, = run.fit().curve("valid")
    noise = np.random.default_rng(int(np.random.default_rng(3).integers(2**63)))  # as drawn before the first step
    valid = run.options["valid"]
    losses = [run.model.loss(x, noise).total.item() * len(x) for x in (valid[:10], valid[10:])]
    assert told == pytest.approx(sum(losses) / len(valid), rel=1e-6)  # the model has its average now


def test_it_is_forced_to_disk_before_it_takes_its_name(setting, tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    write_checkpoint(tmp_path / "c.npz", Checkpoint({}, {"a": np.zeros(3)}))
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder that lists the name


@pytest.mark.parametrize("options, steps", [
    ({}, [0, 5, 10, 15, 20]),
    ({"save_steps": 7}, [0, 7, 14, 20]),
    ({"save_seconds": 1e9}, [0, 20]),
    ({"save_seconds": 1e-9}, list(range(21))),
])
def test_checkpoints_are_written_when_they_are_due_and_once(options, steps, setting, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("minigen.training.keeper.write_checkpoint",
                        lambda path, c: written.append((c.meta["position"]["epoch"], c.meta["position"]["step"])))
    setting(out=tmp_path, **options).fit()
    assert sorted({step for _, step in written}) == steps and len(written) == len(set(written))


# ---------------------------------------------------------------------------------------------- what is refused


def refused(path, *parts):
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    text = str(error.value)
    assert str(path) in text and "\n" not in text
    for part in parts:
        assert part in text
    return text


def test_damage_anywhere_is_refused(run, tmp_path):
    path = tmp_path / "run" / "checkpoint.npz"
    good, draw = path.read_bytes(), np.random.default_rng(0)
    reference = read_checkpoint(path)
    for at in draw.integers(0, len(good), 150).tolist():
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << draw.integers(8))]) + good[at + 1 :])
        try:
            found = read_checkpoint(path)
        except CheckpointError as error:
            assert str(path) in str(error)
        else:  # bits that carry nothing, as the time of a member
            assert found.meta == reference.meta and found.arrays.keys() == reference.arrays.keys()
            assert all(a.tobytes() == found.arrays[name].tobytes() for name, a in reference.arrays.items())
    for length in [0, 1, 10, *draw.integers(0, len(good), 20).tolist(), len(good) - 1]:
        path.write_bytes(good[:length])
        refused(path)


def test_other_files_are_refused(tmp_path, run):
    path = tmp_path / "x.npz"
    refused(path, "No such file")
    refused(tmp_path, "No such file")
    path.write_bytes(pickle.dumps({"model/W": [1, 2]}))
    refused(path, "a pickle")
    np.savez(path, W=np.zeros(3))
    refused(path, "is not a checkpoint of this package")
    np.savez(path, meta=np.array({"a": 1}, dtype=object))
    refused(path, "pickle; refused")
    np.savez(path, meta=np.frombuffer(b'["minigen checkpoint 1"]', np.uint8))
    refused(path, "is not a checkpoint of this package (format None")
    np.savez(path, meta=np.frombuffer(b'{"format": "minigen checkpoint 1", "model": "M"}', np.uint8))
    refused(path, "its meta lacks config, ")
    path.write_text("<html>not found</html>")
    refused(path, "an HTML or XML page")


def test_a_bomb_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, meta=np.zeros(10_000_000, np.uint8))
    assert "the limit is" in refused(path, "unpacks to 10000")


def test_a_damaged_checkpoint_stops_a_resumption_and_nothing_is_lost(run, setting, tmp_path):
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    damaged, metrics = path.read_bytes(), (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match=r"checkpoint\.npz: damaged"):
        setting(out=tmp_path / "run", resume=True, ema=True).fit()
    assert path.read_bytes() == damaged and (tmp_path / "run" / "metrics.jsonl").read_bytes() == metrics


def test_weights_of_another_model_are_refused(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"checkpoint\.npz: Linear\(4 -> 4\): the state does not fit"):
        load_weights(Linear(4, 4, rng=np.random.default_rng(0)), tmp_path / "run")


# ------------------------------------------------------------------------------------------ where writing fails


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_trained(setting, tmp_path):
    (tmp_path / "file").write_text("in the way")
    run = setting(out=tmp_path / "file" / "run")
    before = run.bits()
    with pytest.raises(CheckpointError, match=r"file/run/checkpoint\.npz: cannot be written \(Not a directory\)"):
        run.fit()
    assert run.bits() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_the_right_to_write_is_told(setting, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CheckpointError, match="cannot be written \\(Permission denied\\)"):
        setting(out=tmp_path / "run").fit()


def fill_up(what, at, monkeypatch):
    """From the call number `at` on, `what` finds no space left."""
    owner, name = what
    real, count = getattr(owner, name), [0]

    def call(*args, **kwargs):
        count[0] += 1
        if count[0] >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("what, at", [((np, "savez"), 3), ((os, "fsync"), 5), ((os, "replace"), 3)])
def test_a_full_disk_ends_the_run_and_leaves_the_last_good_checkpoint(what, at, setting, tmp_path, monkeypatch):
    setting(out=tmp_path / "short", epochs=1).fit()
    fill_up(what, at, monkeypatch)
    with pytest.raises(CheckpointError) as error:
        setting(out=tmp_path / "run").fit()
    text = str(error.value)
    assert "checkpoint.npz: cannot be written (No space left on device); the one that is there is intact" in text
    monkeypatch.undo()
    assert read_checkpoint(tmp_path / "run").meta["position"]["epoch"] == 1
    assert not list((tmp_path / "run").glob("*.part"))
    whole, resumed = setting(out=tmp_path / "whole"), setting(out=tmp_path / "run", resume=True)
    whole.fit()
    resumed.fit()
    assert whole.bits() == resumed.bits()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser can mount a small disk")
def test_a_disk_that_is_really_full(setting, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this sandbox mounts nothing: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(CheckpointError, match="No space left on device.*intact"):
            setting(out=disk / "run", epochs=1000, ema=True).fit()
        held = read_checkpoint(disk / "run")
        lines = (disk / "run" / "metrics.jsonl").read_text().splitlines()
        assert held.meta["position"]["epoch"] >= 1 and len(lines) >= held.meta["position"]["epoch"] - 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_metrics_that_cannot_be_written_are_told(setting, tmp_path, monkeypatch):
    run = setting(out=tmp_path)

    def in_the_way(record):
        (tmp_path / "metrics.jsonl").unlink()
        (tmp_path / "metrics.jsonl").mkdir()

    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: cannot be written .* the same folder is intact"):
        run.fit(callback=in_the_way)
    assert read_checkpoint(tmp_path).meta["position"]["epoch"] == 2
