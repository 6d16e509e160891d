"""The process that holds a student's file: `python -I -B child.py`, one JSON message per line on each side.

First line in: the configuration. First line out: the isolation layers in force. Second line out: whether the file
could be executed. Then, for each {"function", "driver", "arguments"} in, one {"value"} or {"error"} out.
Everything that decides about points is in the parent; nothing said here, printed or patched can change it but values.
Runs as a script and imports its two neighbours by path, so that it holds nothing of minigen but what is permitted.
"""
import importlib
import importlib.abc
import importlib.util
import json
import os
import sys
import traceback
import types


class OnlyPermitted(importlib.abc.MetaPathFinder):
    """Finds minigen where it is, and refuses those of its modules that the exercise does not permit."""

    def __init__(self, package: str, may_import: list[str]):
        self.package = package
        self.may_import = may_import

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        """The top-level package's spec; None (ask the next finder) where permitted; ImportError elsewhere."""
        if name == "minigen" and self.may_import:
            init = os.path.join(self.package, "__init__.py")
            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=[self.package])
        if name.split(".")[0] != "minigen":
            return None
        if any(f"{m}.".startswith(f"{name}.") or name.startswith(f"{m}.") for m in self.may_import):
            return None
        allowed = ", ".join(self.may_import) or "nothing of minigen"
        raise ImportError(f"{name} cannot be imported in this exercise; allowed: {allowed}")


def withhold(dotted: str) -> None:
    """Replace a function that holds the answer by one that says so, under every name it has in minigen."""
    module, name = dotted.rsplit(".", 1)
    answer = getattr(importlib.import_module(module), name)

    def withheld(*args: object, **kwargs: object) -> None:
        raise NotImplementedError(f"{dotted} is what this exercise asks you to write")

    for room in [m for n, m in sys.modules.items() if n.split(".")[0] == "minigen"]:
        for alias in [k for k, v in vars(room).items() if v is answer]:
            setattr(room, alias, withheld)


def describe(error: BaseException, file: str) -> dict:
    """Type, text, and last line within the student's file, of an exception whose own methods may misbehave."""
    try:
        text = str(error)[:300]
    except BaseException:
        text = "(its text cannot be shown)"
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == file:
            line = frame.lineno
    return {"error": {"kind": type(error).__name__, "text": text, "line": line if type(line) is int else None,
                      "not_done": isinstance(error, NotImplementedError)}}


def load(name: str, file: str, source: bytes) -> types.ModuleType:
    """Execute source as the module `name`, with `file` as its place in tracebacks."""
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    exec(compile(source, file, "exec"), vars(module))
    return module


def main() -> None:
    """Close the doors, load the file, answer until the parent hangs up."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what the student prints goes where errors go, never among the replies
    here = os.path.dirname(os.path.abspath(__file__))
    config = json.loads(requests.readline())
    sys.path[:] = [here, *config["path"]]
    import isolation
    import wire

    del sys.path[0]

    def say(message: dict) -> None:
        replies.write(json.dumps(message).encode() + b"\n")
        replies.flush()

    closed = isolation.confine(config)
    sys.meta_path.insert(0, OnlyPermitted(config["package"], config["may_import"]))
    for dotted in config["withheld"]:
        withhold(dotted)
    drivers = load("drivers", "drivers.py", config["drivers"].encode())
    say({"isolation": closed})
    file = os.path.join(config["writable"], config["name"] + ".py")
    try:
        with open(file, "rb") as handle:
            student = load(config["name"], file, handle.read())
        say({"value": None})
    except BaseException as error:
        say(describe(error, file))
        return
    for line in requests:
        try:
            request = json.loads(line)
            arguments = wire.decode(request["arguments"], seeds=True)
            if request["driver"]:
                value = getattr(drivers, request["driver"])(student, *arguments)
            else:
                value = getattr(student, request["function"])(*arguments)
            answer = {"value": wire.encode(value)}
        except BaseException as error:
            answer = describe(error, file)
        say(answer)


if __name__ == "__main__":
    main()
