"""A printed program says what the program does; its pictures have a box for each step and a place for each value."""

import ast
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minigen import autodiff as ad
from minigen.record import pictures, record
from minigen.record.show import dot, listing, sources

F = np.float32


def small(x, W):
    """One product and three loops; tanh(x W) is asked for twice, e^x for nothing."""
    h = np.tanh(x @ W)
    np.exp(x).sum()
    return np.tanh(x @ W) * 2 + h, h.max(axis=1)


def network(weights, x, rng):
    """A training step: draws, a gradient, an update."""
    def loss(weights, x):
        W, b, v = weights
        return ad.mean(ad.softplus(-(ad.tanh(x @ W + b) @ v)))

    x = x + 0.1 * rng.standard_normal(x.shape, dtype=x.dtype)
    value, slopes = ad.value_and_grad(loss)(weights, x)
    return value, [w - 0.1 * s for w, s in zip(weights, slopes)]


def mixed(x, rng):
    """Views, joined arrays, a check, calls of which one answers a new array, draws of whole numbers."""
    ad.ensure(x > -100, lambda *bad: ValueError("too small"))
    both = np.concatenate([x * 2, np.exp(x).T], axis=0)
    chosen = np.sort(both, axis=0)[rng.integers(0, 4, size=3)]
    return chosen, np.linalg.inv(x) @ both.T.reshape(4, 8), ad.grad(lambda x: ad.sum(ad.exp(x[1:]) * 2))(x)


PROGRAMS = {
    "small": lambda rng: (small, (F(rng.normal(size=(6, 5))), F(rng.normal(size=(5, 3))))),
    "network": lambda rng: (network, ([F(rng.normal(size=s)) for s in [(5, 8), (8,), (8,)]],
                                      F(rng.normal(size=(20, 5))), np.random.default_rng(0))),
    "mixed": lambda rng: (mixed, (np.eye(4) + 0.1 * rng.normal(size=(4, 4)), np.random.default_rng(0))),
    "nothing": lambda rng: (lambda x: x, (np.ones(3),)),
}


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request):
    function, args = PROGRAMS[request.param](np.random.default_rng(1))
    return record(function).program(*args)


def recorded(name):
    function, args = PROGRAMS[name](np.random.default_rng(1))
    return record(function).program(*args)


# ------------------------------------------------------------------------------------------------------------ text

def test_the_listing_word_for_word():
    """Of a program that could hardly be cut into other steps."""
    def waste(x, W, rng):
        np.exp(x)
        x = x + rng.random(2)
        return np.square(np.sqrt(np.absolute(x * 2)) - x).sum(axis=1) @ W, np.absolute(x * 2).max()

    args = np.ones((6, 2)), np.ones((6, 3)), np.random.default_rng(0)
    assert re.sub(" {2,}", "  ", str(record(waste).program(*args))) == """\
13 operations recorded, 2 of them repeated and 1 dead: 10 are left
3 steps: 1 draw, 1 loop in 1 compiled function, 1 product
128 bytes of memory in one block, 64 in use at most at one time; 64 without reuse

arguments  %0 float64 6x2, %1 float64 6x3

step  kind  does  reads  writes
  0  draw  2: random  %3
  1  loop  6x2: add, multiply, absolute, sqrt, subtract, square, add.reduce axis 1,  %0 %3  %10 %12
  maximum.reduce
  2  product  6 @ 6x3  %1 %10  %11

results  %11, %12"""


def test_the_counts_are_those_of_the_function():
    """x W and its tanh twice; e^x and its sum dead; left are the product, tanh, times, plus, max."""
    first, second, _ = str(recorded("small")).splitlines()[:3]
    assert first == "9 operations recorded, 2 of them repeated and 2 dead: 5 are left"
    program = recorded("small")
    kinds = [item.kind for item in program.plan.items]
    assert [int(n) for n in re.findall(r"\d+", second)[:2]] == [len(kinds), kinds.count("product")]
    assert repr(program).startswith(f"Program({len(program.values)} values in {len(kinds)} steps")


def test_equal_loops_are_one_compiled_function():
    program = record(lambda x, W: np.tanh(np.tanh(x @ W) @ W)).program(F(np.ones((6, 4))), F(np.ones((4, 4))))
    assert str(program).splitlines()[1] == "4 steps: 2 products, 2 loops in 1 compiled function"


def body(program, item):
    """The operations that a step goes through, in order."""
    return program.plan.inside(item.values)[0] if item.kind == "loop" else item.values


def rows(text):
    """(step, what it does, orders read, orders written) of every step of a listing."""
    lines = text.splitlines()
    head = next(line for line in lines if line.startswith("step  kind"))
    found = []
    for line in lines[lines.index(head) + 1:]:
        if not line:
            break
        parts = [line[:12], *(line[head.index(a):head.index(b) if b else None]
                              for a, b in [("does", "reads"), ("reads", "writes"), ("writes", None)])]
        if line[:4].strip():
            found.append([int(line[:4]), parts[1].strip(), [], []])
        else:
            found[-1][1] += " " + parts[1].strip()
        for k in (2, 3):
            found[-1][k] += [int(order) for order in re.findall(r"%(\d+)", parts[k])]
    return found


def test_a_step_reads_only_what_is_there(program):
    text = listing(program)
    above = text[:text.index("step  kind")]
    there = {int(order) for order in re.findall(r"%(\d+) ", above)}
    table = rows(text)
    assert [row[0] for row in table] == list(range(len(program.plan.items)))
    for index, _, reads, writes in table:
        assert set(reads) <= there, f"step {index} reads what nobody made"
        assert writes or program.plan.items[index].kind == "check"
        there.update(writes)
    results = text[text.index("results"):].splitlines()[0]
    assert {int(order) for order in re.findall(r"%(\d+)", results)} == program.plan.results


def test_the_listing_is_what_runs():
    """Computed from the table alone: the operations of every step, on what it reads, give what it writes."""
    program = recorded("network")
    flat = [value for item in program.plan.items for value in body(program, item)]
    seen = {v.order for v in flat}
    living = {v.order for v in program.values if v.function is not None and program.plan.kind[v.order] != "view"}
    assert seen == living, "an operation that no step shows, or one that is dead"
    for item in program.plan.items:
        if item.kind == "loop":
            inside = {v.order for v in body(program, item)}
            reads = {v.order for v in program.reads(item)}
            for v in body(program, item):
                for read in v.inputs:
                    assert read.order in inside or program.plan.base(read).order in reads


def test_lines_are_short_and_plain(program):
    for line in [*listing(program).splitlines(), *sources(program).splitlines()]:
        assert len(line) <= 120 and line == line.rstrip()


def test_what_asks_for_memory_is_said():
    assert "inv" in str(recorded("mixed")).split("new arrays")[1]
    assert "new arrays" not in str(recorded("small"))


def test_sources_are_the_generated_functions(program):
    tree = ast.parse(sources(program))
    assert [node.name for node in tree.body] == ["loops"] * len(program.loops)
    assert ast.dump(tree) == ast.dump(ast.parse("\n".join(source for source, _ in program.loops)))
    told = [int(n) for n in re.findall(r"^# step (\d+):", sources(program), re.M)]
    assert told == [i for i, item in enumerate(program.plan.items) if item.kind == "loop"]


def test_dot_has_a_box_for_each_step(program, tmp_path):
    text = dot(program)
    vertices = re.findall(r'^  (\w+) \[label="(.*)", shape=(\w+)\];$', text, re.M)
    arrows = re.findall(r'^  (\w+) -> (\w+) \[label="%(\d+)"\];$', text, re.M)
    assert len(text.splitlines()) == 3 + len(vertices) + len(arrows), "a line that is neither"
    names = [name for name, *_ in vertices]
    assert len(set(names)) == len(names)
    assert sum(shape == "box" for *_, shape in vertices) == len(program.plan.items)
    assert {name for arrow in arrows for name in arrow[:2]} <= set(names)
    wanted = {(f"s{i}", str(order)) for i, _, reads, _ in rows(listing(program)) for order in reads}
    assert {arrow[1:] for arrow in arrows} == wanted
    for tail, tip, _ in arrows:
        assert tip[0] == "s" and (tail[0] == "v" or int(tail[1:]) < int(tip[1:])), "time runs backwards"
    if shutil.which("dot"):
        done = subprocess.run(["dot", "-Tsvg"], input=text, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------------------------------------------- memory

def test_no_two_values_share_a_place_at_one_time(program):
    block = program.block
    for i, (a, begin, first, last) in enumerate(block):
        assert 0 <= begin and begin + a.array.nbytes <= program.bytes_held
        for b, other, start, stop in block[:i]:
            apart = begin >= other + b.array.nbytes or other >= begin + a.array.nbytes
            assert apart or last < start or stop < first, f"%{a.order} and %{b.order}"


def test_lives_span_every_use(program):
    lives = {v.order: (first, last) for v, _, first, last in program.block}
    for index, item in enumerate(program.plan.items):
        for value in [*program.reads(item), *program.writes(item)]:
            first, last = lives.get(value.order, (index, index))
            assert first <= index <= last
    in_use = [sum(v.array.nbytes for v, _, first, last in program.block if first <= index <= last)
              for index in range(len(program.plan.items))]
    assert program.bytes_live == max(in_use, default=0)


def test_the_block_is_where_the_arrays_are():
    program = recorded("network")
    places = {v.order: (program.array(v).ctypes.data, begin) for v, begin, *_ in program.block}
    assert len({address - begin for address, begin in places.values()}) == 1


# -------------------------------------------------------------------------------------------------------- pictures

def rectangles(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_the_picture_of_memory_shows_every_place(program):
    figure = program.draw_memory()
    figure.draw_without_rendering()
    left, right = figure.axes
    wanted = sorted((first, last + 1 - first, v.array.nbytes) for v, _, first, last in program.block)
    for axes in (left, right):
        size = 1e3
        seen = sorted((r.get_x(), r.get_width(), round(r.get_height() * size)) for r in rectangles(axes))
        assert seen == wanted
    heights = sorted((r.get_y(), r.get_height()) for r in rectangles(left))
    assert all(low + height <= high + 1e-9 for (low, height), (high, _) in zip(heights, heights[1:]))
    begins = sorted(round(r.get_y() * 1e3) for r in rectangles(right))
    assert begins == sorted(begin for _, begin, *_ in program.block)


def test_the_picture_of_steps_has_a_box_for_each(program):
    figure = program.draw()
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.axes[0].texts]
    boxes = [text for text in texts if re.match(r"\d+  \w", text)]
    assert len(boxes) == len(program.plan.items)
    written = {v.order for item in program.plan.items for v in program.writes(item) if item.kind != "check"}
    assert written <= {int(text[1:]) for text in texts if re.fullmatch(r"%\d+", text)}


def test_a_picture_fits_into_given_axes():
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert recorded("small").draw(axes[1]) is figure
    assert rectangles(axes[1]) and not rectangles(axes[0])


def test_a_lane_runs_from_who_makes_a_value_to_who_reads_it(program):
    spans = pictures._spans(program)
    table = [row for row in rows(listing(program)) if program.plan.items[row[0]].kind != "check"]
    lasting = {program.plan.base(v).order for v in program.values if v.order in program.plan.results}
    for order, (_, makers, readers, last) in spans.items():
        assert makers == [i for i, _, _, writes in table if order in writes]
        assert set(readers) | set(makers) == {i for i, _, reads, _ in rows(listing(program)) if order in reads} | set(
            makers)
        assert last == (len(program.plan.items) if order in lasting else max(makers + readers))


def test_a_lane_holds_one_value_at_a_time(program):
    spans = pictures._spans(program)
    lanes = pictures._lanes(spans)
    for a, (_, makers, _, last) in spans.items():
        for b, (_, others, _, end) in spans.items():
            assert a == b or lanes[a] != lanes[b] or last < others[0] or end < makers[0]


def test_printing_needs_no_matplotlib():
    code = ("import sys, numpy as np\nfrom minigen.record import record\n"
            "print(record(lambda x: x * 2).program(np.ones(3)))\nassert 'matplotlib' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "multiply" in done.stdout
