import numpy as np

from minigen.checks import numeric_log_det
from minigen.grading import Check, Property, Value


def short_and_long(rng):
    """One direction, shorter than 1, with u that points far against it."""
    w = rng.normal(size=3)
    w *= rng.uniform(0.2, 0.5) / np.linalg.norm(w)
    return w, -w / (w @ w) * rng.uniform(4, 8) + rng.normal(size=3)


def long_direction(rng):
    w = rng.normal(size=4)
    w *= rng.uniform(2, 4) / np.linalg.norm(w)
    return w, rng.normal(size=4) + w


def far(rng):
    w = np.array([2.0, 1.0]) * rng.uniform(1, 2)
    return w, w / (w @ w) * rng.choice([-1, 1]) * rng.uniform(200, 600)


def by_least_squares(w, u):
    """The same point by another route: fix the component along w, keep what is orthogonal to it."""
    n = w / np.linalg.norm(w)
    with np.errstate(over="ignore"):
        wanted = (w @ u if w @ u > 50 else np.log1p(np.exp(w @ u))) - 1
    return (np.eye(len(w)) - np.outer(n, n)) @ u + n * wanted / np.linalg.norm(w)


def keeps_the_ridge_monotone(answer, w, u):
    if np.shape(answer) != w.shape:
        return f"the answer has shape {np.shape(answer)}, expected {w.shape}"
    a = np.linspace(-4, 4, 801)
    rises = np.diff(a + (w @ answer) * np.tanh(a))
    return None if (rises > 0).all() else "the ridge folds: w'x + b goes down somewhere on the way up"


def ridge(rng, n=5, d=3):
    w, u = rng.normal(size=d), rng.normal(size=d)
    if rng.random() < 0.5:
        u = -u
    u += w * (rng.uniform(0.5, 2.0) - w @ u) / (w @ w)
    return rng.normal(size=(n, d)), w, u, rng.uniform(0.3, 1.0)


def shrinking(rng):
    """A ridge that contracts: w'u in (-0.9, -0.5), where the sign of log-det shows."""
    x, w, u, b = ridge(rng)
    return x, w, u + w * (rng.uniform(-0.9, -0.5) - w @ u) / (w @ w), b


def apply_ridge(x, w, u, b):
    return x + np.tanh(x @ w + b)[:, None] * u


def ridge_log_det(x, w, u, b):
    return numeric_log_det(lambda y: apply_ridge(y, w, u, b), x)


def wide(rng):
    d = 20_000
    w = rng.normal(size=d) / np.sqrt(d)
    return rng.normal(size=(2, d)), w, rng.normal(size=d) * 0.1 + w, 0.2


def wide_log_det(x, w, u, b):
    """log|det(I + u v')| by its only eigenvalue that is not 1."""
    return np.array([np.log(np.abs(1 + u @ (w / np.cosh(row @ w + b) ** 2))) for row in x])


def image(rng):
    x, w, u, b = ridge(rng, n=40)
    return apply_ridge(x, w, u, b), w, u, b


def steep(rng):
    """w'u = -0.99: the slope is 0.01 in the middle of the ridge, far rows are far from where they came."""
    w, u = rng.normal(size=2), rng.normal(size=2)
    u += w * (-0.99 - w @ u) / (w @ w)
    return 3 * rng.normal(size=(40, 2)), w, u, 0.5


def strong(rng):
    """w'u large: Newton's method from z overshoots here."""
    w = rng.normal(size=2)
    w *= 4 / np.linalg.norm(w)
    return 20 * rng.normal(size=(60, 2)), w, 20 * w / np.linalg.norm(w), 0.5


def goes_back(answer, z, w, u, b):
    if np.shape(answer) != z.shape:
        return f"the answer has shape {np.shape(answer)}, expected {z.shape}"
    off = np.abs(apply_ridge(np.asarray(answer), w, u, b) - z).max()
    return None if off < 1e-8 * (1 + np.abs(z).max()) else "f(x) is not z: the map does not bring every row back"


def links(rng):
    return 0.3 + rng.uniform(0.2, 0.9, (4, 2)), rng.permutation([0, 1, 2]), rng.uniform(0.3, 0.9, 3)


def two_of_a_kind(rng):
    return rng.uniform(0.5, 1.0, (3, 5)), np.array([2, 1]), rng.uniform(0.5, 0.9, 2)


def nothing(rng):
    return rng.normal(size=(3, 2)), np.zeros(0), np.zeros(0)


def through(x, kinds, scales):
    for kind, s in zip(kinds, scales):
        x = np.exp(s) * x if kind == 0 else np.sinh(s * x) if kind == 1 else x**3 + s * x
    return x


def whole_chain(x, kinds, scales):
    """The determinant of the whole, from differences of the whole."""
    return through(x, kinds, scales), numeric_log_det(lambda y: through(y, kinds, scales), x)


def factors(rng, d=4, n=5, order=None):
    P = np.eye(d)[np.roll(np.arange(d), 1) if order is None else order]  # a cycle: P is not its own transpose
    L = np.tril(rng.normal(size=(d, d)), -1) + np.eye(d)
    diagonal = rng.permutation(np.array([-1.7, 0.6, 2.3, -0.4, 1.9, 3.1])[:d])
    return rng.normal(size=(n, d)), P, L, np.triu(rng.normal(size=(d, d)), 1) + np.diag(diagonal)


def three(rng):
    return factors(rng, d=3, n=2)


def solved(z, P, L, U):
    W = P @ L @ U
    return np.linalg.solve(W, z.T).T, np.full(len(z), -np.linalg.slogdet(W)[1])


CHECKS = [
    Check("the constrained direction", "constrained_u", points=2, inputs=long_direction, expected=by_least_squares,
          compare=Value(rtol=1e-9), states="w'u^ = log(1 + exp(w'u)) - 1, and u^ - u is along w",
          hint="how long must a multiple of w be, so that its inner product with w is 1?"),
    Check("the ridge rises", "constrained_u", visibility="hidden", inputs=short_and_long,
          expected=keeps_the_ridge_monotone, compare=Property(), states="a + w'u^ tanh(a) increases with a",
          hint="try a w that is shorter than 1"),
    Check("no overflow", "constrained_u", visibility="hidden", inputs=far, expected=by_least_squares,
          compare=Value(rtol=1e-9, atol=1e-9), states="finite and right for w'u of some hundreds, of either sign",
          hint="which function computes log(1 + exp(t)) without computing exp(t)?"),
    Check("log-det of a ridge", "planar_log_det", points=2, inputs=ridge, expected=ridge_log_det,
          compare=Value(rtol=1e-6, atol=1e-8), states="log|det| of the numeric Jacobian, row by row",
          hint="det(I + u v') = 1 + v'u; what is v here?"),
    Check("log-det of a ridge that contracts", "planar_log_det", visibility="hidden", inputs=shrinking,
          expected=ridge_log_det, compare=Value(rtol=1e-6, atol=1e-8), states="the same where w'u is negative",
          hint="which sign has the logarithm of a volume that shrinks?"),
    Check("many dimensions", "planar_log_det", visibility="hidden", inputs=wide, expected=wide_log_det,
          compare=Value(rtol=1e-9), states="d = 20 000 costs no more than a few inner products", draws=1,
          hint="a (d, d) matrix does not fit"),
    Check("the inverse of a ridge", "planar_inverse", points=2, inputs=image, expected=goes_back, compare=Property(),
          states="f(planar_inverse(z)) = z", hint="find a = w'x + b first: which equation holds for it?"),
    Check("a ridge that is nearly flat", "planar_inverse", visibility="hidden", inputs=steep, expected=goes_back,
          compare=Property(), states="f(x) = z also where w'u = -0.99",
          hint="an iteration that converges slowly has to be run until it has converged"),
    Check("a strong ridge", "planar_inverse", visibility="hidden", inputs=strong, expected=goes_back,
          compare=Property(), states="f(x) = z also where w'u is large",
          hint="|tanh| is at most 1: between which two numbers must a lie?"),
    Check("a chain of three", "compose", points=2, inputs=links, expected=whole_chain, driver="chain",
          compare=Value(rtol=1e-6, atol=1e-8), states="log|det| of the numeric Jacobian of the whole chain",
          hint="at which point is each determinant taken?"),
    Check("a chain of two in five dimensions", "compose", visibility="hidden", inputs=two_of_a_kind,
          expected=whole_chain, driver="chain", compare=Value(rtol=1e-6, atol=1e-8),
          states="the log-determinants of the links add up", hint="the determinant of a product is a product"),
    Check("an empty chain", "compose", visibility="hidden", inputs=nothing, driver="chain",
          expected=lambda x, kinds, scales: (x, np.zeros(len(x))), states="no maps: x and one zero per row",
          hint="where does the sum begin, and which shape has it?"),
    Check("solve with the factors", "plu_inverse", points=2, inputs=factors, expected=solved,
          compare=Value(rtol=1e-8, atol=1e-9), states="P L U x = z for every row, and log|det| of the map z -> x",
          hint="undo P, then L, then U; the inverse of a permutation is its transpose"),
    Check("solve in three dimensions", "plu_inverse", points=2, visibility="hidden", inputs=three, expected=solved,
          compare=Value(rtol=1e-8, atol=1e-9), states="the same with other factors, for two rows",
          hint="rows of z are vectors: which of W and W' multiplies them from the right?"),
]
