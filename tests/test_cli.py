"""The command line: what each command prints, how it ends, and that a mistake costs one line and nothing else."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minigen import cli, data

TRAIN = ["train", "flow-2d", "--data", "rings", "--epochs", "2"]


@pytest.fixture
def minigen(monkeypatch, capsys):
    """minigen("data", "list") -> (exit code, standard output, standard error)."""
    monkeypatch.setenv("MINIGEN_PROGRESS", "0")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["minigen", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return run


@pytest.fixture
def trained(minigen, tmp_path):
    code, _, err = minigen(*TRAIN, "--out", tmp_path / "run")
    assert code == 0, err
    return tmp_path / "run"


def test_train_evaluate_sample(minigen, trained, tmp_path):
    assert {"run.json", "checkpoint.npz", "metrics.jsonl"} <= {p.name for p in trained.iterdir()}
    code, out, _ = minigen("evaluate", trained)
    assert code == 0 and "nats, exact (change of variables)" in out and "bits/dim" in out
    image = tmp_path / "samples.png"
    code, out, _ = minigen("sample", trained, "-n", 20, "--out", image)
    assert code == 0 and str(image) in out.replace("\n", "") and image.read_bytes()[:4] == b"\x89PNG"


def test_resume_goes_on_and_equals_a_longer_run(minigen, trained, tmp_path):
    assert minigen(*TRAIN[:-1], 3, "--out", trained, "--resume")[0] == 0
    assert minigen(*TRAIN[:-1], 3, "--out", tmp_path / "whole")[0] == 0
    resumed, whole = (np.load(folder / "checkpoint.npz") for folder in (trained, tmp_path / "whole"))
    weights = [name for name in whole.files if "meta" not in name]
    assert weights and all(np.array_equal(resumed[name], whole[name]) for name in weights)


@pytest.mark.parametrize(("words", "told"), [
    (["train", "gan", "--out", "OUT"], "unknown model 'gan'; expected one of vae"),
    (["train", "rbm", "--data", "faithful", "--out", "OUT"], "is not for data 'faithful'"),
    (["train", "rbm", "--epochs", "-1", "--out", "OUT"], "epochs"),
    (["train", "rbm", "--out", "OUT", "--resume"], "holds no trained model"),
    (["evaluate", "OUT"], "holds no trained model"),
    (["sample", "OUT", "--out", "x.png"], "holds no trained model"),
    (["data", "path", "imagenet"], "unknown dataset 'imagenet'"),
    (["exercise", "check", "nowhere.py"], "nowhere"),
    (["exercise", "start", "99", "OUT"], "99"),
    (["check", "77"], "77"),
    (["bench", "gpt"], "'gpt' is not a case"),
    (["bench", "vae", "--settings", "Z"], "settings is 'Z'"),
    (["bench", "vae", "--threads", "0"], "at least 1"),
    (["bench", "vae", "--json", "nowhere/bench.json"], "its folder does not exist"),
    (["tour", "--out", __file__], "is a file"),
])
def test_a_mistake_is_one_line(minigen, tmp_path, words, told):
    code, _, err = minigen(*[str(tmp_path / "out") if w == "OUT" else w for w in words])
    assert code == 2
    assert told in err and err.startswith("minigen") and err.count("\n") == 1


def test_a_mistake_leaves_no_half_made_run(minigen, tmp_path):
    assert minigen("train", "rbm", "--epochs", "-1", "--out", tmp_path / "run")[0] == 2
    assert minigen("train", "rbm", "--epochs", "1", "--out", tmp_path / "run")[0] == 0


def test_a_second_run_does_not_touch_the_first(minigen, trained):
    before = {p.name: p.read_bytes() for p in trained.iterdir()}
    code, _, err = minigen(*TRAIN, "--out", trained)
    assert code == 2 and "holds a run already" in err
    assert {p.name: p.read_bytes() for p in trained.iterdir()} == before


@pytest.mark.parametrize("text", ["", "{", '{"format": "other"}', '{"format": "minigen.run/1", "recipe": "rbm"}',
                                  '["minigen.run/1"]'])
def test_a_damaged_run_file_is_named(minigen, trained, text):
    (trained / "run.json").write_text(text)
    code, _, err = minigen("evaluate", trained)
    assert code == 2 and "run.json" in err and err.count("\n") == 1


def test_a_damaged_checkpoint_is_named(minigen, trained):
    file = trained / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:-200])
    code, _, err = minigen("evaluate", trained)
    assert code == 2 and "checkpoint.npz" in err and err.count("\n") == 1


def test_ctrl_c_says_how_to_go_on_and_keeps_the_checkpoint(minigen, tmp_path):
    out = tmp_path / "run"
    words = [sys.executable, "-c", "from minigen import cli; cli.main()", *TRAIN[:-1], "5000", "--out", str(out)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "checkpoint.npz").exists():
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.startswith("minigen: ") and "resume" in err and "Traceback" not in err
    assert minigen("evaluate", out)[0] == 0


def test_data_list_and_path(minigen):
    code, out, _ = minigen("data", "list")
    assert code == 0 and "CC BY" in out and "mnist-small" in out
    code, out, _ = minigen("data", "path", "digits")
    assert code == 0 and "bundled" in out
    code, out, _ = minigen("data", "path")
    assert code == 0 and out.strip() == str(data.cache_folder())


def test_an_exercise_from_start_to_verdict(minigen, tmp_path):
    code, out, _ = minigen("exercise", "start", "bayes", tmp_path)
    assert code == 0
    stub = tmp_path / "02_bayes" / "bayes.py"
    code, out, _ = minigen("exercise", "check", stub, "--json", tmp_path / "result.json")
    assert code == 1 and json.loads((tmp_path / "result.json").read_text())["exercise"] == "02_bayes"


def test_import_is_lazy():
    heavy = ("numba", "matplotlib", "rich", "pooch", "IPython")
    code = f"import minigen, minigen.autodiff, minigen.data, sys; print([m for m in {heavy!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
