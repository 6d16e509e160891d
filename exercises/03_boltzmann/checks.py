import itertools

import numpy as np

from minigen.checks import Binary
from minigen.grading import Check, Property, Sampler, Seed, Value


def states(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=float)


def machine(rng, visible, hidden, scale=1.0):
    return (scale * rng.normal(size=(visible, hidden)), scale * rng.normal(size=visible),
            scale * rng.normal(size=hidden))


def table(v, h, W, b, c):
    """-E of every row of v with every row of h."""
    return np.einsum("ni,ij,mj->nm", v, W, h) + (v @ b)[:, None] + h @ c


def log_sum(terms, axis=None):
    top = np.max(terms, axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(terms - top).sum(axis=axis))


def joint(W, b, c):
    """p(v, h) of every pair: (2^D, 2^H)."""
    log_p = table(states(len(b)), states(len(c)), W, b, c)
    return np.exp(log_p - log_sum(log_p))


def some_rows(rng, visible=5, hidden=4):
    return (rng.permutation(states(visible))[:6], *machine(rng, visible, hidden))


def huge(rng):
    """Pre-activations of some hundreds, of either sign; half of the hidden units of each kind are on."""
    W, b, c = machine(rng, 4, 4)
    W = 300 * np.where(np.arange(4) % 2, 1, -1) * (0.5 + rng.random((4, 4)))
    return np.vstack([np.ones(4), rng.permutation(states(4))[:5]]), W, b, c


def free_energy_by_hidden_states(v, W, b, c):
    return -log_sum(table(v, states(len(c)), W, b, c), axis=1)


def square(rng):
    """As many hidden units as visible ones: slips of shape go unnoticed."""
    v, h = rng.permutation(states(4))[:5], rng.permutation(states(4))[:5]
    return v, h, *machine(rng, 4, 4)


def strongly_coupled(rng):
    return rng.permutation(states(3)), rng.permutation(states(3)), *machine(rng, 3, 3, 2.0)


def conditionals_of_the_joint(v, h, W, b, c):
    p, V, H = joint(W, b, c), states(len(b)), states(len(c))
    where_v = [int(np.flatnonzero((V == row).all(1))[0]) for row in v]
    where_h = [int(np.flatnonzero((H == row).all(1))[0]) for row in h]
    return p[where_v] @ H / p[where_v].sum(1, keepdims=True), p.T[where_h] @ V / p.T[where_h].sum(1, keepdims=True)


def small_machine(rng):
    return machine(rng, 5, 3)


def log_z_of_the_joint(W, b, c):
    return float(log_sum(table(states(len(b)), states(len(c)), W, b, c)))


def many_visible(rng, scale=1.0):
    """400 visible units, 397 of them without couplings: their share of Z is a product."""
    W, b, c = machine(rng, 400, 6, scale)
    W[rng.permutation(400)[3:]] = 0
    return W, b, c


def many_hidden(rng):
    W, b, c = many_visible(rng)
    return W.T, c, b


def enormous(rng):
    """Z is about exp(2000)."""
    W, b, c = many_visible(rng)
    return W, b + 5, c


def log_z_by_parts(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    coupled = (W != 0).any(axis=1)
    return np.logaddexp(0, b[~coupled]).sum() + log_z_of_the_joint(W[coupled], b[coupled], c)


def learner(rng, visible=4, hidden=3):
    return (rng.permutation(states(visible))[rng.integers(0, 7, 9)], *machine(rng, visible, hidden))


def one_datum(rng):
    return (states(3)[[5]], *machine(rng, 3, 4, 1.5))


def gradient_by_differences(data, W, b, c):
    def mean_log_p():
        return -free_energy_by_hidden_states(data, W, b, c).mean() - log_z_of_the_joint(W, b, c)
    W, b, c, gradient = W.copy(), b.copy(), c.copy(), []
    for parameter in (W, b, c):
        slope = np.zeros(parameter.shape)
        for entry in np.ndindex(parameter.shape):
            kept, ends = parameter[entry], []
            for step in (1e-5, -1e-5):
                parameter[entry] = kept + step
                ends.append(mean_log_p())
            parameter[entry] = kept
            slope[entry] = (ends[0] - ends[1]) / 2e-5
        gradient.append(slope)
    return tuple(gradient)


def network(rng, n=3):
    J = np.triu(rng.choice([-1, 1], (n, n)) * rng.uniform(0.7, 1.5, (n, n)), 1)
    return J + J.T, rng.normal(size=n)


def in_order(rng):
    return *network(rng), np.arange(3)


def out_of_order(rng):
    return *network(rng, 4), np.array([2, 0, 3, 1])


def some_sites(rng):
    return *network(rng, 4), np.array([1, 3, 1])


def weights_of(J, b):
    x = states(len(b))
    return x, np.exp(0.5 * ((x @ J) * x).sum(1) + x @ b)


def kernel_by_ratios(J, b, order):
    """p(t) / (p(t) + p(t with the site turned)) wherever s and t agree elsewhere, from the weights of whole states."""
    x, weight = weights_of(J, b)
    kernel = np.eye(len(x))
    for i in order:
        elsewhere = (np.delete(x, i, 1)[:, None] == np.delete(x, i, 1)).all(2)
        kernel = kernel @ np.where(elsewhere, weight / (elsewhere @ weight)[:, None], 0.0)
    return kernel


def keeps_the_joint(answer, J, b, order):
    weight = weights_of(J, b)[1]
    p = weight / weight.sum()
    if np.shape(answer) != (len(p), len(p)):
        return f"the answer has shape {np.shape(answer)}, expected {(len(p), len(p))}"
    if np.abs(np.sum(answer, axis=1) - 1).max() > 1e-9:
        return "the rows do not sum to 1: from every state the chain goes somewhere"
    return None if np.abs(p @ answer - p).max() < 1e-9 else "the sweep does not leave p as it is"


def chains(rows, columns):
    def inputs(rng):
        start = rng.permutation(np.resize([-1, 1], rows * columns)).reshape(rows, columns)
        return 6000, start, float(rng.uniform(1.5, 2.5)), Seed(int(rng.integers(2**31)))
    return inputs


def bonds(s):
    return (s[..., 1:, :] * s[..., :-1, :]).sum((-2, -1)) + (s[..., 1:] * s[..., :-1]).sum((-2, -1))


def log_sweep(x, n, start, T, rng):
    """log P(x after one sweep | start): even sites given the old odd ones, odd ones given the new even ones.

    Each factor is a weight of a whole grid over the sum of the weights of all grids with that colour free.
    """
    s = 2 * x.reshape(-1, *start.shape) - 1
    even = np.indices(start.shape).sum(0) % 2 == 0

    def of_colour(colour, whole):
        free = np.repeat(whole[:, None], 2 ** colour.sum(), axis=1)
        free[:, :, colour] = 2 * states(int(colour.sum())) - 1
        return bonds(whole) / T - np.array([log_sum(row) for row in bonds(free) / T])

    return of_colour(even, np.where(even, s, start)) + of_colour(~even, s)


CHECKS = [
    Check("free energy by hidden states", "free_energy", points=2, inputs=some_rows,
          expected=free_energy_by_hidden_states, states="exp(-F(v)) is the sum of exp(-E(v, h)) over all h",
          hint="given v, the sum over h factorises: what are the two terms of each factor?"),
    Check("free energy of other rows", "free_energy", visibility="hidden",
          inputs=lambda rng: some_rows(rng, 3, 6), expected=free_energy_by_hidden_states,
          states="the same for more hidden than visible units", hint="which axis is summed over?"),
    Check("large weights", "free_energy", visibility="hidden", inputs=huge, expected=free_energy_by_hidden_states,
          compare=Value(rtol=1e-9), states="finite and right where v'W is some hundreds",
          hint="which function computes log(1 + exp(t)) without computing exp(t)?"),
    Check("conditionals of the joint", "conditionals", points=2, inputs=square, expected=conditionals_of_the_joint,
          states="p(h | v) = p(v, h) / p(v) and p(v | h) = p(v, h) / p(h), from the table of all states",
          hint="which terms of E(v, h) hold h_j? Which bias is among them?"),
    Check("strong couplings", "conditionals", points=2, visibility="hidden", inputs=strongly_coupled,
          expected=conditionals_of_the_joint, states="the same for every state of a machine with strong couplings",
          hint="W is (D, H): with which of its axes is h summed?"),
    Check("log Z of the joint", "log_z", points=2, inputs=small_machine, expected=log_z_of_the_joint,
          states="log of the sum over all pairs (v, h)", hint="which side can be summed in closed form?"),
    Check("hundreds of visible units", "log_z", visibility="hidden", inputs=many_visible, expected=log_z_by_parts,
          states="right with 400 visible and 6 hidden units", hint="how many terms has each of the two sums?"),
    Check("hundreds of hidden units", "log_z", visibility="hidden", inputs=many_hidden, expected=log_z_by_parts,
          states="right with 6 visible and 400 hidden units", hint="the energy does not know which side is hidden"),
    Check("a Z beyond floats", "log_z", visibility="hidden", inputs=enormous, expected=log_z_by_parts,
          states="finite and right where Z is about exp(2000)", hint="take the largest term out before exp"),
    Check("gradient by differences", "exact_gradient", points=2, inputs=learner, expected=gradient_by_differences,
          compare=Value(rtol=1e-6, atol=1e-8), states="differences of the exact mean log-likelihood, entry by entry",
          hint="a moment under the data less the same moment under p(v, h)"),
    Check("gradient for one datum", "exact_gradient", points=2, visibility="hidden", inputs=one_datum,
          expected=gradient_by_differences, compare=Value(rtol=1e-6, atol=1e-8),
          states="the same for one datum and more hidden than visible units",
          hint="h is averaged over p(h | v), for the data and for the model's own v"),
    Check("the kernel of a sweep", "gibbs_kernel", points=2, inputs=in_order, expected=kernel_by_ratios,
          compare=Value(rtol=1e-9, atol=1e-12), states="the product of the sites' kernels, from weights of states",
          hint="write the kernel of one site first; which factor comes first in the product?"),
    Check("another order", "gibbs_kernel", visibility="hidden", inputs=out_of_order, expected=kernel_by_ratios,
          compare=Value(rtol=1e-9, atol=1e-12), states="the same for four sites in another order",
          hint="a row of K is where one state goes: p K is p after the step"),
    Check("the joint stays", "gibbs_kernel", visibility="hidden", inputs=some_sites, expected=keeps_the_joint,
          compare=Property(), states="p K = p and rows that sum to 1, also where a site is visited twice or never",
          hint="each site is drawn given the others as they then are"),
    Check("one sweep from one state", "checkerboard", points=2, inputs=chains(2, 3), expected=log_sweep,
          driver="flat_sweep", compare=Sampler(Binary(6)), draws=1,
          states="6000 chains that begin at one state follow the exact distribution of the next",
          hint="what do the odd sites see: the even ones before, or after they were drawn?"),
    Check("one sweep of a larger grid", "checkerboard", points=2, visibility="hidden", inputs=chains(3, 3),
          expected=log_sweep, driver="flat_sweep", compare=Sampler(Binary(9)), draws=1,
          states="the same on a grid of 3 x 3",
          hint="how many neighbours has a corner, and which factor stands before their sum?"),
]
