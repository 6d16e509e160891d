"""The worked example of exercises/README.md, written out as a folder: what authors read is what is tested."""
import re
from pathlib import Path

import pytest

from minigen.grading import build_stubs, load_exercise

README = Path(__file__).parents[2] / "exercises" / "README.md"
BLOCK = re.compile(r"^`(\w+\.py)`[^\n]*\n```python\n(.*?)^```", re.M | re.S)
EXAMPLE = dict(BLOCK.findall(README.read_text(encoding="utf-8")))
SOLUTION = EXAMPLE["solution.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exercise folder 90_demo."""
    home = tmp_path / "exercises" / "90_demo"
    home.mkdir(parents=True)
    for name, text in EXAMPLE.items():
        (home / name).write_text(text, encoding="utf-8")
    build_stubs(root=home.parent)
    return home


@pytest.fixture
def exercise(folder: Path):
    """The same, read."""
    return load_exercise(folder)
