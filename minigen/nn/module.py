"""A module is an object whose attributes hold Tensors and other modules; everything else follows from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from minigen.autodiff import Tensor

from .checking import float_type


class Module:
    """f(x; theta), where theta are the Tensors found in the attributes, also inside lists, tuples, dicts and modules.

    A Tensor that requires a gradient is a parameter; one that does not (a running mean, a persistent chain) is state
    that is saved and loaded, but not trained. What is held at several places is counted once, under its first name.
    Subclasses write `forward`, and `title` where the class name says too little. `Module.changes` counts how often an
    attribute of any module was set: what was recorded before such a change may no longer be what a module does.
    """

    changes = 0

    def __setattr__(self, name: str, value: Any) -> None:
        Module.changes += 1
        object.__setattr__(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """f(x); what a call of the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: write it, or call its other methods")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def title(self) -> str:
        """How the module calls itself in `repr` and in errors, as `Linear(4 -> 3)`."""
        return type(self).__name__

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, Tensor) of parameters and of state that is not trained, in the order of the attributes.

        Raises ValueError when two Tensors have one name, as under the dict keys 1 and "1".
        """
        names = set()
        for name, tensor in _tensors(self, "", {id(self)}):
            if name in names:
                raise ValueError(f"{type(self).__name__}: two Tensors are named {name!r}; rename one of them")
            names.add(name)
            yield name, tensor

    def submodules(self) -> Iterator[Module]:
        """The module itself and every module inside, each once."""
        seen, waiting = set(), [self]
        while waiting:
            module = waiting.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield module
                waiting += [item for _, item in _held(module, "") if isinstance(item, Module)]

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, Tensor) of every parameter, in the order of the attributes."""
        return ((name, tensor) for name, tensor in self.named_tensors() if tensor.requires_grad)

    def parameters(self) -> list[Tensor]:
        """Every parameter once."""
        return [tensor for _, tensor in self.named_parameters()]

    def state_dict(self) -> dict[str, np.ndarray]:
        """{dotted name: copy of the array} of parameters and of state that is not trained."""
        return {name: tensor.numpy() for name, tensor in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Write the arrays of `state_dict` back, converted to the precision of the module.

        Raises ValueError, before anything is written, that lists every name that is missing, unexpected or of
        another shape; RuntimeError while a tape that recorded a parameter is alive.
        """
        tensors = dict(self.named_tensors())
        faults = [f"{name} is missing" for name in tensors if name not in state]
        faults += [f"{name} is unexpected" for name in state if name not in tensors]
        for name in tensors.keys() & state.keys():
            array, here = np.asarray(state[name]), tensors[name]
            if array.dtype.kind not in "buif":
                faults.append(f"{name} has dtype {array.dtype}, expected {here.dtype}")
            elif array.shape != here.shape:
                faults.append(f"{name} has shape {array.shape}, expected {here.shape}")
        if faults:
            raise ValueError(f"{self.title()}: the state does not fit: {'; '.join(sorted(faults))}")
        for name, tensor in tensors.items():
            overwrite(tensor, state[name], name)

    def astype(self, dtype: Any) -> Self:
        """The module itself, its float32 or float64 Tensors converted. Make its optimiser afterwards."""
        dtype = float_type(dtype, f"{self.title()}.astype")
        for _, tensor in self.named_tensors():
            if tensor.dtype.kind == "f":
                tensor.data, tensor.grad = tensor.data.astype(dtype), None
        return self

    def __repr__(self) -> str:
        return "\n".join(_lines(self, "", "", {id(self)}))


def overwrite(tensor: Tensor, array: Any, name: str) -> None:
    """tensor.data[...] = array, in place, so that whoever holds the array sees it.

    Raises RuntimeError while a tape holds the array: its gradients would be wrong afterwards.
    """
    if not tensor.data.flags.writeable:
        raise RuntimeError(f"{name} cannot be written: a tape that recorded it is alive; call backward first, drop "
                           "the Tensors computed from it, or compute them inside no_grad()")
    tensor.data[...] = array


def _held(holder: Any, path: str) -> Iterator[tuple[str, Tensor | Module]]:
    """(name, Tensor or Module) that a module holds itself; containers are looked through."""
    if isinstance(holder, Module):
        items = vars(holder).items()
    elif isinstance(holder, Mapping):
        items = holder.items()
    elif isinstance(holder, list | tuple):
        items = enumerate(holder)
    else:
        return
    for key, item in items:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(item, Module) or (isinstance(item, Tensor) and item.node is None):
            yield name, item
        else:
            yield from _held(item, name)


def _tensors(module: Module, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    for name, item in _held(module, path):
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            yield name, item
        else:
            yield from _tensors(item, name, seen)


def _lines(module: Module, name: str, indent: str, seen: set[int]) -> Iterator[str]:
    """One line per module: its name in its parent, its title, its number of parameters."""
    count = sum(p.size for p in module.parameters())
    noun = "parameter" if count == 1 else "parameters"
    yield f"{indent}{name + ': ' if name else ''}{module.title()}, {count:,} {noun}"
    for key, item in _held(module, ""):
        if isinstance(item, Tensor):
            continue
        if id(item) in seen:
            yield f"{indent}  {key}: {item.title()}, shared"
        else:
            seen.add(id(item))
            yield from _lines(item, key, indent + "  ", seen)
