"""Drawings of a tape: the text tree word for word, the DOT text by a small parser and by Graphviz where it is there."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from minigen import autodiff as ad


def leaf(data):
    """A Tensor that requires a gradient."""
    return ad.Tensor(data, requires_grad=True)


def example():
    """A loss with a shared result, a constant, settings, and arrays too large to show."""
    x, W = leaf([1.0, 2.0]), leaf(np.zeros((2, 5)))
    h = ad.tanh(x @ W)
    loss = ad.sum(h * h, axis=0) + ad.mean(h[1:3]) * 2 + ad.sum(np.arange(5.0) * h)
    return loss, x, W, h


def test_the_tree():
    loss, x, W, h = example()
    assert ad.draw(loss, x=x, h=h) == """\
add () 0.
├─ add () 0.
│  ├─ sum(axis=0) () 0.
│  │  └─ multiply (5,)
│  │     ├─ h = tanh (5,)   #1
│  │     │  └─ matmul (5,)
│  │     │     ├─ x (2,) [1., 2.]
│  │     │     └─ leaf (2, 5)
│  │     └─ #1 again
│  └─ multiply(2) () 0.
│     └─ mean () 0.
│        └─ getitem(1:3) (2,) [0., 0.]
│           └─ #1 again
└─ sum () 0.
   └─ multiply (5,)
      ├─ #1 again
      └─ constant (5,)"""


def test_two_shared_results_have_two_numbers():
    x = leaf(1.0)
    a = x + 1.0
    b = a * a
    lines = ad.draw(b + b).splitlines()
    assert [line.split("#")[1] for line in lines if "#" in line] == ["1", "2", "2 again", "1 again"]


def test_leaves_constants_and_settings():
    assert ad.draw(leaf([1.0, 0.123456])) == "leaf (2,) [1.    , 0.1235]"
    assert ad.draw(ad.Tensor(3.0), c=ad.Tensor(4.0)) == "constant () 3."
    c = ad.Tensor([1.0, 2.0])
    assert ad.draw(leaf(2.0) * c, c=c).splitlines()[2] == "└─ c (2,) [1., 2.]"
    x = leaf(np.zeros((2, 3)))
    for y, first in ((ad.linear(x, np.ones((3, 2)), None, "relu"), "linear(relu) (2, 2) [[0., 0.], [0., 0.]]"),
                     (x[0, ..., ::-2], "getitem(0, ..., ::-2) (2,) [0., 0.]"),
                     (ad.sum(x, axis=1, keepdims=True), "sum(axis=1, keepdims=True) (2, 1) [[0.], [0.]]")):
        assert ad.draw(y).splitlines()[0] == first


def test_drawing_leaves_the_tape_as_it_was_and_a_freed_tape_is_named():
    loss, x, _, _ = example()
    ad.draw(loss)
    ad.dot(loss)
    loss.backward()
    assert x.grad is not None
    for draw in (ad.draw, ad.dot):
        with pytest.raises(RuntimeError, match="tape of 'add' was freed"):
            draw(loss)


def test_a_long_chain_does_not_recurse():
    x = y = leaf(1.0)
    for _ in range(2000):
        y = y + 1.0
    assert len(ad.draw(y).splitlines()) == 2001
    assert ad.dot(y).count("->") == 2000
    assert ad.dot(y, x=x).count("x () 1.") == 1


def parse(text):
    """The labels and shapes of the vertices, and the arrows, of DOT text as `dot` writes it."""
    first, second, *statements, last = text.splitlines()
    assert (first, second, last) == ("digraph tape {", "  rankdir=BT;", "}")
    vertices, arrows = {}, []
    for statement in statements:
        if found := re.fullmatch(r'  (\w+) \[label="((?:[^"\\\n]|\\["\\n])*)", shape=(\w+)\];', statement):
            assert found[1] not in vertices
            vertices[found[1]] = (re.sub(r'\\(["\\])', r"\1", found[2]), found[3])
        else:
            arrow = re.fullmatch(r"  (\w+) -> (\w+);", statement)
            assert arrow and {arrow[1], arrow[2]} <= set(vertices), statement
            arrows.append((arrow[1], arrow[2]))
    return vertices, arrows


def test_dot_has_each_vertex_once_and_an_arrow_for_each_use():
    loss, x, W, h = example()
    vertices, arrows = parse(ad.dot(loss, x=x, h=h))
    labels = sorted(vertices.values())
    assert labels.count(("h = tanh (5,)", "box")) == 1 and labels.count(("x (2,) [1., 2.]", "ellipse")) == 1
    assert ("constant (5,)", "plaintext") in labels and ("leaf (2, 5)", "ellipse") in labels
    used = [vertices[a][0] + " -> " + vertices[b][0] for a, b in arrows]
    assert used.count("h = tanh (5,) -> multiply (5,)") == 3 and "h = tanh (5,) -> getitem(1:3) (2,) [0., 0.]" in used
    assert used.count("matmul (5,) -> h = tanh (5,)") == 1
    assert len(vertices) == 14 and len(arrows) == 16


def test_names_with_quotes_and_backslashes_are_escaped():
    x = leaf(1.0)
    vertices, _ = parse(ad.dot(x, **{'a "b" \\ c': x}))
    assert list(vertices.values()) == [('a "b" \\ c () 1.', "ellipse")]


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it():
    loss, x, W, h = example()
    text = ad.dot(loss, **{"x": x, 'the "weights" \\': W})
    drawn = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r"^node ", drawn, re.M)) == 14 and len(re.findall(r"^edge ", drawn, re.M)) == 16
