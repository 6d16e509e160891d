# %% [markdown]
# # Lecture 03. Boltzmann: energies, temperatures, and chains
#
# So far probabilities were given, and the evidence was the hard part. Now we turn this round: say for each
# configuration $x$ how *costly* it is, by an energy $E(x)$, and let
#
# $$p(x) = \frac{1}{Z} \exp(-E(x)/T), \qquad Z = \sum_x \exp(-E(x)/T).$$
#
# Any function is an energy; nothing has to integrate to one beforehand. The price is $Z$, a sum over everything that
# could have happened. This lecture keeps to models so small that we can pay it, and looks at all that is exact there.
#
# | this lecture | the question |
# |---|---|
# | 1, 2 | what do tables over cliques define, and what does the temperature do? |
# | 3 | hidden units: energy or free energy, which bias goes where, and what does $Z$ cost? |
# | 4 | the exact gradient, and learning with it |
# | 5 | Gibbs sampling is a matrix: what does it keep, and how fast does it forget? |
# | 6 | the Ising model: when a chain mixes, and when it does not |
# | 7 | real-valued data, and labels |

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data, optim
from minigen.checks import claim, enumerate_binary, erratum, logsumexp, quadrature_2d
from minigen.energy.boltzmann import MarkovField, binary_states, state_index, stationary
from minigen.energy.gaussian_rbm import GaussianRBM
from minigen.energy.ising import CRITICAL_TEMPERATURE, Ising, onsager_energy, onsager_magnetisation
from minigen.energy.label_rbm import LabelRBM
from minigen.energy.rbm import RBM

BLUE, RED, GREEN, GREY, GOLD = "#1b6ca8", "#d1495b", "#2e8b57", "#5a5a5a", "#edae49"
rng = np.random.default_rng(3)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))

# %% [markdown]
# ## 1. Tables over cliques
#
# Let $x$ be $n$ binary *sites*. A *clique* $c$ is a small set of them, and a table $\psi_c \ge 0$ says how much the
# model likes each of its configurations. S4:53 defines a model by $p(x) = \prod_c \psi_c(x_c)$.
#
# **Puzzle.** Three sites and three tables, drawn at random. Before you run the next cell: to what do the eight
# probabilities $\prod_c \psi_c(x_c)$ add up?

# %%
tables = {(0, 1): rng.random((2, 2)), (1, 2): rng.random((2, 2)), (2,): rng.random(2)}
x = enumerate_binary(3, int)
product = np.prod([table[tuple(x[:, i] for i in sites)] for sites, table in tables.items()], axis=0)
erratum("E1", printed=product.sum(), right=(product / product.sum()).sum(), truth=1.0, tol=1e-12,
        note="sum over the eight states")
field = MarkovField(3, tables)
claim("markov-field-joint", r"p(x) = \frac{1}{Z} \prod_c \psi_c(x_c)", source="S4:53",
      lhs=field.joint().ravel(), rhs=product / product.sum(), tol=1e-12)

# %% [markdown]
# To nothing in particular. The constant $Z$ belongs there, and $\psi_c \geq 0$; then it is a *Markov random field*. The
# name says what the cliques are good for. Sites 0 and 2 above share no clique. They are not independent: site 1 tells
# each of the other. But *given* site 1 they are:
#
# $$p(x_0 \mid x_1, x_2) = p(x_0 \mid x_1).$$

# %%
p = field.joint()
given_both = p[1] / p.sum(0)  # p(x_0 = 1 | x_1, x_2)
claim("markov-property", r"p(x_0 | x_1, x_2) = p(x_0 | x_1) \text{ if 0 and 2 share no clique}",
      lhs=given_both, rhs=np.repeat((p.sum(2)[1] / p.sum((0, 2)))[:, None], 2, axis=1), tol=1e-12)
together = field.marginal((0, 2))
print(f"not independent alone: p(x0=1, x2=1) = {together[1, 1]:.4f}, "
      f"p(x0=1) p(x2=1) = {together[1].sum() * together[:, 1].sum():.4f}")

# %% [markdown]
# **Puzzle.** For a pair of sites S4:56 takes the table $\psi_c(x_1, x_2) = \psi_1 x_1 x_2$. Before you run the next
# cell: what probability has $x = (0, 1)$ then?

# %%
strength, pair = 0.7, enumerate_binary(2, int)
as_printed = strength * pair[:, 0] * pair[:, 1]
boltzmann = np.exp(strength * pair[:, 0] * pair[:, 1])
erratum("E2", printed=as_printed / as_printed.sum(), right=boltzmann / boltzmann.sum(), tol=1e-12,
        truth=MarkovField.pairwise([[0, strength], [strength, 0]], [0, 0]).joint().ravel())

# %% [markdown]
# None: everything but $(1, 1)$ is forbidden, whatever $\psi_1$. What is meant is $\exp(\psi_1 x_1 x_2)$. And this is
# the way out of every trouble with signs: write $\psi_c = \exp(-E_c)$. Products become sums, $\psi_c > 0$ by itself,
# and what is added up is called the *energy*, $E(x) = -\sum_c \log \psi_c(x_c)$.
#
# ## 2. Temperature
#
# $p(x) = \exp(-E(x)/T) / Z$ is the *Boltzmann distribution*. Only differences of energies over $T$ count. As $T \to
# \infty$ they stop to matter; as $T \to 0$ only the lowest energy is left.
#
# **Before you run the next cell**: ten sites with random couplings, hence 1024 states. Halve the temperature. Does the
# state of lowest energy become twice as probable?

# %%
n = 10
J = np.triu(rng.normal(size=(n, n)), 1)
glass = MarkovField.pairwise(J + J.T, rng.normal(size=n))
energies = glass.energy(binary_states(n))
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.9), layout="constrained")
for T, colour in ((20.0, BLUE), (3.0, GREEN), (1.0, GOLD), (0.3, RED)):
    left.hist(energies, bins=40, weights=glass.at(T).joint().ravel(), histtype="step", color=colour, label=f"T = {T:g}")
left.set(title="Where the probability is", xlabel="energy E(x)", ylabel="probability", ylim=(0, 0.5))
left.legend(frameon=False, fontsize=8)
many = np.geomspace(0.1, 100, 60)
best = energies.ravel().argsort()[:4]
for state, colour in zip(best, (RED, GOLD, GREEN, BLUE)):
    right.semilogx(many, [glass.at(T).joint().ravel()[state] for T in many], color=colour, lw=1.2,
                   label=f"E = {energies[state]:.2f}")
right.axhline(2.0**-n, color=GREY, ls="--", lw=1, label="uniform, $2^{-10}$")
right.set(title="The four states of lowest energy", xlabel="temperature", ylabel="probability")
right.legend(frameon=False, fontsize=8)
plt.show()
print("p(best): " + ", ".join(f"{glass.at(T).joint().ravel()[best[0]]:.4f} at T = {T:g}"
                              for T in (40.0, 20.0, 2.0, 1.0, 0.5, 0.25)))

# %% [markdown]
# No: from 40 to 20 it gains a quarter, from 2 to 1 it becomes almost five times as probable, and from 0.5 down it has
# so much already that it can at most double. Differences of energies decide, in units of $T$. The mean energy falls
# with $T$, and how fast is told by the fluctuations at *one* temperature:
#
# $$\frac{d \langle E \rangle}{d T} = \frac{\mathrm{Var}(E)}{T^2}.$$
#
# The left side below compares two temperatures, the right side looks at one.

# %%
def mean_energy(T):
    return glass.at(T).joint().ravel() @ energies

T, h = 1.7, 1e-4
weights = glass.at(T).joint().ravel()
variance = weights @ (energies - mean_energy(T)) ** 2
claim("fluctuations-tell-the-heat", r"d\langle E \rangle / dT = \mathrm{Var}(E) / T^2", source="S4:89",
      lhs=(mean_energy(T + h) - mean_energy(T - h)) / (2 * h), rhs=variance / T**2, tol=1e-6)

# %% [markdown]
# A system that minimises something at $T > 0$ does not minimise its energy; it would sit still. It minimises the *free
# energy*. For any distribution $q$ let
#
# $$\mathcal{F}[q] = E_q[E(x)] - T\,H(q), \qquad\text{then}\qquad
#   \mathcal{F}[q] = -T \log Z + T\, KL(q \,\|\, p) \;\geq\; -T \log Z,$$
#
# with equality for $q = p$. Low energy is good, and so is freedom (entropy); $T$ sets the rate of exchange. Remember
# the inequality. In lecture 08 it comes back, and is called the evidence lower bound.

# %%
def free(q):
    """E_q[E] - T H(q) at temperature T."""
    return q @ energies + T * np.sum(q * np.log(np.where(q > 0, q, 1)))

claim("free-energy-is-minus-t-log-z", r"\langle E \rangle - T H(p) = -T \log Z", source="S4:89",
      lhs=free(weights), rhs=-T * logsumexp(-energies / T), tol=1e-10)
others = np.concatenate([rng.dirichlet(np.full(2**n, 0.05), 50), np.array([glass.at(t).joint().ravel() for t in many])])
claim("variational-principle", r"E_q[E] - T H(q) \geq -T \log Z", lhs=[free(q) for q in others],
      rhs=-T * logsumexp(-energies / T), kind="at_least", note="50 random q, and Boltzmann at 60 other temperatures")

# %% [markdown]
# **Two slips of notation.** S4:73 normalises by $\int_x p(x)\,dx = 1$, though $x$ is binary. Before you run the next
# cell: the same formula $\exp(-E)/Z$ on the square $[0, 1]^2$, integrated: larger or smaller than 1?

# %%
cells = (np.arange(400) + 0.5) / 400
u, v = np.meshgrid(cells, cells)
integral = np.exp(strength * u * v).mean() / boltzmann.sum()
erratum("E4", printed=integral, right=sum(boltzmann / boltzmann.sum()), truth=1.0, tol=1e-12,
        note="the integral over the square, and the sum over its corners")

# %% [markdown]
# A quarter of it or so, because four corners have weight 1 each and the square has area 1. Binary data are summed over.
#
# ## 3. Hidden units
#
# Pairs alone cannot say much: to link many pixels at a time one would need large cliques. The trick is to add sites
# that are never seen. A *restricted Boltzmann machine* (RBM) has visible units $v$ and hidden units $h$, and couplings
# between the two sides only (S4:77):
#
# $$E(v, h) = -v^T W h - b^T v - c^T h.$$
#
# We sum $h$ out. What is left behaves as an energy of $v$ alone, and is called its *free energy*:
#
# $$F(v) = -\log \sum_h e^{-E(v, h)} = -b^T v - \sum_j \log(1 + e^{c_j + v^T W_{\cdot j}}),
#   \qquad p(v) = e^{-F(v)} / Z.$$

# %%
def random_rbm(visible, hidden, seed, scale=1.0):
    model = RBM(visible, hidden, rng=np.random.default_rng(seed), dtype=np.float64)
    draw = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data[...] = scale * draw.normal(size=parameter.shape)
    return model

def all_energies(model):
    """E(v, h) of every pair of states by the formula, (2^D, 2^H)."""
    W, b, c = model.W.data, model.b.data, model.c.data
    V, H = enumerate_binary(len(b)), enumerate_binary(len(c))
    return -(V @ W @ H.T) - (V @ b)[:, None] - H @ c

rbm = random_rbm(4, 4, seed=1)
V = H = enumerate_binary(4)
E = all_energies(rbm)
claim("rbm-free-energy", r"F(v) = -\log \sum_h e^{-E(v, h)}", source="S4:107",
      lhs=rbm.free_energies(V), rhs=-logsumexp(-E, axis=1), tol=1e-12)

# %% [markdown]
# **Puzzle.** S4:69 speaks of a "free energy function $E(x)$", S4:107 of the free energy $F(x)$. Before you run the next
# cell: by how much does $F(v)$ differ from the mean energy $E_{p(h|v)}[E(v, h)]$, and is it above or below?

# %%
q = np.exp(-E - logsumexp(-E, axis=1)[:, None])  # p(h | v), row by row
mean_of_energy = (q * E).sum(1)
entropy = -(q * np.log(q)).sum(1)
erratum("E3", printed=mean_of_energy, right=mean_of_energy - entropy, truth=-logsumexp(-E, axis=1), tol=1e-12,
        note="the energy, and the energy less the entropy of h, against F(v)")
print("F(v) lies below the mean energy by", np.round(entropy[:4], 3), "... nats, the entropy of p(h | v)")

# %% [markdown]
# **Puzzle.** And S4:87 has a third one: $F(\text{state}) \propto \exp(-E/kT)$. There $F$ is a *frequency*. Take the
# $F(v)$ of S4:107 for it and divide by the sum, as one does with frequencies. Before you run the next cell: will the
# result be positive and add up to one? Would you notice?

# %%
F = rbm.free_energies(V)
joint = np.exp(-E - logsumexp(-E))
erratum("E39", printed=F / F.sum(), right=np.exp(-F) / np.exp(-F).sum(), truth=joint.sum(1), tol=1e-12)
print(f"all F < 0: {(F < 0).all()}; F / sum F goes from {(F / F.sum()).min():.3f} to {(F / F.sum()).max():.3f}, "
      f"p(v) from {joint.sum(1).min():.3f} to {joint.sum(1).max():.3f}")

# %% [markdown]
# You would not: every $F(v)$ is negative here, so all looks well, only strangely even. In this course $F$ is the free
# energy, and a probability is called $p$.
#
# ### Which bias goes where?
#
# There are no couplings inside a side. So given one side, the units of the other are independent, and each is a coin:
#
# $$p(h_j = 1 \mid v) = \sigma(c_j + v^T W_{\cdot j}), \qquad p(v_i = 1 \mid h) = \sigma(b_i + W_{i \cdot} h).$$

# %%
def table_of_coins(p, states):
    """prod_j p_j^s_j (1 - p_j)^(1 - s_j): one row for each row of p, one column for each state."""
    return np.prod(np.where(states[None] == 1, p[:, None], 1 - p[:, None]), axis=2)

claim("rbm-hidden-given-visible", r"p(h|v) = \prod_j \sigma(c_j + v^T W_{\cdot j})^{h_j} \cdots", source="S4:114",
      lhs=table_of_coins(rbm.hidden_probabilities(V), H), rhs=joint / joint.sum(1, keepdims=True), tol=1e-12,
      note="all of the joint table")
claim("rbm-visible-given-hidden", r"p(v|h) = \prod_i \sigma(b_i + W_{i \cdot} h)^{v_i} \cdots", source="S4:120",
      lhs=table_of_coins(rbm.visible_probabilities(H), V), rhs=(joint / joint.sum(0)).T, tol=1e-12)

# %% [markdown]
# **Puzzle.** S4:129-130 prints $p(h_j|x) = \sigma(W_{\cdot j} x + b_j)$ and $p(x_i|h) = \sigma(W_{\cdot i} h + c_i)$,
# with $b$ for the visible units in its own energy. Our machine has as many hidden as visible units. Before you run the
# next cell: will NumPy complain? And would it, with 4 visible and 3 hidden units?

# %%
W, b, c = rbm.W.data, rbm.b.data, rbm.c.data
hidden_truth = joint @ H / joint.sum(1, keepdims=True)
visible_truth = joint.T @ V / joint.sum(0)[:, None]
erratum("E9-hidden", printed=sigmoid(V @ W + b), right=sigmoid(V @ W + c), truth=hidden_truth, tol=1e-12)
erratum("E9-visible", printed=sigmoid(H @ W + c), right=sigmoid(H @ W.T + b), truth=visible_truth, tol=1e-12)
tall = random_rbm(4, 3, seed=2)
erratum("E9-shapes", printed=lambda: sigmoid(V @ tall.W.data + tall.b.data), raises=ValueError,
        right=sigmoid(V @ tall.W.data + tall.c.data)[:, 0], tol=1e-12,
        truth=[np.exp(-e[4:]).sum() / np.exp(-e).sum() for e in all_energies(tall)], note="4 visible, 3 hidden units")

# %% [markdown]
# With as many hidden as visible units it runs, in silence. The chain that it drives samples *something*. Here only the
# joint can tell; remember this when you debug an RBM, and give the two sides different sizes.
#
# The biases are not what S4:100 says either: "model the priors". Before you run the next cell: switch off all of $v$'s
# information by summing over it. Is $p(h_j = 1) = \sigma(c_j)$?

# %%
erratum("E7", printed=sigmoid(c), right=joint.sum(1) @ rbm.hidden_probabilities(V), truth=joint.sum(0) @ H, tol=1e-12,
        note="p(h_j = 1), with p(v) or without")

# %% [markdown]
# It would be, if $W$ were 0. A prior is what comes before; in an undirected model nothing comes first.
#
# ### What does Z cost?
#
# $Z = \sum_v e^{-F(v)}$ has $2^D$ terms (S4:74). But the machine has no upper side: exchange the roles of $v$ and $h$,
# and $Z = \sum_h e^{c^T h} \prod_i (1 + e^{b_i + W_{i \cdot} h})$ has $2^H$.
#
# **Before you run the next cell**: 784 pixels and 20 hidden units. How many terms, and how long will it take?

# %%
wide = random_rbm(6, 3, seed=4)
by_visible = -wide.free_energies(enumerate_binary(6))
states = enumerate_binary(3)
by_hidden = states @ wide.c.data + np.logaddexp(0, states @ wide.W.data.T + wide.b.data).sum(1)
claim("either-side-one-z", r"\sum_v e^{-F(v)} = \sum_h e^{c^T h} \prod_i (1 + e^{b_i + W_{i \cdot} h})", source="S4:74",
      lhs=logsumexp(by_visible), rhs=logsumexp(by_hidden), tol=1e-12)
claim("log-z-in-gray-code", r"\log Z \text{ with one unit flipped at a time} = \log Z \text{ by the joint}",
      lhs=[wide.log_z(), rbm.log_z()], rhs=[logsumexp(-all_energies(wide)), logsumexp(-E)], tol=1e-11)
terms = {side: terms.size for side, terms in (("2^D", by_visible), ("2^H", by_hidden))}
erratum("E5", printed=terms["2^D"], right=2.0 ** min(6, 3), truth=min(terms.values()), tol=1e-12, clear=1,
        note="terms whose sum is Z")
big = random_rbm(784, 18, seed=5, scale=0.05)
print(f"784 x 18: log Z = {big.log_z():.6f} nats, from {2**18} terms")

# %% [markdown]
# ## 4. The exact gradient
#
# For any energy $E_\theta$ the log-likelihood has the gradient (S4:143; its signs are right)
#
# $$\frac{\partial \log p(v)}{\partial \theta} = -\frac{\partial F(v)}{\partial \theta} -
#   \frac{\partial \log Z}{\partial \theta}, \qquad
#   -\frac{\partial \log Z}{\partial \theta} = \sum_{v'} p(v')\,\frac{\partial F(v')}{\partial \theta}.$$
#
# Pull the energy of the data down, push up what the model believes in. For tables over cliques it is as plain as can
# be: the share of the data that has $x_c = s$, less the probability that the model gives to it.

# %%
seen = enumerate_binary(3, int)[[0, 1, 1, 7]]
gradient, h = field.gradient(seen), 1e-5

def nudged(sites, entry, step):
    changed = {key: np.array(table) for key, table in tables.items()}
    changed[sites][entry] *= np.exp(step)
    return MarkovField(3, changed).log_prob(seen).mean()

numeric = [(nudged(c, e, h) - nudged(c, e, -h)) / (2 * h) for c in tables for e in np.ndindex(tables[c].shape)]
claim("gradient-matches-moments",
      r"\partial \langle \log p \rangle / \partial \log \psi_c(s) = \hat p(x_c = s) - p(x_c = s)", source="S4:143",
      lhs=np.concatenate([gradient[c].ravel() for c in tables]), rhs=numeric, tol=1e-8)

# %% [markdown]
# For an RBM the hidden units are averaged over, given $v$: $\partial \log p / \partial W = \langle v h^T
# \rangle_{\text{data}} - \langle v h^T \rangle_{\text{model}}$, and with $v$ and $h$ in the place of $v h^T$ for the
# biases.

# %%
def moments(model, v, weights):
    """<v h'>, <v>, <h> with h averaged given v, as one vector."""
    hidden = model.hidden_probabilities(v)
    return np.concatenate([((v * weights[:, None]).T @ hidden).ravel(), weights @ v, weights @ hidden])

def numeric_gradient(model, v, h=1e-5):
    """Differences of the mean exact log-likelihood, parameter by parameter."""
    slopes = []
    for parameter in model.parameters():
        for entry in np.ndindex(parameter.shape):
            kept, ends = parameter.data[entry], []
            for step in (h, -h):
                parameter.data[entry] = kept + step
                ends.append(model.log_likelihood(v).mean())
            parameter.data[entry] = kept
            slopes.append((ends[0] - ends[1]) / (2 * h))
    return np.array(slopes)

sample = V[[1, 6, 6, 11, 13]]
model_part = moments(rbm, V, np.exp(rbm.log_likelihood(V).value))
claim("rbm-exact-gradient",
      r"\partial \log p / \partial W = \langle v h^T \rangle_{data} - \langle v h^T \rangle_{model}", source="S4:143",
      lhs=moments(rbm, sample, np.full(5, 0.2)) - model_part, rhs=numeric_gradient(rbm, sample), tol=1e-8)

# %% [markdown]
# Let us learn with it. *Bars and stripes*: pictures of 3 x 3 pixels in which some rows are black, or some columns.
# These are 14 of the 512 pictures that there are.
#
# **Before you run the next cell**: eight hidden units, each of the 14 once as data. What is the best mean
# log-likelihood that any model can reach? And how much of the probability will be on the 14 after 600 exact gradient
# steps?

# %%
choices = enumerate_binary(3)
bars = np.unique(np.concatenate([np.repeat(choices, 3, axis=1), np.tile(choices, 3)]), axis=0)
everything = enumerate_binary(9)
learner = random_rbm(9, 8, seed=6, scale=0.1)
before = moments(learner, everything, np.exp(learner.log_likelihood(everything).value))
steps = optim.Adam(learner.parameters(), lr=0.05)
curve = []
for _ in range(600):
    belief = np.exp(learner.log_likelihood(everything).value)
    (ad.mean(learner.free_energy(bars)) - ad.sum(belief * learner.free_energy(everything))).backward()
    steps.step()
    curve.append(np.log(belief[state_index(bars)]).mean())
belief = np.exp(learner.log_likelihood(everything).value)
claim("likelihood-ceiling", r"\frac{1}{N} \sum_n \log p(v_n) \leq -H(\hat p) = -\log 14", source="S4:137",
      lhs=curve, rhs=-np.log(14), kind="at_most")
print(f"probability of the 14 pictures: {belief[state_index(bars)].sum():.4f}; "
      f"log-likelihood {curve[-1]:.3f}, ceiling {-np.log(14):.3f} nats")

# %%
fig = plt.figure(figsize=(9.2, 3.0), layout="constrained")
left, middle, right = fig.subplots(1, 3, width_ratios=(1.1, 1, 1.3))
left.plot(curve, color=RED)
left.axhline(-np.log(14), color=GREY, ls="--", lw=1, label="ceiling, $-\\log 14$")
left.set(title="Exact gradient ascent", xlabel="step", ylabel="log-likelihood, nats")
left.legend(frameon=False, fontsize=8)
wanted = moments(learner, bars, np.full(14, 1 / 14))
reached = moments(learner, everything, belief)
middle.plot([0, 1], [0, 1], color=GREY, lw=0.8)
middle.plot(wanted, before, ".", ms=3, color=GOLD, label="before")
middle.plot(wanted, reached, ".", ms=3, color=RED, label="after")
middle.set(title="Moments", xlabel="data", ylabel="model")
middle.legend(frameon=False, fontsize=8)
canvas = np.full((3 * 4 - 1, 7 * 4 - 1), 0.5)
ranked = everything[np.argsort(-belief)[:21]]
for k, picture in enumerate(ranked):
    top, side = 4 * (k // 7), 4 * (k % 7)
    canvas[top:top + 3, side:side + 3] = 1 - picture.reshape(3, 3)
right.imshow(canvas, cmap="gray", vmin=0, vmax=1)
right.set(title="The 21 most probable pictures", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# The last row of pictures shows where the rest went: bars with one pixel wrong. All this took two sums over 512
# pictures at every step. With 784 pixels they are hopeless, and the second one, $\sum_{v'} p(v') \cdots$, has to be
# *sampled*.
#
# ## 5. Gibbs sampling is a matrix
#
# To draw from $p$ without $Z$: visit a site, forget its value, draw it anew from $p(x_i \mid \text{all others})$.
# Energies of far cliques cancel, and so does $Z$. On all $2^n$ states this is a matrix,
# $K_i(s, t) = P(\text{next } t \mid \text{now } s)$, and for small $n$ we can look at it. One step keeps $p$, and more:
# it is *reversible*,
#
# $$p(s)\,K_i(s, t) = p(t)\,K_i(t, s) \qquad\text{(detailed balance)}.$$

# %%
ring_couplings = np.zeros((4, 4))
for i, weight in enumerate((1.5, -1.0, 2.0, 1.2)):
    ring_couplings[i, (i + 1) % 4] = ring_couplings[(i + 1) % 4, i] = weight
ring = MarkovField.pairwise(ring_couplings, [-0.8, 0.3, -0.2, 0.5])
p = ring.joint().ravel()
flows = np.array([p[:, None] * ring.kernel([[i]]) for i in range(4)])  # p(s) K_i(s, t)
claim("detailed-balance-of-a-site", r"p(s) K_i(s, t) = p(t) K_i(t, s)", lhs=flows, rhs=flows.transpose(0, 2, 1).copy(),
      tol=1e-14)
sweep = ring.kernel()  # site 0, then 1, 2, 3
claim("a-sweep-keeps-the-joint", r"p K_0 K_1 K_2 K_3 = p", lhs=p @ sweep, rhs=p, tol=1e-14)

# %% [markdown]
# Each of the four steps is reversible, and all keep $p$. A sweep is one after the other, and it keeps $p$ as well.
#
# **Before you run the next cell**: is the sweep reversible?

# %%
net = p[:, None] * sweep
net = net - net.T
backwards = ring.kernel([[3], [2], [1], [0]])
fig, panels = plt.subplots(1, 3, figsize=(9.2, 3.1), layout="constrained")
shown = {"site 0 alone": flows[0] - flows[0].T, "a sweep, 0 1 2 3": net}
both_ways = p[:, None] * (sweep @ backwards)
shown["a sweep there and back"] = both_ways - both_ways.T
for axes, (name, flow) in zip(panels, shown.items()):
    image = axes.imshow(flow, cmap="RdBu", vmin=-0.02, vmax=0.02)
    axes.set(title=name, xlabel="state t", ylabel="state s", xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
fig.colorbar(image, ax=panels, shrink=0.8, label="p(s)K(s,t) - p(t)K(t,s)")
plt.show()
claim("a-sweep-is-not-reversible", r"\max |p(s) K(s, t) - p(t) K(t, s)| > 0 \text{ for a sweep in fixed order}",
      lhs=np.abs(net).max(), rhs=0.005, kind="at_least")

# %% [markdown]
# No. Probability goes round in circles, as much into every state as out of it. (Textbooks that prove Gibbs sampling by
# detailed balance mean one site, or a site chosen at random.) Played backwards in time, the chain visits the sites in
# the other order; and a sweep there and back is reversible again.

# %%
claim("time-reversal-turns-the-order", r"p(s) K_{0123}(s, t) = p(t) K_{3210}(t, s)",
      lhs=p[:, None] * sweep, rhs=(p[:, None] * backwards).T, tol=1e-14)
claim("there-and-back-is-reversible", r"p(s) (K K')(s, t) = p(t) (K K')(t, s)", lhs=both_ways, rhs=both_ways.T.copy(),
      tol=1e-14)

# %% [markdown]
# ### How fast does it forget?
#
# To keep $p$ is not enough: the chain must forget where it began. $K$ has the eigenvalue 1, with $p$ as its left
# eigenvector. All else dies out, the slowest part like $|\lambda_2|^t$. Nine sites in a square, neighbours like to
# agree.
#
# **Before you run the next cell**: at $T = 2$ the distance from $p$ falls by a factor $e$ in 5 sweeps. In how many at
# $T = 1$: twice as many?

# %%
def distances(model, sweeps):
    """(sum_t |K^k(s, t) - p(t)| / 2 for k = 1..sweeps from the state of all ones, |second eigenvalue|)."""
    small = model.as_field()
    K, p = small.kernel(), small.joint().ravel()
    now, found = np.eye(len(p))[-1], []
    for _ in range(sweeps):
        now = now @ K
        found.append(0.5 * np.abs(now - p).sum())
    return np.array(found), np.sort(np.abs(np.linalg.eigvals(K)))[-2]

fig, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.0), layout="constrained")
rates, second = [], []
for k, (T, colour) in enumerate(((3.0, BLUE), (2.0, GREEN), (1.0, RED))):
    model = Ising(3, 3, temperature=T, periodic=False)
    far, eigenvalue = distances(model, 300)
    at = np.flatnonzero(far > 1e-9)[-1]
    rates.append(far[at] / far[at - 1])
    second.append(eigenvalue)
    left.semilogy(far[:120], color=colour, label=f"T = {T:g}: factor e in {-1 / np.log(eigenvalue):.1f} sweeps")
    chain, trace = model.cold(1), []
    for _ in range(400):
        chain = model.sequential(chain, 1, rng)
        trace.append(chain.mean())
    right.step(range(400), np.array(trace) / 2.3 + 1 - k, lw=0.7, color=colour)
left.set(title="Distance from p, from all ones", xlabel="sweeps", ylabel="total variation", ylim=(1e-8, 1))
left.legend(frameon=False, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.93))
right.set(title="One chain each: mean of the nine spins", xlabel="sweeps", yticks=[-1, 0, 1], ylim=(-1.5, 1.5),
          yticklabels=["T = 1", "T = 2", "T = 3"])
plt.show()
claim("second-eigenvalue-is-the-pace", r"|p_{k+1} - p| / |p_k - p| \to |\lambda_2|", lhs=rates, rhs=second, tol=1e-5)

# %% [markdown]
# In more than 200. To go from all ones to all zeros the chain has to climb over a wall of energy, and the time for that
# grows like $\exp(\Delta E / T)$. The trace at $T = 1$ looks calm, and a calm trace proves nothing: by symmetry half of
# the probability lies where this chain has hardly been.

# %% [markdown]
# ## 6. The Ising model
#
# Spins $s_i = \pm 1$ on a grid like to agree with their four neighbours: $E(s) = -J \sum_{\langle ij \rangle} s_i s_j -
# h \sum_i s_i$, here with $J = 1$ and no field $h$. It was thought up to explain magnets. As the smallest model of
# pictures it says: neighbouring pixels are alike.
#
# $Z$ of a grid of 100 x 8 has $2^{800}$ terms. But row by row there is a matrix again, the *transfer matrix* $V$ from
# the states of one row to those of the next, and $Z = \mathrm{tr}\,V^{100}$ if the last row is a neighbour of the first
# (otherwise a sum over the first and the last row).

# %%
lattices = [Ising(3, 4, temperature=1.7), Ising(4, 4, field=0.2, temperature=2.5),
            Ising(4, 3, temperature=0.8, field=-0.1, periodic=False), Ising(14, 1, temperature=0.5, periodic=False)]


def log_z_by_enumeration(lattice):
    x = enumerate_binary(lattice.shape[0] * lattice.shape[1], int)
    return logsumexp(-lattice.as_field().energy(x) / lattice.temperature)

claim("transfer-matrix", r"Z = \mathrm{tr}\, V^{rows}", lhs=[lattice.log_z() for lattice in lattices],
      rhs=[log_z_by_enumeration(lattice) for lattice in lattices], tol=1e-10, note="against all states of small grids")

# %% [markdown]
# Larger grids are sampled. Colour the sites like a chess board: a black site has only white neighbours. Given all white
# sites the black ones are independent and can be drawn at once, then the white ones given the black.
#
# **Before you run the next cell**: the middle picture is at the critical temperature, $T_c = 2 / \log(1 + \sqrt 2)$.
# All three began as coin flips. Which one is hardest to sample?

# %%
def spins(axes, s, title):
    axes.imshow(s, cmap="gray_r", vmin=-1.6, vmax=1.6, interpolation="nearest")
    axes.set(title=title, xticks=[], yticks=[])

SIDE = 96
draw = np.random.default_rng(8)
fig, panels = plt.subplots(1, 3, figsize=(9.2, 3.2), layout="constrained")
for axes, T in zip(panels, (1.5, CRITICAL_TEMPERATURE, 3.5)):
    lattice = Ising(SIDE, SIDE, temperature=T)
    spins(axes, lattice.checkerboard(lattice.hot(1, draw), 400, draw)[0], f"T = {T:.3g}, after 400 sweeps")
plt.show()

# %% [markdown]
# At $T = 3.5$ the chain forgot its start long ago. At $T_c$ there are islands of every size, and the largest take very
# long to come and go. At $T = 1.5$ the truth is almost all black or almost all white. What you see is *not* a sample of
# $p$: large islands shrink slowly, and a stripe that closes around the torus can stay for a very long time. Here the
# chain does not mix.
#
# Do the two orders, line by line and colour by colour, have one stationary distribution?

# %%
square = Ising(3, 3, temperature=1.8, field=0.2, periodic=False)
small, black, white = square.as_field(), [0, 2, 4, 6, 8], [1, 3, 5, 7]
p = small.joint()
claim("checkerboard-is-sequential",
      r"\pi = \pi K_{black} K_{white} \text{ and } \pi = \pi K_0 \cdots K_8 \text{ have one solution}",
      lhs=stationary(small.kernel([black, white])), rhs=stationary(small.kernel()), tol=1e-10)

# %% [markdown]
# ### Both colours at once
#
# If half of the sites at once are good, all at once must be twice as good: draw *every* spin given the old state of its
# neighbours. It is a line of NumPy, and every conditional in it is right.
#
# **Before you run the next cell**: what will be wrong, if anything: the mean of each spin? The energy?

# %%
wrong = stationary(small.kernel([list(range(9))])).reshape(p.shape)

def mean_spins(joint):
    return [2 * np.moveaxis(joint, i, 0)[1].sum() - 1 for i in range(9)]

claim("at-once-keeps-the-means", r"\langle s_i \rangle_{at once} = \langle s_i \rangle",
      lhs=mean_spins(wrong), rhs=mean_spins(p), tol=1e-9)
claim("at-once-loses-the-joint", r"\pi_{at once}(s) = p(s_{black})\, p(s_{white})", lhs=wrong,
      rhs=p.sum(tuple(white), keepdims=True) * p.sum(tuple(black), keepdims=True), tol=1e-10)
level = small.energy(binary_states(9))
print(f"mean energy: {level @ p.ravel():.3f} exact, {level @ wrong.ravel():.3f} all at once")
claim("at-once-has-the-wrong-energy", r"\langle E \rangle_{at once} > \langle E \rangle", lhs=level @ wrong.ravel(),
      rhs=level @ p.ravel() + 1, kind="at_least", note="by more than 1")

# %% [markdown]
# Every mean is right, to all digits, and so are all correlations inside a colour. A test on these would pass! But the
# new black spins look at the old white ones, the new white ones at the old black: there are *two* chains, woven like a
# zipper, that never talk to each other. Black and white of one picture are independent; and an RBM whose $v$ and $h$
# are both drawn from the old state has the same disease. On a large grid you can see it:

# %%
def all_at_once(lattice, s, sweeps, rng):
    for _ in range(sweeps):
        neighbours = sum(np.roll(s, step, axis) for axis in (-2, -1) for step in (-1, 1))
        s = np.where(rng.random(s.shape) < sigmoid(2 * neighbours / lattice.temperature), 1, -1)
    return s

lattice = Ising(48, 48, temperature=1.5)
s = all_at_once(lattice, lattice.hot(1, draw), 60, draw)
fig, panels = plt.subplots(1, 3, figsize=(9.2, 3.2), layout="constrained")
for axes, sweep in zip(panels, (60, 61, 62)):
    spins(axes, s[0], f"all at once, sweep {sweep}")
    s = all_at_once(lattice, s, 1, draw)
plt.show()

# %% [markdown]
# Where the two chains disagree, the picture is a chess board, and blinks from sweep to sweep.
#
# ### A phase transition
#
# For the infinite grid the answer is known (Onsager 1944, Yang 1952). Below $T_c$ the spins agree on a direction,
# $|\langle s \rangle| = (1 - \sinh^{-4}(2/T))^{1/8}$; above, they do not. Does our sampler know?
#
# **Before you run the next cell**: at every temperature four chains begin with all spins up, four with coin flips.
# After 600 sweeps, will all of them end on the curve, also at low temperature?

# %%
temperatures = np.array([1.2, 1.5, 1.8, 2.0, 2.1, 2.2, 2.27, 2.35, 2.5, 2.8, 3.3, 4.0])
ends = {}
for start in ("up", "coins"):
    for T in temperatures:
        lattice = Ising(48, 48, temperature=T)
        s = lattice.checkerboard(lattice.cold(4) if start == "up" else lattice.hot(4, draw), 600, draw)
        ends[start, T] = np.abs(s.mean((1, 2))), lattice.energy(s) / s[0].size
fine = np.linspace(1.0, 4.2, 400)
fig, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.2), layout="constrained")
left.plot(fine, [onsager_magnetisation(T) for T in fine], color=GREY, lw=1, label="infinite grid, exact")
right.plot(fine, [onsager_energy(T) for T in fine], color=GREY, lw=1, label="infinite grid, exact")
for start, colour, mark in (("up", BLUE, "o"), ("coins", RED, "x")):
    for axes, which in ((left, 0), (right, 1)):
        reached = np.concatenate([ends[start, T][which] for T in temperatures])
        axes.plot(np.repeat(temperatures, 4), reached, mark, ms=3.5, color=colour, alpha=0.7,
                  label=f"began with {start if start == 'coins' else 'all up'}")
for axes in (left, right):
    axes.axvline(CRITICAL_TEMPERATURE, color=GOLD, lw=1)
    axes.set(xlabel="temperature")
    axes.legend(frameon=False, fontsize=8)
left.set(title="Magnetisation of a 48 x 48 torus", ylabel="|mean spin|")
right.set(title="Energy", ylabel="energy for each site")
plt.show()

# %% [markdown]
# Both agree above $T_c$. Below, some of the chains that began as coins are stuck with stripes: nearly the right energy,
# and a magnetisation anywhere. Nothing in such a run tells that it is not done. The only warning comes from another
# start.
#
# Away from $T_c$, and begun in the right place, samples meet the exact values within their standard errors:

# %%
checked = {T: Ising(32, 32, temperature=T) for T in (1.8, 2.0, 3.2)}
drawn = {T: lattice.checkerboard(lattice.cold(300), 120, draw) for T, lattice in checked.items()}
energy = np.array([checked[T].energy(s) / 1024 for T, s in drawn.items()])
claim("onsager-energy", r"u = -\coth(2/T) [1 + \frac{2}{\pi} (2 \tanh^2(2/T) - 1) K_1]", source="Onsager 1944",
      lhs=energy.mean(1), rhs=[onsager_energy(T) for T in drawn], standard_error=energy.std(1) / np.sqrt(300))
mean_spin = np.array([drawn[T].mean((1, 2)) for T in (1.8, 2.0)])
claim("onsager-magnetisation", r"|\langle s \rangle| = (1 - \sinh^{-4}(2/T))^{1/8}", source="Yang 1952",
      lhs=mean_spin.mean(1), rhs=[onsager_magnetisation(T) for T in (1.8, 2.0)],
      standard_error=mean_spin.std(1) / np.sqrt(300))

# %% [markdown]
# ## 7. Real numbers, and labels
#
# Binary units are not the only ones. With
#
# $$E(v, h) = \sum_i \frac{(v_i - b_i)^2}{2 s_i^2} - \sum_i \frac{v_i}{s_i} W_{i \cdot} h - c^T h$$
#
# the visible units are real numbers, $p(v \mid h) = N(b + s\,W h,\; s^2)$, and the hidden ones binary as before.
#
# **Before you run the next cell**: three hidden units, two visible ones. How many bumps can the density of $v$ have,
# and can they lie anywhere?

# %%
gaussian = GaussianRBM(2, 3, learn_sigma=True, rng=rng, dtype=np.float64)
gaussian.W.data[...] = [[3.4, -0.4, 1.8], [0.4, 3.2, -2.2]]
gaussian.b.data[...], gaussian.log_sigma.data[...] = [-2.0, -0.5], [-0.1, -0.3]
places = np.exp(-gaussian.log_sigma.data) * gaussian.b.data @ gaussian.W.data
gaussian.c.data[...] = [0.0, 0.0, -4.0] - places - 0.5 * (gaussian.W.data**2).sum(0)
side = np.linspace(-5, 5, 100)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
density = np.exp(gaussian.log_likelihood(plane).value).reshape(100, 100)
corners = enumerate_binary(3)
means = gaussian.visible_mean(corners)
chains = gaussian.sample(4000, np.random.default_rng(9), sweeps=60)
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), layout="constrained")
left.contourf(side, side, np.sqrt(density), levels=12, cmap="Blues")
for i, j in np.argwhere(np.abs(corners[:, None] - corners[None]).sum(-1) == 1):
    left.plot(*means[[i, j]].T, color=GREY, lw=0.6)
left.scatter(*means.T, s=12, color=RED, zorder=3)
left.set(title="square root of p(v), means b + s W h", xlabel="$v_1$", ylabel="$v_2$", aspect="equal")
right.scatter(*chains[:1500].T, s=1.5, color=BLUE)
right.set(title="Gibbs samples", xlim=(-5, 5), ylim=(-5, 5), xlabel="$v_1$", aspect="equal")
plt.show()

# %% [markdown]
# Up to $2^3 = 8$, but not anywhere: their centres are the corners of a (flattened) box, spanned by the columns of $W$.
# And not with any weights: five of the eight can be seen here. It is a mixture with $2^H$ components for the price of
# $H$, and the price is that weights and places are tied to each other.

# %%
W, b, c, s = gaussian.W.data, gaussian.b.data, gaussian.c.data, np.exp(gaussian.log_sigma.data)
log_weight = corners @ c + (corners @ W.T) @ (b / s) + 0.5 * ((corners @ W.T) ** 2).sum(1)  # log p(h) + constant
log_weight -= logsumexp(log_weight)
log_normal = -0.5 * (((plane[:, None] - means) / s) ** 2).sum(-1) - np.log(2 * np.pi * s.prod())
claim("gaussian-rbm-is-a-mixture", r"e^{-F(v)} / Z = \sum_h p(h)\, N(v;\, b + s W h,\, s^2)",
      lhs=gaussian.log_likelihood(plane).value, rhs=logsumexp(log_weight + log_normal, axis=1), tol=1e-10)
claim("gaussian-rbm-mass", r"\int e^{-F(v)} dv = Z", rhs=1.0, tol=1e-7,
      lhs=quadrature_2d(lambda v: np.exp(gaussian.log_likelihood(v).value), (-9, 9), (-9, 9), n=200).value)
right_half = (chains[:, 0] > 0.5).mean()
claim("gaussian-rbm-chain", r"P(v_1 > 1/2) \text{ by chains} = \int_{v_1 > 1/2} p(v) dv", lhs=right_half,
      rhs=quadrature_2d(lambda v: np.exp(gaussian.log_likelihood(v).value), (0.5, 9), (-9, 9), n=200).value,
      standard_error=np.sqrt(right_half * (1 - right_half) / len(chains)))

# %% [markdown]
# Beside the pixels we may put a label $y$, one unit of $K$ values with couplings $U$ to the hidden units and a bias
# $d$. Then *classification* is exact, for $Z$ cancels:
#
# $$p(y \mid v) = \frac{e^{-F(v, y)}}{\sum_{y'} e^{-F(v, y')}}, \qquad
#   -F(v, y) = b^T v + d_y + \sum_j \log(1 + e^{c_j + U_{yj} + v^T W_{\cdot j}}).$$

# %%
tiny = LabelRBM(3, 3, 2, rng=rng, dtype=np.float64)
for parameter in tiny.parameters():
    parameter.data[...] = rng.normal(size=parameter.shape)
pictures, hidden = enumerate_binary(3), enumerate_binary(2)
rows = np.concatenate([np.repeat(pictures, 3, axis=0), np.tile(np.eye(3), (8, 1))], axis=1)  # every (v, y)
table = np.exp([[row @ tiny.W.data @ h + row @ tiny.b.data + h @ tiny.c.data for h in hidden] for row in rows])
by_hand = table.sum(1).reshape(8, 3)
claim("label-given-picture", r"p(y|v) = e^{-F(v, y)} / \sum_{y'} e^{-F(v, y')}",
      lhs=np.exp(ad.value(tiny.label_log_prob(pictures))), rhs=by_hand / by_hand.sum(1, keepdims=True), tol=1e-12)
claim("label-log-z", r"Z = \sum_y e^{d_y} Z_y", lhs=tiny.log_z(), rhs=np.log(table.sum()), tol=1e-12)

# %% [markdown]
# The logarithm of $p(y \mid v)$ can be differentiated like any other function. So we train an RBM on digits of 8 x 8
# pixels as a classifier: no chain, no $Z$.

# %%
digits = data.load("digits")
def ink(images):
    return (np.reshape(images, (len(images), -1)) > 4).astype(np.float32)

train, held_out = ink(digits.train), ink(digits.test)
classifier = LabelRBM(64, 10, 60, rng=np.random.default_rng(10))
steps, order = optim.Adam(classifier.parameters(), lr=0.02), np.random.default_rng(11)
for _ in range(15):
    for batch in np.array_split(order.permutation(len(train)), 14):
        log_p = classifier.label_log_prob(train[batch])
        (-ad.mean(ad.take_along_axis(log_p, digits.train_labels[batch][:, None], axis=1))).backward()
        steps.step()
print(f"right on held-out digits: {(classifier.predict(held_out) == digits.test_labels).mean():.1%}")

# %% [markdown]
# Not bad for pictures of black and white. The same machine is a generative model: given a label, $p(v \mid y)$ is an
# RBM, and we can let its chain run.
#
# **Before you run the next cell**: it knows a 3 when it sees one. Ask it for a 3. What will it draw?

# %%
fig, axes = plt.subplots(figsize=(7.6, 1.9), layout="constrained")
canvas = np.full((2 * 9 - 1, 10 * 9 - 1), 0.5)
for y in range(10):
    dreamt = classifier.given(y).sample(1, np.random.default_rng(12 + y), sweeps=300)[0]
    canvas[:8, 9 * y:9 * y + 8] = 1 - train[digits.train_labels == y][0].reshape(8, 8)
    canvas[9:, 9 * y:9 * y + 8] = 1 - dreamt.reshape(8, 8)
axes.imshow(canvas, cmap="gray", vmin=0, vmax=1)
axes.set(xticks=[], yticks=[4, 13], yticklabels=["data", "dreamt"], title="Digits, and a classifier's dreams of them")
plt.show()

# %% [markdown]
# One and the same scribble, ten times. The training never asked for $p(v)$, only for what tells the labels apart; an
# energy may add any function of $v$ alone, and no $p(y \mid v)$ changes. To learn $p(v)$ we need the second sum of
# section 4, over all that the model believes in. Lecture 04 samples it, with chains that are stopped far too early, and
# asks what that does.
#
# ## Exercises
#
# `minigen exercise start 03 my-exercises` makes a folder with the stubs and public checks:
#
# 1. `free_energy`: of an RBM, for energies of any size.
# 2. `conditionals`: both sides of an RBM; which bias goes where?
# 3. `log_z`: by the smaller side.
# 4. `exact_gradient`: data moments less model moments.
# 5. `gibbs_kernel`: the matrix of one sweep, site by site.
# 6. `checkerboard`: a sweep of the Ising model in two colours.
#
# Then change this notebook. Visit the four sites of section 5 in random order: is the *mean* kernel reversible? Give
# the Ising model a field of 0.01 at $T = 1.5$: do the chains that began with coins still get stuck? Draw $v$ and $h$ of
# an RBM at once, both from the old state: which of its moments stay right?
#
# ## References
#
# - Ackley, D. H., Hinton, G. E. and Sejnowski, T. J. (1985). A learning algorithm for Boltzmann machines. *Cognitive
#   Science* 9(1), 147-169.
# - Geman, S. and Geman, D. (1984). Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images.
#   *IEEE Transactions on Pattern Analysis and Machine Intelligence* 6(6), 721-741.
# - Smolensky, P. (1986). Information processing in dynamical systems: foundations of harmony theory. In *Parallel
#   Distributed Processing*, volume 1, chapter 6. MIT Press.
# - Onsager, L. (1944). Crystal statistics. I. A two-dimensional model with an order-disorder transition. *Physical
#   Review* 65, 117-149.
# - Yang, C. N. (1952). The spontaneous magnetization of a two-dimensional Ising model. *Physical Review* 85, 808-816.
# - Little, W. A. (1974). The existence of persistent states in the brain. *Mathematical Biosciences* 19, 101-120. (All
#   units at once.)
# - Larochelle, H. and Bengio, Y. (2008). Classification using discriminative restricted Boltzmann machines. *ICML*.
# - Hinton, G. E. (2010). A practical guide to training restricted Boltzmann machines. Technical report UTML TR
#   2010-003.
# - Lecture documents S4:45-157.
