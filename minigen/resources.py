"""Where the lectures and the exercises are: in a checkout beside the package, in a wheel inside it.

Standard library only, so that every floor and the command line may ask without paying for an import.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def lectures_dir() -> Path:
    """The folder of `NN_topic.py` and `NN_topic.ipynb`; FileNotFoundError when the installation lacks it."""
    return _folder("lectures")


def exercises_dir() -> Path:
    """The folder of `NN_topic/` exercise folders; FileNotFoundError when the installation lacks it."""
    return _folder("exercises")


def lecture_files() -> list[Path]:
    """Every lecture source `NN_topic.py`, in the order of the course."""
    return sorted(lectures_dir().glob("[0-9][0-9]_*.py"))


def find_lecture(name: str) -> Path:
    """The source of one lecture, asked for as "11", "11_vae" or "vae"; ValueError lists what exists."""
    wanted = str(name).removesuffix(".py").removesuffix(".ipynb")
    files = lecture_files()
    for path in files:
        number, topic = path.stem.split("_", 1)
        if wanted in (path.stem, topic) or wanted.zfill(2) == number:
            return path
    known = ", ".join(path.stem for path in files) or "none"
    raise ValueError(f"lecture {name!r} does not exist; there are: {known}")


def _folder(name: str) -> Path:
    # The wheel's own copy first: a checkout never has one, while a package installed with `pip --target`
    # may lie beside a stranger's pyproject.toml and lectures.
    bundled, checkout = PACKAGE / "_bundle" / name, PACKAGE.parent
    if bundled.is_dir():
        return bundled
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise FileNotFoundError(
        f"this installation of minigen has no {name}: neither {bundled} (wheel) nor {checkout / name} "
        "beside a pyproject.toml (checkout) exists; install it again with pip"
    )
