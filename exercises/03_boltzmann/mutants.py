import numpy as np

from minigen.grading import mutant


@mutant("free_energy", feedback="Only the best hidden state was counted: a maximum stands where a sum over h belongs.",
        at_most=0.25)
def best_hidden_state(v, W, b, c):
    return -(v @ b) - np.maximum(0, v @ W + c).sum(axis=1)


@mutant("free_energy", feedback="This is log sum exp(-E); the free energy is its negative.")
def other_sign(v, W, b, c):
    return v @ b + np.logaddexp(0, v @ W + c).sum(axis=1)


@mutant("free_energy", feedback="The visible biases are missing: b'v does not depend on h, and comes out of the sum.")
def without_visible_bias(v, W, b, c):
    return -np.logaddexp(0, v @ W + c).sum(axis=1)


@mutant("free_energy", feedback="This is the mean energy E[E(v, h)] given v; the free energy is lower by the entropy "
                                "of h.", at_most=0.25)
def mean_energy(v, W, b, c):
    a = v @ W + c
    with np.errstate(over="ignore"):
        return -(v @ b) - (a * sigmoid(a)).sum(axis=1)


@mutant("free_energy", feedback="exp(v'W + c) overflows: log(1 + exp(t)) needs the form that works for large t.",
        at_most=0.75)
def overflowing(v, W, b, c):
    with np.errstate(over="ignore"):
        return -(v @ b) - np.log(1 + np.exp((v @ W + c).astype(np.float32))).sum(axis=1, dtype=float)


@mutant("conditionals", feedback="The biases are exchanged: b belongs to the visible units, c to the hidden ones.")
def exchanged_biases(v, h, W, b, c):
    return sigmoid(v @ W + b), sigmoid(h @ W.T + c)


@mutant("conditionals", feedback="Visible unit i is coupled by row i of W, not by column i: h needs the transposed W.")
def column_for_row(v, h, W, b, c):
    return sigmoid(v @ W + c), sigmoid(h @ W + b)


@mutant("conditionals", feedback="The biases were left out.")
def no_biases(v, h, W, b, c):
    return sigmoid(v @ W), sigmoid(h @ W.T)


@mutant("conditionals", feedback="A factor 2 belongs to spins of -1 and +1; these units are 0 and 1.")
def spins_for_bits(v, h, W, b, c):
    return sigmoid(2 * (v @ W + c)), sigmoid(2 * (h @ W.T + b))


@mutant("conditionals", feedback="These are the probabilities of 0: a unit that is on lowers the energy, so the "
                                 "sigmoid takes +.")
def probability_of_zero(v, h, W, b, c):
    return sigmoid(-(v @ W + c)), sigmoid(-(h @ W.T + b))


@mutant("log_z", feedback="Z overflows: sum in logarithms, with the largest term taken out.", at_most=0.85)
def overflowing_sum(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    states = all_states(len(c))
    with np.errstate(over="ignore"):
        return np.log(np.exp(states @ c + np.logaddexp(0, states @ W.T + b).sum(axis=1)).sum())


@mutant("log_z", feedback="The states were averaged: Z is their sum.")
def mean_of_states(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    states = all_states(len(c))
    return np.logaddexp.reduce(states @ c + np.logaddexp(0, states @ W.T + b).sum(axis=1)) - len(c) * np.log(2)


@mutant("log_z", feedback="The bias of the enumerated side is missing from the exponent.")
def bias_forgotten(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    return np.logaddexp.reduce(np.logaddexp(0, all_states(len(c)) @ W.T + b).sum(axis=1))


@mutant("log_z", feedback="Only the largest term was kept: Z is a sum over all states of the enumerated side.")
def largest_term(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    states = all_states(len(c))
    return (states @ c + np.logaddexp(0, states @ W.T + b).sum(axis=1)).max()


@mutant("log_z", feedback="The sides were exchanged without their biases: c belongs to the columns of W.",
        at_most=0.85)
def biases_stay_behind(W, b, c):
    if W.shape[0] < W.shape[1]:
        W = W.T
        b, c = np.resize(b, len(W)), np.resize(c, W.shape[1])
    states = all_states(len(c))
    return np.logaddexp.reduce(states @ c + np.logaddexp(0, states @ W.T + b).sum(axis=1))


@mutant("exact_gradient", feedback="Both phases were added, as a slide has it: the model's moments are subtracted.")
def phases_added(data, W, b, c):
    everything = all_states(len(b))
    log_p = everything @ b + np.logaddexp(0, everything @ W + c).sum(axis=1)
    weights = np.concatenate([np.full(len(data), 1 / len(data)), np.exp(log_p - np.logaddexp.reduce(log_p))])
    v = np.concatenate([data, everything])
    hidden = sigmoid(v @ W + c)
    return (v * weights[:, None]).T @ hidden, weights @ v, weights @ hidden


@mutant("exact_gradient", feedback="This goes downhill: it is the gradient of the negative log-likelihood.")
def downhill(data, W, b, c):
    everything = all_states(len(b))
    log_p = everything @ b + np.logaddexp(0, everything @ W + c).sum(axis=1)
    weights = np.concatenate([np.full(len(data), -1 / len(data)), np.exp(log_p - np.logaddexp.reduce(log_p))])
    v = np.concatenate([data, everything])
    hidden = sigmoid(v @ W + c)
    return (v * weights[:, None]).T @ hidden, weights @ v, weights @ hidden


@mutant("exact_gradient", feedback="log Z was forgotten: it depends on the parameters, and is the model's half.")
def data_phase_alone(data, W, b, c):
    hidden = sigmoid(data @ W + c)
    return data.T @ hidden / len(data), data.mean(axis=0), hidden.mean(axis=0)


@mutant("exact_gradient", feedback="All states were given one weight: the model's moments are taken under p(v).")
def uniform_belief(data, W, b, c):
    everything = all_states(len(b))
    hidden, believed = sigmoid(data @ W + c), sigmoid(everything @ W + c)
    return (data.T @ hidden / len(data) - everything.T @ believed / len(everything),
            data.mean(axis=0) - 0.5, hidden.mean(axis=0) - believed.mean(axis=0))


@mutant("exact_gradient", feedback="p(v) was taken without the hidden units: log p(v) is -F(v) - log Z.")
def belief_of_the_biases(data, W, b, c):
    everything = all_states(len(b))
    log_p = everything @ b
    weights = np.concatenate([np.full(len(data), 1 / len(data)), -np.exp(log_p - np.logaddexp.reduce(log_p))])
    v = np.concatenate([data, everything])
    hidden = sigmoid(v @ W + c)
    return (v * weights[:, None]).T @ hidden, weights @ v, weights @ hidden


@mutant("exact_gradient", feedback="One reconstruction of the data stands where the model's own v belongs: that is "
                                   "mean-field CD-1, and biased.")
def one_reconstruction(data, W, b, c):
    hidden = sigmoid(data @ W + c)
    back = sigmoid(hidden @ W.T + b)
    again = sigmoid(back @ W + c)
    return (data.T @ hidden - back.T @ again) / len(data), (data - back).mean(axis=0), (hidden - again).mean(axis=0)


@mutant("gibbs_kernel", feedback="All sites were drawn at once from the old state: each must see what was drawn before "
                                 "it.")
def all_at_once(J, b, order):
    bits = all_states(len(b))
    p_one, kernel = sigmoid(bits @ J + b), np.ones((len(bits), len(bits)))
    for i in range(len(b)):
        drawn = np.where(bits[:, i] == 1, p_one[:, [i]], 1 - p_one[:, [i]])
        kernel = kernel * (drawn if i in order else bits[:, i] == bits[:, [i]])
    return kernel


@mutant("gibbs_kernel", feedback="The factors stand in the wrong order: p K is p after the first step, so the first "
                                 "site comes first.", at_most=0.25)
def last_site_first(J, b, order):
    bits = all_states(len(b))
    kernel = np.eye(len(bits))
    for i in order:
        p_one = sigmoid(bits @ J[i] + b[i])[:, None]
        same = (np.delete(bits, i, 1)[:, None] == np.delete(bits, i, 1)).all(2)
        kernel = same * np.where(bits[:, i] == 1, p_one, 1 - p_one) @ kernel
    return kernel


@mutant("gibbs_kernel", feedback="This is a site chosen at random, the mean of the kernels; a sweep is their product.",
        at_most=0.25)
def random_site(J, b, order):
    bits = all_states(len(b))
    kernel = 0
    for i in order:
        p_one = sigmoid(bits @ J[i] + b[i])[:, None]
        same = (np.delete(bits, i, 1)[:, None] == np.delete(bits, i, 1)).all(2)
        kernel = kernel + same * np.where(bits[:, i] == 1, p_one, 1 - p_one) / len(order)
    return kernel


@mutant("gibbs_kernel", feedback="Rows and columns are exchanged: K[s, t] goes from s to t, and its rows sum to 1.")
def exchanged_indices(J, b, order):
    bits = all_states(len(b))
    kernel = np.eye(len(bits))
    for i in order:
        p_one = sigmoid(bits @ J[i] + b[i])[:, None]
        same = (np.delete(bits, i, 1)[:, None] == np.delete(bits, i, 1)).all(2)
        kernel = kernel @ (same * np.where(bits[:, i] == 1, p_one, 1 - p_one))
    return kernel.T


@mutant("gibbs_kernel", feedback="Every row is p itself: that is the limit of many sweeps, not one.", at_most=0.25)
def already_there(J, b, order):
    bits = all_states(len(b))
    weight = np.exp(0.5 * ((bits @ J) * bits).sum(1) + bits @ b)
    return np.tile(weight / weight.sum(), (len(weight), 1))


@mutant("checkerboard", feedback="Both colours were drawn from the old state: the odd sites must see the new even "
                                 "ones.")
def both_at_once(s, T, rng):
    framed = np.pad(s, ((0, 0), (1, 1), (1, 1)))
    total = framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] + framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2]
    return np.where(rng.random(s.shape) < sigmoid(2 * total / T), 1, -1)


@mutant("checkerboard", feedback="One random number served all sites of a chain: they then share their luck.")
def one_number_for_all(s, T, rng):
    even, uniforms = np.indices(s.shape[1:]).sum(axis=0) % 2 == 0, rng.random(len(s))[:, None, None]
    for colour in (even, ~even):
        framed = np.pad(s, ((0, 0), (1, 1), (1, 1)))
        total = framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] + framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2]
        s = np.where(colour, np.where(uniforms < sigmoid(2 * total / T), 1, -1), s)
    return s


@mutant("checkerboard", feedback="The odd sites were drawn first; the even ones come first.")
def odd_first(s, T, rng):
    odd = np.indices(s.shape[1:]).sum(axis=0) % 2 == 1
    for colour in (odd, ~odd):
        framed = np.pad(s, ((0, 0), (1, 1), (1, 1)))
        total = framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] + framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2]
        s = np.where(colour, np.where(rng.random(s.shape) < sigmoid(2 * total / T), 1, -1), s)
    return s


@mutant("checkerboard", feedback="A factor 2 is missing: a spin goes from -1 to +1, so the energies differ by "
                                 "twice the sum of its neighbours.")
def factor_of_bits(s, T, rng):
    even = np.indices(s.shape[1:]).sum(axis=0) % 2 == 0
    for colour in (even, ~even):
        framed = np.pad(s, ((0, 0), (1, 1), (1, 1)))
        total = framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] + framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2]
        s = np.where(colour, np.where(rng.random(s.shape) < sigmoid(total / T), 1, -1), s)
    return s


@mutant("checkerboard", feedback="The grid was closed to a torus: here a corner has two neighbours.")
def edges_that_wrap(s, T, rng):
    even = np.indices(s.shape[1:]).sum(axis=0) % 2 == 0
    for colour in (even, ~even):
        total = sum(np.roll(s, step, axis) for axis in (1, 2) for step in (-1, 1))
        s = np.where(colour, np.where(rng.random(s.shape) < sigmoid(2 * total / T), 1, -1), s)
    return s


@mutant("checkerboard", feedback="Each spin was set to the likelier value: a sampler draws.")
def likelier_value(s, T, rng):
    even = np.indices(s.shape[1:]).sum(axis=0) % 2 == 0
    for colour in (even, ~even):
        framed = np.pad(s, ((0, 0), (1, 1), (1, 1)))
        total = framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] + framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2]
        s = np.where(colour, np.where(total >= 0, 1, -1), s)
    return s
