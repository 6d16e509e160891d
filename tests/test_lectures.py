"""What every lecture is. Nothing is executed here: the ledger's test runs each lecture once."""

import json
import re

import pytest

from minigen import resources
from minigen.notebooks import MACHINE, SIZE_LIMIT, check, parse

LECTURES = [pytest.param(path, id=path.stem) for path in resources.lecture_files()]
every_lecture = pytest.mark.parametrize("path", LECTURES)

GOOD = """# %% [markdown]
# # Lecture 07. A try
# Why.
# %% [markdown]
# **Before you run the next cell**: how large?
# %%
claim("one", "1 = 1", source="S2:1", lhs=1, rhs=1)
# %% [markdown]
# ## Exercises
# %% [markdown]
# ## References
"""


def faults(text, number):
    """What a lecture of DESIGN.md has and this text lacks."""
    cells = parse(text)
    prose = "\n".join(cell.source for cell in cells if cell.kind == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.kind == "code")
    ids = re.findall(r'\b(?:claim|erratum)\(\s*"([^"]+)"', code)
    found = []
    if cells[0].kind != "markdown" or not re.match(rf"# .*\b{number}\b", cells[0].source):
        found.append(f"the first cell is no title with the number {number}")
    if not re.search(r"\bbefore you run\b", prose, re.I):
        found.append("no prediction is asked (`Before you run`)")
    for cell, after in zip(cells, [*cells[1:], None]):
        if re.search(r"\bbefore you run\b", cell.source, re.I) and cell.kind == "markdown":
            if after is None or after.kind != "code":
                found.append(f"line {cell.line}: a prediction without a cell to run after it")
    if not re.search(r"\bclaim\(", code):
        found.append("no claim")
    found += [f"{name} is claimed twice" for name in sorted({n for n in ids if ids.count(n) > 1})]
    for section in ("Exercises", "References"):
        if not re.search(rf"^##+ .*\b{section}\b", prose, re.M | re.I):
            found.append(f"no section {section}")
    return found


def test_there_are_lectures_and_each_notebook_has_its_source():
    sources = resources.lecture_files()
    assert sources
    strays = {p.stem for p in resources.lectures_dir().glob("*.ipynb")} - {p.stem for p in sources}
    assert not strays, "notebooks without a source"
    numbers = [path.name[:2] for path in sources]
    assert len(set(numbers)) == len(numbers), "two lectures of one number"


@every_lecture
def test_the_notebook_is_in_step(path):
    assert check([path]) == []


@every_lecture
def test_a_lecture_is_a_lecture(path):
    assert faults(path.read_text(encoding="utf-8"), path.stem[:2]) == []


@every_lecture
def test_a_lecture_has_its_exercises(path):
    assert (resources.exercises_dir() / path.stem / "solution.py").is_file()


@every_lecture
def test_the_notebook_is_small_shows_a_figure_and_no_machine(path):
    text = path.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert len(text.encode()) <= SIZE_LIMIT
    outputs = [o for cell in json.loads(text)["cells"] for o in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    for output in outputs:
        output.get("data", {}).pop("image/png", None)
        shown = json.dumps(output, ensure_ascii=False).replace("\\n", "\n")
        assert not MACHINE.search(shown), MACHINE.search(shown)[0]


SLIPS = {
    "no title": lambda t: t.replace("# # Lecture", "# Lecture"),
    "number 07": lambda t: t.replace("07", "08"),
    "no prediction": lambda t: t.replace("Before you run", "Run"),
    "prediction without a cell": lambda t: t.replace("# %%\nclaim", "# %% [markdown]\n# ## More\n# %%\nclaim"),
    "no claim": lambda t: t.replace("claim(", "print("),
    "one is claimed twice": lambda t: t.replace("# ## Exercises", '# ## Exercises\n# %%\nerratum(\n    "one",'),
    "no section Exercises": lambda t: t.replace("Exercises", "More"),
    "no section References": lambda t: t.replace("References", "Sources"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_the_definition_rejects(slip):
    assert faults(GOOD, "07") == []
    told = faults(SLIPS[slip](GOOD), "07")
    assert any(slip in fault for fault in told), told
