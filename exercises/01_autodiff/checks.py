import numpy as np

from minigen.grading import Check, Property, Seed, Value

# ---- softmax_vjp


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True).real)
    return e / e.sum(axis=axis, keepdims=True)


def softmax_rows(rng):
    return softmax(rng.normal(size=(3, 3)), -1), rng.normal(size=(3, 3))


def softmax_columns(rng):
    axis = int(rng.choice([0, 1, -2]))
    return softmax(rng.normal(size=(3, 3, 3)), axis), rng.normal(size=(3, 3, 3)), axis


def softmax_saturated(rng):
    with np.errstate(divide="ignore"):
        x = np.log(np.where(rng.permuted(np.tile([True, True, False, False], (3, 1)), axis=1), 1.0, 0.0))
    x[0] = np.roll([0.0, -np.inf, -np.inf, -np.inf], rng.integers(4))
    return softmax(x + rng.normal(size=x.shape), -1), rng.normal(size=x.shape)


def by_complex_step(y, g, axis=-1):
    """An independent route: x = log y, then the derivative of <g, softmax(x)> along each entry by a complex step."""
    with np.errstate(divide="ignore"):
        x = np.log(y)
    cotangent = np.empty(y.shape)
    for i in np.ndindex(y.shape):
        moved = x.astype(complex)
        moved[i] += 1e-30j
        cotangent[i] = np.sum(g * softmax(moved, axis).imag) / 1e-30
    return cotangent


# ---- matmul_vjp


def stacks(*shapes):
    """Draws g, A and B for the shapes of A and B."""
    def draw(rng):
        A, B = (rng.normal(size=shape) for shape in shapes)
        return rng.normal(size=(A @ B).shape), A, B

    return draw


def by_basis(g, A, B):
    """An independent route: A @ B is linear in each factor; the cotangent of an entry is <g, product of its basis>."""
    def cotangent(shape, product):
        basis = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        return np.array([np.sum(g * product(E)) for E in basis]).reshape(shape)

    return cotangent(A.shape, lambda E: E @ B), cotangent(B.shape, lambda E: A @ E)


# ---- reverse_pass


def shuffled(rng, links, output):
    """The same program with its values numbered at random."""
    new = rng.permutation(len(links))
    told = [None] * len(links)
    for k, made_from in enumerate(links):
        told[new[k]] = [(int(new[j]), float(slope)) for j, slope in made_from]
    return told, int(new[output])


def slopes(rng, n):
    return rng.choice([-1, 1], n) * rng.uniform(0.5, 1.5, n)


def diamonds(rng):
    """Two diamonds, one above the other, each with a short arm and a long one; numbered in the order of computation."""
    return uneven_diamonds(rng, 2)


def uneven_diamonds(rng, count):
    """Bottom -> top directly, and bottom -> one -> two -> top; a step joins each top to the next bottom."""
    links, last = [[]], 0
    for _ in range(count):
        n, s = len(links), slopes(rng, 5)
        links += [[(last, s[0])], [(n, s[1])], [(n + 1, s[2])], [(n, s[3]), (n + 2, s[4])]]
        last = n + 3
    return [[(j, float(slope)) for j, slope in made_from] for made_from in links], last


def backwards(links, output):
    """The same program, its values numbered from the output down."""
    top = len(links) - 1
    return [[(top - j, slope) for j, slope in made_from] for made_from in links[::-1]], top - output


def diamonds_out_of_order(rng):
    return shuffled(rng, *uneven_diamonds(rng, 3))


def squares(rng):
    """u * u, three times over: two links to one value."""
    return [[], *([(k, float(slope)) for slope in slopes(rng, 2)] for k in range(3))], 3


def output_inside(rng):
    """Values computed from the output, and values that lead elsewhere."""
    s = slopes(rng, 8)
    links = [[], [], [(0, s[0]), (1, s[1])], [(2, s[2]), (0, s[3])], [(3, s[4]), (1, s[5])], [(1, s[6])], [(2, s[7])]]
    return backwards([[(j, float(slope)) for j, slope in made_from] for made_from in links], 3)


def long_chain(rng):
    """Two thousand values, each made from the one before."""
    return [[], *([(k, float(slope))] for k, slope in enumerate(np.exp(0.01 * rng.normal(size=2000))))], 2000


def many_paths(rng):
    """Forty squarings: 80 links, 2^40 paths."""
    return [[]] + [[(k, 0.5), (k, float(rng.uniform(0.4, 0.6)))] for k in range(40)], 40


def by_solving(links, output):
    """An independent route: dv = S dv + dv_k, so row `output` of the inverse of 1 - S holds the answer."""
    S = np.zeros((len(links), len(links)))
    for k, made_from in enumerate(links):
        for j, slope in made_from:
            S[k, j] += slope
    return np.linalg.solve(np.eye(len(links)).T - S.T, np.eye(len(links))[output])


def by_cumulative_product(links, output):
    """The chain has one path from each value to the output: the product of what lies between."""
    between = [made_from[0][1] for made_from in links[:0:-1]]
    return np.cumprod([1.0, *between])[::-1]


# ---- accepts


def tanh_candidates(errors, scale=1.0, size=1.0):
    """Draws A and, for each error, one B: A itself, A with one entry off, or A off as a whole."""
    def draw(rng):
        A = rng.choice([-1, 1], (4, 5)) * rng.uniform(0.3, 0.8, (4, 5))
        candidates = []
        for kind, error in errors:
            B = A.copy()
            B[(rng.integers(1, 4), rng.integers(5)) if kind == "entry" else ...] *= 1 + error
            candidates.append(B)
        candidates = [candidates[i] for i in rng.permutation(len(candidates))]
        return A, candidates, scale * rng.uniform(0.5, 1, (3, 4)), scale, size, Seed(int(rng.integers(2**31)))

    return draw


RIGHT, WRONG = [("whole", 0.0)] * 3, [("entry", 0.01), ("whole", 0.01)]


def permutations(rng):
    """f is a transpose; candidates are the transpose, a reshape, and a flip."""
    right = np.eye(12)[np.arange(12).reshape(3, 4).T.ravel()]
    candidates = [right, np.eye(12), right[::-1]]
    candidates = [candidates[i] for i in rng.permutation(3)]
    return right, candidates, rng.normal(size=(3, 4)), (4, 3), Seed(int(rng.integers(2**31)))


def softmax_candidates(rng):
    candidates = [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.5, 0.5)]
    return [candidates[i] for i in rng.permutation(4)], rng.normal(size=5), Seed(int(rng.integers(2**31)))


def same_matrix(verdicts, A, candidates, *rest):
    return verdict_on(verdicts, [np.array_equal(A, B) for B in candidates])


def ones(verdicts, candidates, *rest):
    return verdict_on(verdicts, [pair == (1.0, 1.0) for pair in candidates])


def verdict_on(verdicts, truth):
    """One sentence where a verdict is not a bool or is wrong."""
    if not isinstance(verdicts, list) or not all(isinstance(v, bool) for v in verdicts):
        return "accepts should return True or False"
    missed = sum(v and not right for v, right in zip(verdicts, truth))
    refused = sum(right and not v for v, right in zip(verdicts, truth))
    said = f"{missed} wrong pullbacks were accepted, {refused} right ones refused"
    return said if missed or refused else None



# ---- worth_computing


def interleaved(rng, entries, results):
    """The same program in another order of computation, each value still after those that it is made from."""
    order, waiting = [], list(rng.permutation(len(entries)))
    while waiting:
        k = next(k for k in waiting if all(j in order for j in entries[k][1]))
        waiting.remove(k)
        order.append(k)
    return [(entries[k][0], [order.index(j) for j in entries[k][1]]) for k in order], [order.index(k) for k in results]


def operations(rng):
    return [str(name) for name in rng.permutation(["add", "subtract", "multiply", "divide", "power"])]


def asked_twice(rng):
    f, g, h, *_ = operations(rng)
    return interleaved(rng, [("x", []), ("y", []), (f, [0, 1]), (g, [2, 0]), (f, [0, 1]), (h, [3, 4])], [5])


def in_vain(rng):
    """Three values that lead nowhere, one from the other, beside a product that is wanted."""
    f, g, h, *_ = operations(rng)
    dead = [(g, [2, 1]), (h, [3, 2]), (f, [4, 0])]
    return interleaved(rng, [("x", []), ("y", []), (f, [0, 1]), *dead, (h, [0, 1])], [6, 2])


def twice_over(rng):
    """Two copies of one calculation of three steps, and a result of each."""
    f, g, h, *_ = operations(rng)
    copy = [("x", []), ("y", []), (f, [0, 1]), (g, [2, 0]), (h, [3, 2])]
    again = [("x", []), ("y", []), (f, [5, 6]), (g, [7, 5]), (h, [8, 7])]
    return interleaved(rng, [*copy, *again, (f, [4, 9])], [10, 8])


def swapped(rng):
    f, g, h, *_ = operations(rng)
    return interleaved(rng, [("x", []), ("y", []), (f, [0, 1]), (f, [1, 0]), (g, [2, 3]), (h, [0, 0])], [4])


def with_draws(rng):
    """Two draws that are used alike, and one that nobody uses but what is dead."""
    f, g, h, *_ = operations(rng)
    entries = [("x", []), ("draw", []), ("draw", []), ("draw", []), (f, [0, 1]), (f, [0, 2]), (g, [4, 5]), (h, [3, 0])]
    return interleaved(rng, entries, [6])


def second_wanted(rng):
    """Of two equal values the second is the result, and nobody reads the first."""
    f, g, *_ = operations(rng)
    return [("x", []), (f, [0, 0]), (g, [0, 0]), (f, [0, 0])], [3]


def by_formulas(program, results):
    """An independent route: every value written out as a formula; equal values read alike, parts occur in the whole."""
    told = []
    for k, (operation, arguments) in enumerate(program):
        parts = " ".join(told[j] for j in arguments)
        told.append(f"<{operation} {k}>" if operation == "draw" else f"({operation} {parts})")
    return np.array([k for k, formula in enumerate(told) if told.index(formula) == k
                     and (program[k][0] == "draw" or any(formula in told[result] for result in results))])


def two_long_chains(rng):
    """x + x, twice that, twice that, ...: two thousand times, each step done twice over; the second copy is wanted."""
    doubled = [("add", [j, j]) for j in range(4000)]
    return [("x", []), ("x", []), *doubled], [4001]


def every_other(program, results):
    """The chains are written alternately, and all of the first is needed."""
    return np.arange(0, len(program), 2)


CHECKS = [
    Check("softmax, rows", "softmax_vjp", points=2, inputs=softmax_rows, expected=by_complex_step,
          states="the cotangent of x_j is the sum over i of g_i dy_i/dx_j, along the last axis",
          hint="write dy_i = y_i (dx_i - ...) from d log y, then collect the factor of each dx_j in <g, dy>"),
    Check("softmax, another axis", "softmax_vjp", points=2, visibility="hidden",
          states="each slice along `axis` has its own softmax, and its own sum",
          inputs=softmax_columns, expected=by_complex_step, hint="which numbers were divided by the same sum?"),
    Check("softmax, saturated", "softmax_vjp", visibility="hidden",
          states="entries of y that are exactly 0 or 1 are allowed",
          inputs=softmax_saturated, expected=by_complex_step, hint="neither log y nor a division by y is needed"),

    Check("two matrices", "matmul_vjp", inputs=stacks((3, 3), (3, 3)), expected=by_basis,
          states="<g, dA B + A dB> = <cotangent of A, dA> + <cotangent of B, dB>",
          hint="move B, then A, to the other side of the inner product; what becomes of a factor that changes sides?"),
    Check("broadcast stacks", "matmul_vjp", inputs=stacks((2, 3, 3), (3, 3)), expected=by_basis,
          states="a matrix that was used many times gets the sum over its uses",
          hint="a cotangent has the shape of its argument: which axes did broadcasting add?"),
    Check("stacks of one shape", "matmul_vjp", visibility="hidden", states="each matrix of a stack is on its own",
          inputs=stacks((3, 3, 3), (3, 3, 3)), expected=by_basis,
          hint="the axes of the stack stay where they are, unless broadcasting made them"),
    Check("axes of length one", "matmul_vjp", visibility="hidden",
          states="an axis of length 1 that was stretched keeps its length 1",
          inputs=stacks((2, 1, 3, 3), (4, 3, 3)), expected=by_basis,
          hint="there are two ways to be broadcast: to lack an axis, and to have one of length 1"),

    Check("diamonds in order", "reverse_pass", inputs=diamonds, expected=by_solving,
          states="v_j acts on the output through everything that was made from it",
          hint="a value that is used twice is sent two cotangents: what becomes of them, and when are both there?"),
    Check("squares", "reverse_pass", states="a step may use one value twice", inputs=squares, expected=by_solving,
          hint="two pairs with the same j are two links"),
    Check("diamonds out of order", "reverse_pass", points=2, visibility="hidden",
          states="a cotangent is passed on when it is complete, not before, whatever the numbers of the values",
          inputs=diamonds_out_of_order, expected=by_solving,
          hint="how do you know that every user of a value has sent its part?"),
    Check("output inside", "reverse_pass", visibility="hidden", inputs=output_inside, expected=by_solving,
          states="only the output starts with 1; what does not lead to it gets 0",
          hint="values made after the output do not act on it"),
    Check("two thousand in a row", "reverse_pass", points=0.5, visibility="hidden", draws=1,
          states="long programs work", inputs=long_chain, expected=by_cumulative_product,
          hint="Python allows about 1000 nested calls"),
    Check("a million million paths", "reverse_pass", points=0.5, visibility="hidden", draws=1,
          states="every link is followed once", inputs=many_paths, expected=by_solving,
          hint="add up first, then pass on"),

    Check("one percent", "accepts", points=3, driver="judge_tanh", compare=Property(),
          states="right pullbacks are accepted, 1 % is found",
          inputs=tanh_candidates(RIGHT + WRONG), expected=same_matrix,
          hint="compare <pullback(g), v> with <g, f(x + hv) - f(x - hv)> / 2h"),
    Check("one in a thousand", "accepts", visibility="hidden", driver="judge_tanh", compare=Property(),
          states="right pullbacks are accepted, 0.1 % is found",
          inputs=tanh_candidates(RIGHT + [("entry", 0.001), ("whole", -0.001)]), expected=same_matrix,
          hint="how exact are central differences? Your tolerance can be nearly as small; and draw more than once"),
    Check("a reshape is no transpose", "accepts", points=2, visibility="hidden", driver="judge_linear",
          states="numbers sent to the wrong places are found", compare=Property(),
          inputs=permutations, expected=same_matrix, hint="which cotangent does not notice where its entries go?"),
    Check("softmax", "accepts", points=2, visibility="hidden", driver="judge_softmax", compare=Property(),
          states="wrong gradients of softmax are found", inputs=softmax_candidates, expected=ones,
          hint="the entries of softmax(x) sum to 1, whatever x is"),
    Check("huge x", "accepts", points=2, visibility="hidden", driver="judge_tanh", states="x may be of size 1e6",
          inputs=tanh_candidates(RIGHT + WRONG, scale=1e6), expected=same_matrix, compare=Property(),
          hint="a step that is right for x of size 1 is lost in the rounding of f where x is of size 1e6"),
    Check("tiny f", "accepts", points=2, visibility="hidden", driver="judge_tanh", states="f may be of size 1e-9",
          inputs=tanh_candidates(RIGHT + WRONG, size=1e-9), expected=same_matrix, compare=Property(),
          hint="small compared to what?"),

    Check("asked for twice", "worth_computing", inputs=asked_twice, expected=by_formulas,
          states="of equal values only the first is computed",
          hint="what tells two values apart? Keep a dict of what has been made already"),
    Check("in vain", "worth_computing", inputs=in_vain, expected=by_formulas,
          states="what no result needs, directly or through others, is not computed",
          hint="begin at the results, and go through the list backwards"),
    Check("twice over", "worth_computing", points=2, visibility="hidden", inputs=twice_over, expected=by_formulas,
          states="values are equal if their arguments are equal, not only if they are the same",
          hint="when a value turns out to be an old one, what should those that use it be told?"),
    Check("x - y and y - x", "worth_computing", visibility="hidden", inputs=swapped, expected=by_formulas,
          states="the order of the arguments matters",
          hint="how does your key look for subtract 0 1, and how for subtract 1 0?"),
    Check("draws", "worth_computing", points=2, inputs=with_draws, expected=by_formulas,
          states="every draw happens, and each is another number",
          hint="a draw does two things: it answers, and it changes the generator"),
    Check("the second is wanted", "worth_computing", visibility="hidden", inputs=second_wanted, expected=by_formulas,
          states="the first of equal values is the one that is computed",
          hint="which comes first in your function, repeated work or dead code?"),
    Check("two long chains", "worth_computing", visibility="hidden", draws=1, inputs=two_long_chains,
          expected=every_other, states="a value is looked at once, however many ways lead to it",
          hint="Python allows about 1000 nested calls; formulas double in length when they are written out"),
]
