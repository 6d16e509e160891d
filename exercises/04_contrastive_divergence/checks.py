import itertools
import math
from decimal import Decimal, getcontext

import numpy as np

from minigen.grading import Check, Property, Value


def machine(rng, visible, hidden, scale=1.0):
    return scale * rng.normal(size=(visible, hidden)), scale * rng.normal(size=visible), scale * rng.normal(size=hidden)


def states(n):
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def rows(rng, n, width):
    v = (rng.random((n, width)) < 0.5).astype(float)
    v[0], v[1] = 0, 1
    return v


# ------------------------------------------------------------------------------------------------ gibbs_sweep

def a_sweep(rng, visible=4, hidden=3, n=60, scale=1.5):
    W, b, c = machine(rng, visible, hidden, scale)
    return rows(rng, n, visible), W, b, c, rng.random((n, hidden)), rng.random((n, visible))


def a_square_sweep(rng):
    """As many hidden as visible units, where every wrong transposition runs."""
    return a_sweep(rng, 4, 4)


def a_steep_sweep(rng):
    return a_sweep(rng, 3, 5, scale=150.0)


def unit_by_unit(v, W, b, c, u_h, u_v):
    """Each unit by the energies of its two values, with all the others as they are."""
    def energy(v, h):
        return -sum(v[i] * W[i, j] * h[j] for i in range(len(b)) for j in range(len(c))) - b @ v - c @ h

    def on(low, high):
        """P(unit = 1) from the energies of 0 and 1."""
        return 1 / (1 + math.exp(min(high - low, 700)))

    def put(array, place, value):
        changed = array.copy()
        changed[place] = value
        return changed

    h, out = np.zeros_like(u_h), np.zeros_like(v)
    for n in range(len(v)):
        rest = np.zeros(len(c))
        for j in range(len(c)):
            h[n, j] = u_h[n, j] < on(energy(v[n], put(rest, j, 0)), energy(v[n], put(rest, j, 1)))
        for i in range(len(b)):
            rest = np.zeros(len(b))
            out[n, i] = u_v[n, i] < on(energy(put(rest, i, 0), h[n]), energy(put(rest, i, 1), h[n]))
    return h, out


# ------------------------------------------------------------------------------------------------ cd_gradient

def two_phases(rng):
    W, b, c = machine(rng, 4, 3)
    return rows(rng, 6, 4), rows(rng, 9, 4), W, b, c


def few_and_many(rng):
    W, b, c = machine(rng, 3, 5)
    return rows(rng, 2, 3), rows(rng, 7, 3), W, b, c + 1


def mean_free_energy(v, W, b, c):
    """Over all hidden states, one by one."""
    h = states(len(c))
    return np.mean([-np.log(np.sum(np.exp(row @ W @ h.T + b @ row + h @ c))) for row in v])


def by_differences(v, v_k, W, b, c, step=1e-5):
    def contrast(*parameters):
        return mean_free_energy(v, *parameters) - mean_free_energy(v_k, *parameters)

    slopes = []
    for place, parameter in enumerate((W, b, c)):
        slope = np.zeros_like(parameter)
        for entry in np.ndindex(parameter.shape):
            ends = []
            for h in (step, -step):
                moved = [p.copy() for p in (W, b, c)]
                moved[place][entry] += h
                ends.append(contrast(*moved))
            slope[entry] = -(ends[0] - ends[1]) / (2 * step)
        slopes.append(slope)
    return tuple(slopes)


# -------------------------------------------------------------------------------------- pseudo_log_likelihood

def pictures(rng):
    return rows(rng, 7, 5), *machine(rng, 5, 3)


def uneven_pictures(rng):
    W, b, c = machine(rng, 4, 6)
    return rows(rng, 5, 4), W, b + np.array([2.0, -1.0, 0.5, 3.0]), c


def by_the_joint(v, W, b, c):
    """From the table of all states, with h summed out."""
    all_v, all_h = states(len(b)), states(len(c))
    p = np.exp(all_v @ W @ all_h.T + (all_v @ b)[:, None] + all_h @ c).sum(1)
    total = []
    for row in v:
        value = 0.0
        for i in range(len(b)):
            others = [j for j in range(len(b)) if j != i]
            like = (all_v[:, others] == row[others]).all(1)
            value += np.log(p[like & (all_v[:, i] == row[i])].sum() / p[like].sum())
        total.append(value)
    return np.array(total)


def steep_pictures(rng):
    return rows(rng, 6, 3), *machine(rng, 3, 2, 500.0)


def with_decimals(v, W, b, c):
    """The same with 1200 digits of exponent."""
    getcontext().prec = 50
    def weight(row):
        value = Decimal(float(b @ row)).exp()
        for a in row @ W + c:
            value *= 1 + Decimal(float(a)).exp()
        return value

    total = []
    for row in v:
        value = Decimal(0)
        for i in range(len(b)):
            other = row.copy()
            other[i] = 1 - row[i]
            value += (weight(row) / (weight(row) + weight(other))).ln()
        total.append(float(value))
    return np.array(total)


# ------------------------------------------------------------------------------------------- swap_probability

def tempered(rng):
    E_r, gap = rng.normal(size=12), rng.uniform(0.2, 2, 12) * np.repeat([1, -1], 6)
    return rng.uniform(0.7, 1.2), rng.uniform(0.1, 0.5), E_r, E_r + gap


def hotter_first(rng):
    beta_r, beta_s, E_r, E_s = tempered(rng)
    return beta_s, beta_r, E_r, E_s


def far_apart(rng):
    E_r = rng.normal(size=6)
    return 1.0, rng.uniform(0.1, 0.3), E_r, E_r + np.array([5000.0, -5000, 3000, -3000, 1.0, -1.0])


def by_two_products(beta_r, beta_s, E_r, E_s):
    """The product's probability after the exchange over that before it, at most 1; sums of logarithms alone."""
    after = -beta_r * E_s - beta_s * E_r
    before = -beta_r * E_r - beta_s * E_s
    return np.array([1.0 if a >= z else math.exp(a - z) for a, z in zip(after, before)])


# --------------------------------------------------------------------------------------------- ais_log_ratios

def a_path(rng, K=4, n=5, d=3):
    betas = np.concatenate([[0], np.sort(rng.uniform(0.1, 0.9, K - 1)), [1]])
    return rng.normal(size=(n, d)), betas, rng.normal(size=(d, d)), rng.uniform(0.5, 1.5)


def one_step(rng):
    return a_path(rng, K=1)


def step_by_step(x, betas, A, shift):
    visited, answer = [x], []
    for beta in betas[1:-1]:
        visited.append(np.cos((1 + beta) * visited[-1]) + beta * shift)
    for k, state in enumerate(visited):
        answer.append((betas[k + 1] - betas[k]) * np.sin(state @ A).sum(-1))  # what does not depend on beta cancels
    return np.array(answer)


LEVELS = np.array([0.0, 1.0, -0.7])


def all_paths(rng):
    """Every path of two sweeps over three states; a sweep at beta draws the new state from f_beta, whatever the old."""
    paths = np.array(list(itertools.product(range(3), repeat=3)), float)
    return paths[:, :1].copy(), np.array([0.0, *np.sort(rng.uniform(0.2, 0.8, 2)), 1.0]), paths


def unbiased(answer, x, betas, paths):
    ratios, used = answer
    if np.shape(ratios) != (3, 27):
        return f"the answer has shape {np.shape(ratios)}, expected (3, 27): a row for each step, a column a chain"
    chance = np.full(27, 1 / 27)
    for k, beta in enumerate(used[:2], 1):  # a third sweep comes after the last ratio
        f = np.exp(beta * LEVELS)
        chance *= 3 * (f / f.sum())[paths[:, k].astype(int)]
    ratio = np.exp(LEVELS).sum() / 3
    off = abs(chance @ np.exp(np.sum(ratios, axis=0)) - ratio)
    return None if off < 1e-9 * ratio else "the mean of w over all paths is not the ratio of the two sums"


# --------------------------------------------------------------------------------------------- log_z_interval

def mild_ratios(rng):
    return rng.normal(0, 0.15, size=(6, 25)), float(rng.normal(3, 1))


def wild_ratios(rng):
    """One chain carries nearly everything: the lower end is minus infinity."""
    ratios = rng.normal(0, 0.3, size=(3, 8))
    ratios[:, 5] += 4
    return ratios, float(rng.normal())


def large_ratios(rng):
    return rng.normal(400 * rng.choice([-1, 1]), 0.1, size=(50, 12)), float(rng.normal())


def with_many_digits(log_ratios, log_z_base):
    getcontext().prec = 60
    n = log_ratios.shape[1]
    w = [sum((Decimal(float(r)) for r in column), Decimal(0)).exp() for column in log_ratios.T]
    mean = sum(w) / n
    error = (sum((t - mean) ** 2 for t in w) / (n - 1) / n).sqrt()
    low = float((mean - 3 * error).ln()) if mean > 3 * error else -math.inf
    return float(mean.ln()) + log_z_base, low + log_z_base, float((mean + 3 * error).ln()) + log_z_base


CHECKS = [
    Check("a sweep", "gibbs_sweep", points=2, inputs=a_sweep, expected=unit_by_unit, compare=Value(),
          states="h from p(h | v), then v' from p(v' | h), each unit 1 where its number is below its probability",
          hint="which of b and c belongs to which side, and which h does v' see?"),
    Check("a sweep with equal sides", "gibbs_sweep", visibility="hidden", inputs=a_square_sweep, expected=unit_by_unit,
          compare=Value(), states="the same with as many hidden as visible units",
          hint="which side of W does v multiply, and which does h?"),
    Check("a sweep with large weights", "gibbs_sweep", visibility="hidden", inputs=a_steep_sweep,
          expected=unit_by_unit, compare=Value(), states="the same for energies of some hundreds",
          hint="exp(-x) overflows where x is a large negative number"),
    Check("the update of CD", "cd_gradient", points=2, inputs=two_phases, expected=by_differences,
          compare=Value(rtol=1e-6, atol=1e-8), states="minus the gradient of mean F(v) - mean F(v_k), by differences",
          hint="dF/dW = -v p(h|v)'; which of the two phases pulls F down?"),
    Check("few data, many chains", "cd_gradient", visibility="hidden", inputs=few_and_many, expected=by_differences,
          compare=Value(rtol=1e-6, atol=1e-8), states="each phase is a mean over its own rows",
          hint="how many rows has each phase, and which hidden probabilities?"),
    Check("all conditionals", "pseudo_log_likelihood", points=2, inputs=pictures, expected=by_the_joint,
          compare=Value(rtol=1e-9), states="sum_i log p(v_i | rest), from the enumerated joint",
          hint="p(v_i | rest) compares two states: v, and v with one unit flipped"),
    Check("all conditionals with other biases", "pseudo_log_likelihood", visibility="hidden", inputs=uneven_pictures,
          expected=by_the_joint, compare=Value(rtol=1e-9), states="the same for a machine with strong visible biases",
          hint="what changes in F(v) when v_i is flipped?"),
    Check("conditionals with large weights", "pseudo_log_likelihood", visibility="hidden", inputs=steep_pictures,
          expected=with_decimals, compare=Value(rtol=1e-9, atol=1e-6), states="right for weights of some hundreds",
          hint="log(1 + exp(x)) needs the form that works for large x"),
    Check("exchange", "swap_probability", points=2, inputs=tempered, expected=by_two_products, compare=Value(rtol=1e-9),
          states="min(1, probability of the pair after the exchange / before it)",
          hint="write the product of the two distributions before and after: what does not cancel?"),
    Check("exchange, the hotter chain first", "swap_probability", visibility="hidden", inputs=hotter_first,
          expected=by_two_products, compare=Value(rtol=1e-9), states="the same for beta_r < beta_s",
          hint="exchange the names r and s: may the answer change?"),
    Check("energies far apart", "swap_probability", visibility="hidden", inputs=far_apart, expected=by_two_products,
          compare=Value(rtol=1e-9), states="finite and right where energies differ by thousands",
          hint="take the minimum before the exponential"),
    Check("ratios along a path", "ais_log_ratios", points=2, inputs=a_path, expected=step_by_step, driver="annealed",
          compare=Value(rtol=1e-9, atol=1e-10),
          states="log f_k - log f_{k-1}, both at the state before the sweep at beta_k",
          hint="which beta does the chain move with, and when is the ratio taken?"),
    Check("a single step", "ais_log_ratios", visibility="hidden", inputs=one_step, expected=step_by_step,
          driver="annealed", compare=Value(rtol=1e-9, atol=1e-10),
          states="K = 1: plain importance sampling, no sweep at all", hint="how many rows are there for two betas?"),
    Check("unbiased over all paths", "ais_log_ratios", visibility="hidden", inputs=all_paths, expected=unbiased,
          compare=Property(), driver="through_a_chain", states="E[w] = Z_K / Z_0 over all paths of a small chain",
          hint="the mean of w telescopes only if every move leaves the newest f as it is"),
    Check("log Z and its interval", "log_z_interval", points=2, inputs=mild_ratios, expected=with_many_digits,
          compare=Value(rtol=1e-8, atol=1e-9), states="log Z_base + log mean w, and the same for mean w -+ 3 s",
          hint="ratios are multiplied along a chain, and averaged over chains"),
    Check("one lucky chain", "log_z_interval", visibility="hidden", inputs=wild_ratios, expected=with_many_digits,
          compare=Value(rtol=1e-8, atol=1e-9), states="low is -inf where mean w - 3 s is not positive",
          hint="the logarithm of what is not positive"),
    Check("logarithms of ten thousands", "log_z_interval", visibility="hidden", inputs=large_ratios,
          expected=with_many_digits, compare=Value(rtol=1e-8), states="finite and right where w over- or underflows",
          hint="take the largest log w out before the exponential"),
]
