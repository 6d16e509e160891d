"""The builder: percent format in, the same executed notebook out each time, nothing lost when it fails."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from minigen import notebooks, resources
from minigen.notebooks import Cell, NotebookError, build, check, parse

LECTURE = r"""# %% [markdown]
# # Two figures
#
# $\log p(x) = \mathcal{L}(q) + \mathrm{KL}$
# %%
import os

import matplotlib.pyplot as plt

print("before", flush=True)
plt.plot([0, 1])
plt.show()
print("after", flush=True)
print(sorted(os.listdir()), len(os.environ["MINIGEN_PROGRESS"]))
# %%
print(list(set("abcdefgh")))  # in the order of the hash seed
"""


def lecture(folder, text, name="07_try"):
    """A lecture of this text."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """LECTURE, built once while the user's own settings pull the other way; and its folder's files."""
    folder = tmp_path_factory.mktemp("lectures")
    path = lecture(folder, LECTURE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.setenv("PYTHONHASHSEED", "5")
        patch.setenv("MINIGEN_PROGRESS", "1")
        [record] = build([path])
    return path, record


@pytest.fixture
def copy(built, tmp_path):
    """A copy of LECTURE and its notebook that a test may spoil."""
    for path in built[0].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / built[0].name


def test_a_notebook_has_the_cells_outputs_and_figure(built):
    path, record = built
    node = json.loads(path.with_suffix(".ipynb").read_text())
    text, code, last = node["cells"]
    assert text["source"][0] == "# Two figures\n" and text["source"][2].startswith(r"$\log p(x)")
    kinds = [output["output_type"] for output in code["outputs"]]
    assert kinds == ["stream", "display_data", "stream"], "prints stay on their side of the figure"
    assert code["outputs"][2]["text"] == ["after\n", "[] 1\n"], "executed on an empty desk"
    assert sorted("".join(last["outputs"][0]["text"]))[-8:] == list("abcdefgh")
    assert "execution" not in json.dumps([cell["metadata"] for cell in node["cells"]])
    png = base64.b64decode(code["outputs"][1]["data"]["image/png"])
    assert png[:4] == b"\x89PNG" and b"Software" not in png
    assert png[25] == 3, "a palette, which keeps notebooks small"
    assert record.path == path.with_suffix(".ipynb") and record.size == record.path.stat().st_size
    assert str(record).startswith("07_try.ipynb: ") and record.seconds < 60
    assert sorted(p.name for p in path.parent.iterdir()) == ["07_try.ipynb", "07_try.py"], "no stray files"


def test_a_lighter_figure_looks_the_same():
    ramp = np.zeros((40, 64, 4), np.uint8)
    ramp[..., 0], ramp[..., 1], ramp[..., 3] = np.arange(0, 256, 4), np.arange(40)[:, None], 255
    ramp[:10, :, 3] = 0  # transparent, as a figure on a page
    held = io.BytesIO()
    Image.fromarray(ramp).save(held, "PNG")
    lighter = notebooks._lighter(base64.b64encode(held.getvalue()).decode())
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(lighter))).convert("RGB")).astype(int)
    assert (seen[:10] == 255).all()
    assert np.abs(seen[10:] - ramp[10:, :, :3]).mean() < 3, "of 256 levels, for 1920 colours in 256"


def test_building_again_gives_the_same_bytes(built, copy):
    seen = []
    build([copy], report=seen.append)
    assert copy.with_suffix(".ipynb").read_bytes() == built[0].with_suffix(".ipynb").read_bytes()
    assert [record.path for record in seen] == [copy.with_suffix(".ipynb")]
    assert check([copy]) == []


SPOILED = {
    "cell 2 raises": (
        "# %%\n1\n# %%\nx = 3\nx / 0\n",
        r"cell 2 of 2 \(line 3\): ZeroDivisionError.*\n\n    x = 3\n    x / 0",
    ),
    "stderr": ("# %%\nimport warnings; warnings.warn('hm')\n", "cell 1 of 1 .*wrote to stderr: .*UserWarning: hm"),
    "an address": ("# %%\nobject()\n", "cell 1 of 1 .*address or a path of this machine: 'at 0x"),
    "a path": ("# %%\nimport os; print(os.getcwd())\n", "cell 1 of 1 .*address or a path of this machine: '/"),
    "a kernel that dies": ("# %%\nimport os; os._exit(1)\n", "cell 1 of 1 .*: the kernel died\n"),
    "too long": ("# %%\n1\n# %%\nwhile True: pass\n", r"cell 2 of 2 \(line 3\): still running after 1 s"),
    "too big": (
        "# %%\n1\n# %%\nfor i in range(6000): print('x' * 90)\n",
        r"07_try.ipynb: 6\d\d kB; expected at most 500 kB; most of it, 6\d\d kB, is cell 2 \(line 3\)",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_failing_lecture_is_named_and_leaves_the_good_notebook(copy, case, monkeypatch):
    text, message = SPOILED[case]
    monkeypatch.setattr(notebooks, "CELL_TIMEOUT", 1 if case == "too long" else 60)
    good = copy.with_suffix(".ipynb").read_bytes()
    copy.write_text(text)
    with pytest.raises(NotebookError, match=f"(?s){message}"):
        build([copy])
    assert copy.with_suffix(".ipynb").read_bytes() == good
    assert sorted(p.name for p in copy.parent.iterdir()) == ["07_try.ipynb", "07_try.py"]


def test_one_failing_lecture_stops_the_others(tmp_path):
    bad = lecture(tmp_path, "# %%\nnot python\n", "01_bad")
    slow = lecture(tmp_path, "# %%\nimport time; time.sleep(100)\n", "02_slow")
    later = lecture(tmp_path, "# %%\n1\n", "03_later")
    with pytest.raises(NotebookError, match="01_bad.py, cell 1 of 1"):
        build([bad, slow, later], jobs=2)
    assert not list(tmp_path.glob("*.ipynb"))


def test_a_notebook_that_cannot_be_written_is_said(tmp_path):
    path = lecture(tmp_path, "# %% [markdown]\n# text\n")
    path.with_suffix(".ipynb").mkdir()
    with pytest.raises(NotebookError, match="07_try.ipynb: cannot be written"):
        build([path])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["07_try.ipynb", "07_try.py"]


def edit(path, change):
    """Change the notebook beside a lecture as one would by hand."""
    path = path.with_suffix(".ipynb")
    node = json.loads(path.read_text())
    change(node)
    path.write_text(json.dumps(node))


OUT_OF_STEP = {
    "missing; build it": lambda py: py.with_suffix(".ipynb").unlink(),
    "is not a notebook": lambda py: py.with_suffix(".ipynb").write_text("{"),
    "cell 3 differs from 07_try.py": lambda py: py.write_text(py.read_text().replace('set("', 'set("x')),
    "3 cells, not 4": lambda py: py.write_text(py.read_text() + "# %%\n1\n"),
    "cell 1 differs": lambda py: edit(py, lambda node: node["cells"][0].update(source="other")),
    "not executed from top to bottom": lambda py: edit(py, lambda node: node["cells"][1].update(execution_count=9)),
    "outputs are of another version": lambda py: edit(py, lambda n: n["metadata"]["minigen"].update(source_sha256="0")),
    "expected at most 500 kB": lambda py: edit(
        py, lambda n: n["cells"][1]["outputs"][0].update(text="x" * 600_000)
    ),
    "line 1: text before the first cell marker": lambda py: py.write_text("import os\n"),
    "cannot be read": lambda py: py.write_bytes(b"# %%\n\xff\n"),
}


@pytest.mark.parametrize("problem", OUT_OF_STEP)
def test_what_is_out_of_step_is_told_without_executing(copy, problem):
    OUT_OF_STEP[problem](copy)
    [told] = check([copy])
    assert problem in told and told.startswith("07_try")


def test_percent_format():
    text = (
        "# ---\n# jupytext: {}\n# ---\n\n# %% [markdown]\n# # A\n#\n#b $\\%$\n\n"
        "# %%\n\nx = 1\n\n\ny = 2  # %% no\n#%% no\n# %%time no\n\n# %%   \nz\n"
    )
    assert parse(text) == [
        Cell("markdown", "# A\n\nb $\\%$", 5),
        Cell("code", "x = 1\n\n\ny = 2  # %% no\n#%% no\n# %%time no", 10),
        Cell("code", "z", 19),
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no cell marker"),
        ("# a comment\n\n# %%\n1\n", "line 1: text before the first cell marker"),
        ("# %%\n1\n# %% [raw]\n1\n", r"line 3: cell marker '# %% \[raw\]'; expected `# %%` or"),
        ("# %% a title\n1\n", "line 1: cell marker"),
        ("# %%\n1\n# %%\n\n# %%\n2\n", "line 3: empty cell"),
        ("# %% [markdown]\n# text\nx = 1\n", "line 3: markdown 'x = 1' does not begin with `#`"),
        ("# %% [markdown]\n#\n# %%\n1\n", "line 1: empty cell"),
    ],
)
def test_what_is_not_percent_format_is_refused_with_its_line(text, message):
    with pytest.raises(NotebookError, match=f"^11_vae.py.*{message}"):
        parse(text, "11_vae.py")


def test_jobs_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="jobs is 0; expected at least 1"):
        build([], jobs=0)


def test_the_module_is_a_command(copy, monkeypatch, capsys):
    monkeypatch.setattr(resources, "lectures_dir", lambda: copy.parent)
    assert notebooks.main(["check"]) == 0 and "1 notebooks are in step" in capsys.readouterr().out
    assert notebooks.main(["check", "08"]) == 1 and "there are: 07_try" in capsys.readouterr().err
    copy.write_text("# %%\n1 +\n")
    assert notebooks.main(["check", "try"]) == 1 and "differs" in capsys.readouterr().out
    assert notebooks.main(["build", "7"]) == 1 and "SyntaxError" in capsys.readouterr().err
    copy.write_text("# %%\n1 + 1\n")
    assert notebooks.main(["build", "7", "--jobs", "1"]) == 0 and "07_try.ipynb: " in capsys.readouterr().out
    assert check([copy]) == []
