import numpy as np

from minigen.grading import mutant


@mutant("constrained_u", feedback="A step t w changes the inner product with w by t |w|^2: divide by that, not by |w|.")
def length_for_its_square(w, u):
    along = w @ u
    return u + (np.logaddexp(0, along) - 1 - along) * w / np.sqrt(w @ w)


@mutant("constrained_u", feedback="The inner product that u has already must be taken off before the new one is added.")
def added_on_top(w, u):
    return u + (np.logaddexp(0, w @ u) - 1) * w / (w @ w)


@mutant("constrained_u", feedback="The bound is -1, not 0: softplus alone forbids every ridge that contracts.",
        at_most=0.25)
def softplus_alone(w, u):
    along = w @ u
    return u + (np.logaddexp(0, along) - along) * w / (w @ w)


@mutant("constrained_u", feedback="exp(w'u) overflows: log(1 + exp(t)) needs the form that works for large t.",
        at_most=0.75)
def overflowing(w, u):
    along = w @ u
    with np.errstate(over="ignore"):
        return u + (np.log(1 + np.exp(np.float32(along))) - 1 - along) * w / (w @ w)


@mutant("planar_log_det", feedback="The slope of tanh is missing: 1 - tanh^2 belongs beside w'u.")
def no_slope(x, w, u, b):
    return np.full(len(x), np.log(np.abs(1 + w @ u)))


@mutant("planar_log_det", feedback="This is the determinant; its logarithm was asked for.")
def no_log(x, w, u, b):
    return 1 + (1 - np.tanh(x @ w + b) ** 2) * (w @ u)


@mutant("planar_log_det", feedback="The sign is that of the inverse map.")
def sign_of_the_inverse(x, w, u, b):
    return -np.log(1 + (1 - np.tanh(x @ w + b) ** 2) * (w @ u))


@mutant("planar_log_det", feedback="w and u were multiplied entry by entry: that is the Jacobian of an elementwise "
                                   "map, not of a ridge.")
def elementwise(x, w, u, b):
    slope = 1 - np.tanh(x @ w + b)[:, None] ** 2
    return np.sum(np.log(np.abs(1 + slope * w * u)), axis=1)


@mutant("planar_log_det", feedback="The slope of the ridge is taken at w'x + b; b was left out.")
def without_b(x, w, u, b):
    return np.log(1 + (1 - np.tanh(x @ w) ** 2) * (w @ u))


@mutant("planar_inverse", feedback="Turning the sign of the ridge does not undo it: tanh must be taken at x, not at z.")
def minus_the_ridge(z, w, u, b):
    return z - np.tanh(z @ w + b)[:, None] * u


@mutant("planar_inverse", feedback="The root a is that of a + w'u tanh(a) = w'z + b; w'u was taken to be 1.")
def unit_slope(z, w, u, b):
    s = z @ w + b
    low, high = s - 1.001, s + 1.001
    for _ in range(60):
        a = (low + high) / 2
        below = a + np.tanh(a) < s
        low, high = np.where(below, a, low), np.where(below, high, a)
    return z - np.tanh(a)[:, None] * u


@mutant("planar_inverse", feedback="Iterating x <- z - u tanh(w'x + b) contracts only for |w'u| < 1: bracket the root.")
def fixed_point(z, w, u, b):
    x = z
    for _ in range(30):
        x = z - np.tanh(x @ w + b)[:, None] * u
    return x


@mutant("planar_inverse", feedback="Newton's method needs a bracket: on a steep ridge it jumps to and fro.",
        at_most=0.75)
def newton_without_bracket(z, w, u, b):
    s, slope = z @ w + b, w @ u
    a = s
    for _ in range(100):
        t = np.tanh(a)
        a = a - (a + slope * t - s) / (1 + slope * (1 - t * t))
    return z - np.tanh(a)[:, None] * u


@mutant("compose", feedback="Every determinant was taken at x: the k-th map is given what the first k - 1 made of x.",
        at_most=0.25)
def all_at_x(maps, x):
    total, z = np.zeros(len(x)), x
    for step in maps:
        total = total + step(x)[1]
        z = step(z)[0]
    return z, total


@mutant("compose", feedback="The maps were applied last first.", at_most=0.25)
def last_first(maps, x):
    total = np.zeros(len(x))
    for step in reversed(maps):
        x, log_det = step(x)
        total = total + log_det
    return x, total


@mutant("compose", feedback="Log-determinants of a chain add up; their mean is something else.", at_most=0.25)
def mean_for_sum(maps, x):
    total = np.zeros(len(x))
    for step in maps:
        x, log_det = step(x)
        total = total + log_det / len(maps)
    return x, total


@mutant("compose", feedback="Only the last log-determinant was returned: those before it count as well.", at_most=0.25)
def last_only(maps, x):
    log_det = np.zeros(len(x))
    for step in maps:
        x, log_det = step(x)
    return x, log_det


@mutant("plu_inverse", feedback="This log-determinant is that of x -> z; the map from z to x has the other sign.")
def sign_of_forward(z, P, L, U):
    return np.linalg.solve(P @ L @ U, z.T).T, np.full(len(z), np.log(np.abs(np.diagonal(U))).sum())


@mutant("plu_inverse", feedback="W' was solved with in place of W. Their determinants agree, so only x shows it.")
def transposed(z, P, L, U):
    return np.linalg.solve((P @ L @ U).T, z.T).T, np.full(len(z), -np.log(np.abs(np.diagonal(U))).sum())


@mutant("plu_inverse", feedback="A permutation is undone by its transpose; P was applied once more.")
def permuted_again(z, P, L, U):
    return np.linalg.solve(L @ U, (z @ P.T).T).T, np.full(len(z), -np.log(np.abs(np.diagonal(U))).sum())


@mutant("plu_inverse", feedback="The diagonal of U may be negative: log|u_ii| needs the absolute value of each entry.")
def no_absolute_value(z, P, L, U):
    with np.errstate(invalid="ignore"):
        return np.linalg.solve(P @ L @ U, z.T).T, np.full(len(z), -np.log(np.diagonal(U)).sum())


@mutant("plu_inverse", feedback="The log-determinant is the sum over the diagonal, not its mean.")
def mean_of_the_diagonal(z, P, L, U):
    return np.linalg.solve(P @ L @ U, z.T).T, np.full(len(z), -np.log(np.abs(np.diagonal(U))).mean())
