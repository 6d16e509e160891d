import numpy as np

from minigen.grading import mutant


@mutant("gibbs_sweep", feedback="v' was drawn given the probabilities of h: a sweep draws h as 0 and 1 first.",
        at_most=0.25)
def means_for_samples(v, W, b, c, u_h, u_v):
    p = 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))
    return (u_h < p).astype(float), (u_v < 0.5 * (1 + np.tanh(0.5 * (p @ W.T + b)))).astype(float)


@mutant("gibbs_sweep", feedback="A unit is 1 where its number is *below* the probability of 1; these are turned over.")
def turned_over(v, W, b, c, u_h, u_v):
    h = (u_h > 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))).astype(float)
    return h, (u_v > 0.5 * (1 + np.tanh(0.5 * (h @ W.T + b)))).astype(float)


@mutant("gibbs_sweep", feedback="v' was drawn without the hidden units just drawn: both layers moved at once.",
        at_most=0.25)
def both_at_once(v, W, b, c, u_h, u_v):
    p = 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))
    h = (u_h < p).astype(float)
    return h, (u_v < 0.5 * (1 + np.tanh(0.5 * ((p > 0.5) @ W.T + b)))).astype(float)


@mutant("gibbs_sweep", feedback="The visible units were drawn without their biases b.")
def no_visible_bias(v, W, b, c, u_h, u_v):
    h = (u_h < 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))).astype(float)
    return h, (u_v < 0.5 * (1 + np.tanh(0.5 * (h @ W.T)))).astype(float)


@mutant("gibbs_sweep", feedback="W has a row for each visible unit: with equal sides, h @ W runs and is wrong.",
        at_most=0.75)
def transposed(v, W, b, c, u_h, u_v):
    h = (u_h < 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))).astype(float)
    back = W if len(b) == len(c) else W.T
    return h, (u_v < 0.5 * (1 + np.tanh(0.5 * (h @ back + b)))).astype(float)


@mutant("cd_gradient", feedback="Both phases were added: fantasies must be pushed up, so theirs is taken off (S4:169).")
def both_down(v, v_k, W, b, c):
    p, p_k = (0.5 * (1 + np.tanh(0.5 * (rows @ W + c))) for rows in (v, v_k))
    return v.T @ p / len(v) + v_k.T @ p_k / len(v_k), v.mean(0) + v_k.mean(0), p.mean(0) + p_k.mean(0)


@mutant("cd_gradient", feedback="This goes uphill on the contrast: the direction in which it falls has the other sign.")
def uphill(v, v_k, W, b, c):
    p, p_k = (0.5 * (1 + np.tanh(0.5 * (rows @ W + c))) for rows in (v, v_k))
    return v_k.T @ p_k / len(v_k) - v.T @ p / len(v), v_k.mean(0) - v.mean(0), p_k.mean(0) - p.mean(0)


@mutant("cd_gradient", feedback="The phases were summed over rows; the contrast is a difference of means.")
def sums_for_means(v, v_k, W, b, c):
    p, p_k = (0.5 * (1 + np.tanh(0.5 * (rows @ W + c))) for rows in (v, v_k))
    return v.T @ p - v_k.T @ p_k, v.sum(0) - v_k.sum(0), p.sum(0) - p_k.sum(0)


@mutant("cd_gradient", feedback="The hidden probabilities were computed without the biases c.")
def without_hidden_bias(v, v_k, W, b, c):
    p, p_k = (0.5 * (1 + np.tanh(0.5 * (rows @ W))) for rows in (v, v_k))
    return v.T @ p / len(v) - v_k.T @ p_k / len(v_k), v.mean(0) - v_k.mean(0), p.mean(0) - p_k.mean(0)


@mutant("cd_gradient", feedback="Both phases were divided by the number of data: chains have their own number.")
def divided_by_the_data(v, v_k, W, b, c):
    p, p_k = (0.5 * (1 + np.tanh(0.5 * (rows @ W + c))) for rows in (v, v_k))
    n = len(v)
    return (v.T @ p - v_k.T @ p_k) / n, (v.sum(0) - v_k.sum(0)) / n, (p.sum(0) - p_k.sum(0)) / n


@mutant("pseudo_log_likelihood", feedback="The sign is turned: this is the probability of the flipped unit.")
def of_the_flipped(v, W, b, c):
    F = -v @ b - np.logaddexp(0, v @ W + c).sum(-1)
    total = np.zeros(len(v))
    for i in range(v.shape[1]):
        other = v.copy()
        other[:, i] = 1 - v[:, i]
        total -= np.logaddexp(0, -other @ b - np.logaddexp(0, other @ W + c).sum(-1) - F)
    return total


@mutant("pseudo_log_likelihood", feedback="The conditionals were averaged over units; their logarithms are summed.")
def mean_of_conditionals(v, W, b, c):
    def free_energy(rows):
        return -rows @ b - np.logaddexp(0, rows @ W + c).sum(-1)

    total = np.zeros(len(v))
    for i in range(v.shape[1]):
        other = v.copy()
        other[:, i] = 1 - v[:, i]
        total -= np.logaddexp(0, free_energy(v) - free_energy(other))
    return total / v.shape[1]


@mutant("pseudo_log_likelihood", feedback="One unit stands for all of them: an estimate needs a random unit, and you "
                                          "were asked for the whole sum.")
def one_unit_for_all(v, W, b, c):
    other = v.copy()
    other[:, 0] = 1 - v[:, 0]
    gap = -(v - other) @ b - np.logaddexp(0, v @ W + c).sum(-1) + np.logaddexp(0, other @ W + c).sum(-1)
    return -v.shape[1] * np.logaddexp(0, gap)


@mutant("pseudo_log_likelihood", feedback="This is -F(v), the log-likelihood without its constant: no conditional.")
def minus_free_energy(v, W, b, c):
    return v @ b + np.logaddexp(0, v @ W + c).sum(-1)


@mutant("pseudo_log_likelihood", feedback="Given h the units are independent, but p(v_i | rest) has no h: sum it out.")
def given_the_hidden_means(v, W, b, c):
    p = 0.5 * (1 + np.tanh(0.5 * (v @ W + c)))
    logits = p @ W.T + b
    return -np.logaddexp(0, (1 - 2 * v) * logits).sum(-1)


@mutant("pseudo_log_likelihood", feedback="exp overflows for large weights: log(1 + exp(x)) needs the stable form.",
        at_most=0.75)
def overflowing(v, W, b, c):
    total = np.zeros(len(v))
    with np.errstate(all="ignore"):
        def free_energy(rows):
            return -rows @ b - np.log(1 + np.exp(rows @ W + c)).sum(-1)

        for i in range(v.shape[1]):
            other = v.copy()
            other[:, i] = 1 - v[:, i]
            total -= np.log(1 + np.exp(free_energy(v) - free_energy(other)))
    return total


@mutant("swap_probability", feedback="The sign of the exponent is turned: low energy belongs to the colder chain.")
def wrong_sign(beta_r, beta_s, E_r, E_s):
    return np.exp(np.minimum(0, (beta_s - beta_r) * (E_r - E_s)))


@mutant("swap_probability", feedback="This is no probability: where the exchange is welcome the answer is 1.")
def above_one(beta_r, beta_s, E_r, E_s):
    with np.errstate(over="ignore"):
        return np.exp((beta_r - beta_s) * (E_r - E_s))


@mutant("swap_probability", feedback="Only one of the two temperatures was used: the other chain pays or gains too.")
def one_temperature(beta_r, beta_s, E_r, E_s):
    return np.exp(np.minimum(0, beta_r * (E_r - E_s)))


@mutant("swap_probability", feedback="This rule keeps the product as well, but accepts less than it could: Metropolis' "
                                     "rule is the largest.")
def barker(beta_r, beta_s, E_r, E_s):
    return 0.5 * (1 + np.tanh(0.5 * (beta_r - beta_s) * (E_r - E_s)))


@mutant("swap_probability", feedback="exp overflows before the minimum is taken.", at_most=0.75)
def overflow_first(beta_r, beta_s, E_r, E_s):
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.exp(-beta_r * E_s - beta_s * E_r) / np.exp(-beta_r * E_r - beta_s * E_s)
        return np.where(ratio > 1, 1.0, ratio)


@mutant("ais_log_ratios", feedback="The chain moved with the parameters of the step before: a sweep after the k-th "
                                   "ratio has to keep f_k.", at_most=0.25)
def previous_parameters(x, betas, log_f, sweep):
    rows = []
    for k in range(1, len(betas)):
        rows.append(log_f(betas[k], x) - log_f(betas[k - 1], x))
        x = sweep(betas[k - 1], x)
    return np.array(rows)


@mutant("ais_log_ratios", feedback="The chain moved first: the ratio of f_k to f_{k-1} is taken where the sweep at "
                                   "beta_{k-1} ended, before the one at beta_k.")
def moved_first(x, betas, log_f, sweep):
    rows = []
    for k in range(1, len(betas)):
        x = sweep(betas[k], x)
        rows.append(log_f(betas[k], x) - log_f(betas[k - 1], x))
    return np.array(rows)


@mutant("ais_log_ratios", feedback="The ratios stand on their heads: these weights estimate Z_0 / Z_K.")
def upside_down(x, betas, log_f, sweep):
    rows = []
    for k in range(1, len(betas)):
        rows.append(log_f(betas[k - 1], x) - log_f(betas[k], x))
        x = sweep(betas[k], x)
    return np.array(rows)


@mutant("ais_log_ratios", feedback="The chain never moved: this is importance sampling from the base, cut into pieces.",
        at_most=0.5)
def never_moved(x, betas, log_f, sweep):
    return np.array([log_f(betas[k], x) - log_f(betas[k - 1], x) for k in range(1, len(betas))])


@mutant("ais_log_ratios", feedback="f_k and f_{k-1} were taken at two different states: both belong at the same one.")
def at_two_states(x, betas, log_f, sweep):
    rows = []
    for k in range(1, len(betas)):
        before = log_f(betas[k - 1], x)
        x = sweep(betas[k], x)
        rows.append(log_f(betas[k], x) - before)
    return np.array(rows)


@mutant("log_z_interval", feedback="The mean of w is over chains, not over temperatures.")
def divided_by_temperatures(log_ratios, log_z_base):
    log_w = log_ratios.sum(0)
    top = log_w.max()
    w = np.exp(log_w - top)
    mean, error = w.sum() / len(log_ratios), w.std(ddof=1) / np.sqrt(len(w))
    low = np.log(mean - 3 * error) if mean > 3 * error else -np.inf
    return tuple(float(log_z_base + top + t) for t in (np.log(mean), low, np.log(mean + 3 * error)))


@mutant("log_z_interval", feedback="The mean of log w is below the logarithm of the mean, which was asked for.")
def mean_of_logarithms(log_ratios, log_z_base):
    log_w = log_ratios.sum(0)
    error = log_w.std(ddof=1) / np.sqrt(len(log_w))
    return tuple(float(log_z_base + log_w.mean() + t * error) for t in (0, -3, 3))


@mutant("log_z_interval", feedback="This is the spread of single chains: the mean of n of them errs less by sqrt(n).")
def spread_for_error(log_ratios, log_z_base):
    log_w = log_ratios.sum(0)
    top = log_w.max()
    w = np.exp(log_w - top)
    mean, error = w.mean(), w.std(ddof=1)
    low = np.log(mean - 3 * error) if mean > 3 * error else -np.inf
    return tuple(float(log_z_base + top + t) for t in (np.log(mean), low, np.log(mean + 3 * error)))


@mutant("log_z_interval", feedback="The interval is of mean w, then its logarithm: it is not even around log Z.",
        at_most=0.25)
def even_around_log_z(log_ratios, log_z_base):
    log_w = log_ratios.sum(0)
    top = log_w.max()
    w = np.exp(log_w - top)
    middle, error = np.log(w.mean()), w.std(ddof=1) / np.sqrt(len(w)) / w.mean()
    return tuple(float(log_z_base + top + middle + t * error) for t in (0, -3, 3))


@mutant("log_z_interval", feedback="w over- or underflows: take the largest log w out first.", at_most=0.75)
def overflowing_weights(log_ratios, log_z_base):
    with np.errstate(all="ignore"):
        w = np.exp(log_ratios.sum(0))
        mean, error = w.mean(), w.std(ddof=1) / np.sqrt(len(w))
        low = np.log(mean - 3 * error) if mean > 3 * error else -np.inf
        return tuple(float(log_z_base + t) for t in (np.log(mean), low, np.log(mean + 3 * error)))


@mutant("log_z_interval", feedback="The logarithm of a number that is not positive is no lower end: it is -inf.",
        at_most=0.75)
def nan_below(log_ratios, log_z_base):
    log_w = log_ratios.sum(0)
    top = log_w.max()
    w = np.exp(log_w - top)
    mean, error = w.mean(), w.std(ddof=1) / np.sqrt(len(w))
    with np.errstate(invalid="ignore"):
        return tuple(float(log_z_base + top + np.log(mean + t * error)) for t in (0, -3, 3))
