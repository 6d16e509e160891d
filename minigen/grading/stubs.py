"""From one solution file to the student's stub, to mutated solutions, and to the proof that nothing leaks.

Everything works on source text: `# BEGIN SOLUTION` and `# END SOLUTION` (the form that nbgrader and otter accept)
enclose whole statements inside top-level functions.
"""
import ast
import re

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
_LINE, _EXPRESSION = 12, 20
"""Fewer characters than these (spaces apart) say too little to give anything away."""
_LEFT_SIDE = re.compile(r"^(return\b|[\w, .\[\]]+=(?!=))")


def functions(source: str) -> dict[str, ast.FunctionDef]:
    """The top-level functions of a source text, by name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def marked_functions(source: str) -> list[str]:
    """Names of the functions that hold a marked region: those the student writes."""
    spans = [start for start, _ in _regions(source)]
    return [name for name, node in functions(source).items()
            if any(node.lineno <= start + 1 <= node.end_lineno for start in spans)]


def strip(source: str, exercise: str) -> str:
    """The stub: each marked region becomes one `raise NotImplementedError` that names exercise and function."""
    lines, defined = source.splitlines(), functions(source)
    for start, end in reversed(_regions(source)):
        owner = next((n for n, f in defined.items() if f.lineno <= start + 1 and end + 1 <= _last(f, lines)), None)
        if owner is None:
            raise ValueError(f"{exercise}: line {start + 1}: {BEGIN} stands outside a top-level function")
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        message = f'raise NotImplementedError("exercise {exercise}.{owner}: your lines go here")'
        lines[start : end + 1] = [indent + message]
    stub = "\n".join(lines) + "\n"
    ast.parse(stub)
    return stub


def leaked_lines(source: str, stub: str) -> list[str]:
    """Lines of marked regions that the stub still shows, in code, comments or docstrings.

    A line counts as shown with or without its left-hand side, spaces apart; trivial ones do not count.
    """
    lines, shown = source.splitlines(), _squeeze(stub)
    hidden = [line for start, end in _regions(source) for line in lines[start + 1 : end]]
    return [line.strip() for line in hidden if _is_told(line.split("  #")[0].strip(), shown)]


def replace_function(source: str, name: str, definition: str) -> str:
    """The source with the whole top-level function `name` replaced by another definition."""
    node = functions(source).get(name)
    if node is None:
        raise ValueError(f"replace_function: the solution has no top-level function {name!r}")
    lines = source.splitlines()
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "\n".join([*lines[: first - 1], definition.rstrip("\n"), *lines[_last(node, lines) :]]) + "\n"


def _last(node: ast.FunctionDef, lines: list[str]) -> int:
    """Last line of a function, with an END marker that follows its last statement (ast does not see comments)."""
    last = node.end_lineno
    return last + 1 if last < len(lines) and lines[last].strip() == END else last


def _regions(source: str) -> list[tuple[int, int]]:
    """(line of BEGIN, line of END), counted from 0; ValueError when they do not pair up or enclose nothing."""
    found, start = [], None
    for number, line in enumerate(source.splitlines()):
        mark = line.strip()
        if mark not in (BEGIN, END):
            if mark.replace(" ", "").upper() in ("#BEGINSOLUTION", "#ENDSOLUTION"):
                raise ValueError(f"line {number + 1}: {mark!r} is not spelled {BEGIN!r} or {END!r}")
            continue
        if (mark == BEGIN) != (start is None):
            raise ValueError(f"line {number + 1}: {mark} does not pair up")
        if mark == BEGIN:
            start = number
        else:
            if number == start + 1:
                raise ValueError(f"line {number + 1}: the marked region is empty")
            found.append((start, number))
            start = None
    if start is not None:
        raise ValueError(f"line {start + 1}: {BEGIN} has no {END}")
    return found


def _is_told(line: str, shown: str) -> bool:
    whole, expression = _squeeze(line), _squeeze(_LEFT_SIDE.sub("", line))
    return len(whole) >= _LINE and whole in shown or len(expression) >= _EXPRESSION and expression in shown


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)
