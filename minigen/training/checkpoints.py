"""Checkpoints: one .npz without pickle that appears whole or not at all.

Members: `meta`, the UTF-8 bytes of a JSON object, and the arrays `model/NAME`, `optimizer/NAME`, `ema/NAME`,
`best/NAME`. A new one is written beside the old, forced to disk, and then takes its name in one atomic step.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigen.nn import Module

FORMAT = "minigen checkpoint 1"
NAME = "checkpoint.npz"
KEYS = ("model", "config", "dtype", "optimizer", "ema", "weights", "rng", "data", "position")


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, read, or used for this run; names the file and the reason."""


@dataclass(slots=True)
class Checkpoint:
    """A run at one step: `meta` (JSON: model, config, optimizer, generator, position, history) and `arrays`."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def model(self) -> str:
        """The class name of the model."""
        return self.meta["model"]

    @property
    def config(self) -> dict[str, Any] | None:
        """The model's `.config`, from which it can be made again."""
        return self.meta["config"]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The history so far, one record per finished epoch."""
        return self.meta["position"]["records"]

    def section(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of "model", "optimizer", "ema" or "best", by their own names; empty where there are none."""
        return {key.removeprefix(f"{name}/"): a for key, a in self.arrays.items() if key.startswith(f"{name}/")}

    def weights(self) -> dict[str, np.ndarray]:
        """The state that `fit` leaves in the model: the best under early stopping, else the average, else the last."""
        if self.meta["weights"] == "best" and (best := self.section("best")):
            return best
        averages = self.section("ema") if self.meta["weights"] == "ema" else {}
        return {name: averages.get(f"average.{name}", array) for name, array in self.section("model").items()}


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Put the checkpoint at `path`, whole or not at all; raises CheckpointError, and the old one is untouched."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    meta = json.dumps({"format": FORMAT, **checkpoint.meta}).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.savez(file, meta=np.frombuffer(meta, np.uint8), **checkpoint.arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _force_to_disk(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        kept = "; the one that is there is intact" if os.path.exists(path) else ""
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error}){kept}") from error


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The checkpoint in a file, or in a folder that `fit` wrote to.

    Raises CheckpointError when it is missing, damaged, holds a pickle, or was written by something else.
    """
    from minigen.data import DataError, read_npz

    path = _file(path)
    try:
        # members are stored unpacked, so the file itself bounds what may come out of it
        arrays = read_npz(path, max_bytes=path.stat().st_size)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    meta = _meta(arrays.pop("meta", None))
    if meta.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is not a checkpoint of this package (format {meta.get('format')!r}; expected "
                              f"{FORMAT!r})")
    if missing := [key for key in KEYS if key not in meta]:
        raise CheckpointError(f"{path}: its meta lacks {', '.join(missing)}")
    return Checkpoint(meta, arrays)


def load_weights(model: Module, path: str | Path) -> Checkpoint:
    """Give `model` the weights that `fit` left in it (see Checkpoint.weights); returns the whole checkpoint.

    Raises CheckpointError for a file that cannot be read or does not fit the model.
    """
    checkpoint = read_checkpoint(path)
    try:
        model.load_state_dict(checkpoint.weights())
    except ValueError as error:
        raise CheckpointError(f"{_file(path)}: {error}") from error
    return checkpoint


def encode_generator(rng: np.random.Generator) -> dict[str, Any]:
    """The state of any NumPy bit generator as a JSON object."""
    return json.loads(json.dumps(rng.bit_generator.state, default=_array_to_json))


def decode_generator(state: dict[str, Any], rng: np.random.Generator) -> None:
    """Set `rng` to an encoded state; raises ValueError when it is a generator of another kind."""
    kind = type(rng.bit_generator).__name__
    if state.get("bit_generator") != kind:
        raise ValueError(f"holds the state of a {state.get('bit_generator')}, but rng is a {kind}")
    rng.bit_generator.state = _arrays_from_json(state)


def _file(path: str | Path) -> Path:
    return Path(path) / NAME if Path(path).is_dir() else Path(path)


def _array_to_json(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return {"ndarray": array.tolist(), "dtype": str(array.dtype)}
    return array.item()


def _arrays_from_json(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {"ndarray", "dtype"}:
        return np.array(tree["ndarray"], tree["dtype"])
    return {key: _arrays_from_json(value) for key, value in tree.items()}


def _meta(array: np.ndarray | None) -> dict[str, Any]:
    try:
        meta = json.loads(array.tobytes())
    except (AttributeError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def _force_to_disk(folder: Path) -> None:
    """A file's new name is on disk only when its folder is; Windows has no such call."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
