# %% [markdown]
# # Lecture 05. Deep belief nets and deep Boltzmann machines
#
# One RBM has one layer of causes. Causes have causes: strokes make digits, edges make strokes. There are two ways to
# put RBMs on top of each other, and they are different models.
#
# | | connections | generation | inference |
# |---|---|---|---|
# | belief net (DBN) | downwards, an RBM at the top | Gibbs at the top, then one pass down | a bound, by recognition |
# | Boltzmann machine (DBM) | both ways, everywhere | Gibbs in all layers | a bound, by mean field |
#
# | this lecture | the question |
# |---|---|
# | 1, 2 | what is the joint of a DBN, and how is it sampled? |
# | 3 | why may a second layer only help? |
# | 4 | a stack unrolled into a deep autoencoder |
# | 5, 6 | the energy of a DBM, its conditionals, and mean field |
# | 7 | a DBM is an RBM: exact $Z$, and annealed importance sampling |
# | 8, 9, 10 | training: two phases, pretraining with doubled input, centred coordinates |
# | 11 | a DBM dreams of digits |
#
# **Convention**: $v$ or $x$ is visible, layer 0. $W_l$ has shape (layer $l-1$, layer $l$), $E = -v^TW_1h_1 - \ldots$

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data, optim
from minigen.checks import claim, enumerate_binary, erratum, logsumexp
from minigen.energy.ais import ais, base_logits
from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
from minigen.energy.dbm import DBM
from minigen.energy.dbm_centred import CentredDBM
from minigen.energy.dbm_pretraining import CopiesRBM, assemble
from minigen.energy.dbm_rows import Rows
from minigen.energy.dbm_training import VariationalPCD
from minigen.energy.dbn import DBN
from minigen.energy.greedy import train_greedily, turn_over
from minigen.energy.rbm import RBM
from minigen.energy.unroll import Autoencoder, CodeCD, CodeRBM
from minigen.training import fit

BLUE, RED, GREEN, GREY, GOLD = "#1b6ca8", "#d1495b", "#2e8b57", "#5a5a5a", "#edae49"
rng = np.random.default_rng(5)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def scatter_parameters(model, scale=1.0):
    """Every parameter from N(0, scale^2), so that nothing is small and nothing is equal."""
    for p in model.parameters():
        p.data[...] = scale * rng.standard_normal(p.shape)
    return model

def bernoulli(x, p):
    """prod_i p_i^x_i (1 - p_i)^(1 - x_i) over the last axis."""
    return np.prod(np.where(x == 1, p, 1 - p), axis=-1)

def cut(states, sizes):
    """Whole states (n, all units) into a list of layers."""
    return np.split(states, np.cumsum(sizes)[:-1], axis=-1)

# %% [markdown]
# ## 1. The joint of a deep belief net
#
# Stack two RBMs: weights $W_1$ between $x$ and $h_1$, $W_2$ between $h_1$ and $h_2$. S4:180 prints
#
# $$p(x, h_1, h_2) = p(x|h_1)\, p(h_1|h_2).$$
#
# **Puzzle.** Four visible units, three and two hidden ones, parameters drawn at random. Before you run the next cell:
# to what does the printed product add up over all $2^9$ states?

# %%
sizes = (4, 3, 2)
dbn = scatter_parameters(DBN(sizes, rng=rng, dtype=np.float64))
first, top = dbn.rbms
top.W.data += 3.0  # units of the top pair like to be on together, and off alone
top.b.data -= 2.0
top.c.data -= 2.0
states = enumerate_binary(sum(sizes))
x, h1, h2 = cut(states, sizes)
x_given_h1 = bernoulli(x, sigmoid(h1 @ first.W.data.T + first.b.data))
h1_given_h2 = bernoulli(h1, sigmoid(h2 @ top.W.data.T + top.b.data))
weight = np.exp(np.sum((h1 @ top.W.data) * h2, axis=1) + h1 @ top.b.data + h2 @ top.c.data)
pairs = weight / (weight.sum() / 2 ** sizes[0])  # every pair (h1, h2) occurs once for each x
joint = x_given_h1 * pairs
erratum("E13", printed=(x_given_h1 * h1_given_h2).sum(), right=joint.sum(), truth=1.0, tol=1e-12,
        note="sum over all states")
print(f"states of h2: {2 ** sizes[2]}")

# %% [markdown]
# Four: the product is a distribution of $(x, h_1)$ *for each* $h_2$, and nothing says how probable $h_2$ is. What is
# missing is $p(h_2)$, and it comes from the RBM on top: $p(x, h_1, h_2) = p(x|h_1)\, p(h_1, h_2)$, where
# $p(h_1, h_2) \propto \exp(h_1^TW_2h_2 + b_2^Th_1 + c_2^Th_2)$.

# %%
claim("dbn-joint-mass", r"\sum p(x|h_1)\, p(h_1, h_2) = 1", source="S4:180",
      lhs=np.exp(dbn.log_joint([x, h1, h2])).sum(), rhs=1.0, tol=1e-12)
claim("dbn-joint-factors", r"p(x, h_1, h_2) = p(x|h_1)\, p(h_1, h_2)", source="S4:180",
      lhs=np.exp(dbn.log_joint([x, h1, h2])), rhs=joint, tol=1e-12)
v = enumerate_binary(sizes[0])
claim("dbn-exact-likelihood", r"p(x) = \sum_{h_1} p(x|h_1)\, p(h_1)", source="S4:180",
      lhs=np.exp(dbn.log_likelihood(v).value), rhs=joint.reshape(len(v), -1).sum(1), tol=1e-12,
      note="2^3 states of h1 with the top RBM, against 2^9")

# %% [markdown]
# ## 2. Which way do the arrows point?
#
# S4:181-182: "Deep Belief Networks are directed models [...] and have a single forward flow." If that were so, a sample
# would be one pass from the top: $h_2$ from its biases, $h_1$ given $h_2$, $x$ given $h_1$.
#
# **Before you run the next cell**: the biases of $h_2$ alone do not know of $W_2$. Is the pass nearly right or far off?

# %%
h2_alone = bernoulli(h2, sigmoid(top.c.data))
one_pass = (x_given_h1 * h1_given_h2 * h2_alone).reshape(len(v), -1).sum(1)
exact = joint.reshape(len(v), -1).sum(1)
erratum("E14", printed=one_pass, right=np.exp(dbn.log_likelihood(v).value), truth=exact, tol=1e-12,
        note="p(x) of a single pass from the top, and of the top pair as an RBM")
drawn = dbn.sample(20_000, np.random.default_rng(1), sweeps=30)
frequency = np.bincount((drawn @ (8, 4, 2, 1)).astype(int), minlength=16) / len(drawn)
claim("dbn-ancestral-sampling", r"\text{Gibbs in the top RBM, then down} \sim p(x)", source="S4:181",
      lhs=frequency, rhs=exact, standard_error=np.sqrt(exact * (1 - exact) / len(drawn)))

# %%
fig, axes = plt.subplots(figsize=(7.0, 2.8), layout="constrained")
axes.bar(np.arange(16) - 0.28, exact, 0.28, color=GREY, label="enumerated")
axes.bar(np.arange(16), frequency, 0.28, color=BLUE, label="Gibbs at the top, then down")
axes.bar(np.arange(16) + 0.28, one_pass, 0.28, color=RED, label="a single pass down")
axes.set(title="p(x) of a small DBN", xlabel="the 16 states of x", ylabel="probability")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# Far off: here the units of the top pair are on together or not at all, and their biases alone cannot say so. The two
# top layers are an undirected pair and need a Markov chain; only from $h_1$ downwards do arrows point one way.
#
# **Puzzle.** S4:183 explains the flow: "the RBN is directional, $p(x_i|h, \theta) = \sigma(W_i^T x + c_i)$, namely the
# input argument has only variable only from below". An RBM has no direction, and something stands on both sides of the
# bar. Take a square RBM, so that every reading of the formula has a shape. Before you run the next cell: which two
# letters must change?

# %%
square = scatter_parameters(RBM(3, 3, rng=rng, dtype=np.float64))
both = enumerate_binary(6)
u, g = both[:, :3], both[:, 3:]
table = np.exp(np.sum(u @ square.W.data * g, axis=1) + u @ square.b.data + g @ square.c.data).reshape(8, 8)
given_h = (enumerate_binary(3).T @ table / table.sum(0)).T
every = enumerate_binary(3)
erratum("E15", printed=sigmoid(every @ square.W.data + square.c.data),
        right=sigmoid(every @ square.W.data.T + square.b.data), truth=given_h,
        tol=1e-12, note="p(x_i = 1 | h) for every h: W'. + c as printed, W h + b")

# %% [markdown]
# $W_{i\cdot}h + b_i$: the weights from the other side, the biases from one's own. Generation comes from *above*.
#
# ## 3. Why a second layer may only help
#
# Train one RBM. It says $p(x) = \sum_{h_1} p(x|h_1)\,p(h_1)$, where $p(h_1)$ is implied by $W_1$ too. Now keep
# $p(x|h_1)$ and replace $p(h_1)$ by a second RBM. With $q(h_1|x) = \prod_j \sigma(c_j + x^TW_{\cdot j})$,
#
# $$\log p(x) \;\ge\; E_{q(h_1|x)}\left[\log p(x|h_1) + \log p(h_1) - \log q(h_1|x)\right],$$
#
# and the gap is $KL(q(h_1|x) \| p(h_1|x))$. First the identity, at random parameters.

# %%
def layer_terms(dbn, v):
    """log p(v, h1) and log q(h1 | v) for every v and every h1: (n, 2^H1) each, two hidden layers."""
    first, top = dbn.rbms
    h = enumerate_binary(dbn.sizes[1])
    on, q = sigmoid(h @ first.W.data.T + first.b.data), sigmoid(v @ first.W.data + first.c.data)
    log_prior = -top.free_energies(h) - top.log_z()
    log_p = np.array([np.log(bernoulli(row, on)) for row in v]) + log_prior
    return log_p, np.array([np.log(bernoulli(h, row)) for row in q])

def dbn_bound(dbn, v):
    """E_q[log p(v, h1) - log q(h1 | v)], every h1 enumerated: (n,)."""
    log_p, log_q = layer_terms(dbn, v)
    return np.sum(np.exp(log_q) * (log_p - log_q), axis=1)

log_p, log_q = layer_terms(dbn, v)
log_posterior = log_p - logsumexp(log_p, axis=1)[:, None]
divergence = np.sum(np.exp(log_q) * (log_q - log_posterior), axis=1)
claim("dbn-bound", r"\log p(x) \geq E_q[\log p(x, h_1) - \log q(h_1|x)]", source="S4:175",
      lhs=dbn_bound(dbn, v), rhs=dbn.log_likelihood(v).value, kind="at_most")
claim("dbn-bound-gap", r"\log p(x) - \mathcal{L}(x) = KL(q(h_1|x) \| p(h_1|x))", source="S4:175",
      lhs=dbn.log_likelihood(v).value - dbn_bound(dbn, v), rhs=divergence, tol=1e-10)

# %% [markdown]
# Now begin the second RBM as the first one upside down: $W_2 = W_1^T$, $b_2 = c_1$, $c_2 = b_1$. Its $p(h_1)$ is then
# the one that the first RBM implied.
#
# **Before you run the next cell**: what is the gap of the bound at this start? (Which $p(h_1|x)$ does the net have?)

# %%
tower = scatter_parameters(DBN((4, 3, 4), rng=rng, dtype=np.float64))
turn_over(tower.rbms[0], tower.top)
alone = tower.rbms[0].log_likelihood(v).value
claim("turned-over-changes-nothing", r"p(x) \text{ with } W_2 = W_1^T = p(x) \text{ of the first RBM}", source="S4:179",
      lhs=tower.log_likelihood(v).value, rhs=alone, tol=1e-12)
claim("turned-over-bound-is-tight", r"\mathcal{L}(x) = \log p(x) \text{ at } W_2 = W_1^T", source="S4:179",
      lhs=dbn_bound(tower, v), rhs=alone, tol=1e-10)

# %% [markdown]
# Tight: for an RBM $q(h_1|x)$ *is* the posterior. From there, training the second RBM on $h_1 \sim q(h_1|x)$ raises
# $E_q \log p(h_1)$, the only term of the bound that it touches. Whatever happens to the gap, $\log p(x)$ stays above
# the bound, and the bound rises. That is the theorem behind greedy layer-wise training (Hinton, Osindero and Teh 2006).
#
# Data: the 14 "bars and stripes" of $3 \times 3$ pixels, of which no model can say more than $-\log 14 = -2.64$ nats.

# %%
lines = np.repeat(enumerate_binary(3), 3, axis=1)
patterns = np.unique(np.concatenate([lines, lines.reshape(8, 3, 3).transpose(0, 2, 1).reshape(8, 9)]), axis=0)
bars = np.tile(patterns, (40, 1)).astype(np.float32)
greedy = DBN((9, 6, 9), rng=rng)
train_greedily(greedy.rbms, bars, trainer=ContrastiveDivergence, epochs=(80, 0), start="transpose", batch_size=40,
               optimizer=lambda t: optim.SGD(t.parameters(), lr=0.5), rng=rng)
curve = [(dbn_bound(greedy, patterns).mean(), greedy.log_likelihood(patterns).mean())]
second = PersistentCD(greedy.top, k=2, rng=rng)
fit(second, greedy.rbms[0].sample_hidden(np.tile(bars, (3, 1)), rng), optimizer=optim.SGD(second.parameters(), lr=0.1),
    epochs=20, batch_size=40, rng=rng, progress=False, schedule=lambda t: max(0.05, 1 - t / 840),
    callback=lambda record: curve.append((dbn_bound(greedy, patterns).mean(), greedy.log_likelihood(patterns).mean())))
curve = np.array(curve)
claim("second-layer-raises-the-bound", r"\mathcal{L} \text{ after training layer 2} > \mathcal{L} \text{ before}",
      source="S4:179", lhs=curve[-1, 0], rhs=curve[0, 0], kind="at_least")

# %%
fig, axes = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
axes.plot(curve[:, 1], color=BLUE, lw=4, alpha=0.4, label="log p(x), exact")
axes.plot(curve[:, 0], color=RED, label="bound")
axes.axhline(-np.log(14), color=GREY, ls="--", lw=1, label="$-\\log 14$")
axes.set(title="Training the second layer (epoch 0: the first RBM alone)", xlabel="epoch", ylabel="nats")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## 4. Unrolled: a deep autoencoder
#
# A stack of RBMs gives every datum a code, by recognition upwards, and a reconstruction, downwards. Lay the way up and
# the way down behind one another and you have an autoencoder of many layers (Hinton and Salakhutdinov 2006; S0:137).
# Around 2006 nobody could train such a net from random weights; from a stack of RBMs, backpropagation could.
#
# Handwritten digits of $8 \times 8$ pixels, a code of *two* numbers. The RBM of the code has real-valued hidden units.

# %%
loaded = data.load("digits")
digits, labels = data.binarise(loaded.train, loaded.levels, threshold=0.4).reshape(-1, 64), loaded.train_labels
stack = [RBM(64, 80, rng=rng), RBM(80, 30, rng=rng), CodeRBM(30, 2, rng=rng)]
train_greedily(stack, digits, trainer=lambda rbm: (CodeCD if isinstance(rbm, CodeRBM) else ContrastiveDivergence)(rbm),
               optimizer=lambda t: optim.SGD(t.parameters(), lr=0.01 if isinstance(t, CodeCD) else 0.1, momentum=0.5),
               epochs=(25, 25, 25), batch_size=50, rng=rng)
unrolled, random_net = Autoencoder(stack), Autoencoder(
    [RBM(64, 80, rng=rng), RBM(80, 30, rng=rng), CodeRBM(30, 2, rng=rng)])

# %% [markdown]
# **Before you run the next cell**: three nets. The stack as it is; the stack after 60 epochs of backpropagation; and a
# net of the same shape from small random weights after the same 60 epochs. Order them by squared error. The mean
# picture, as a fourth, has the error that a code of nothing would have.

# %%
def codes_of(net):
    with ad.no_grad():
        return ad.value(net.encode(digits))

codes, errors = {}, {"mean picture": float(digits.var(0).sum())}
for name, net, epochs in (("stack of RBMs", unrolled, 0), ("random, fine-tuned", random_net, 60),
                          ("stack, fine-tuned", unrolled, 60)):
    fit(net, digits, optimizer=optim.Adam(net.parameters(), lr=0.003), epochs=epochs, batch_size=50, rng=rng,
        progress=False)
    codes[name], errors[name] = codes_of(net), net.squared_error(digits)
print("\n".join(f"{name:20} {error:6.2f} squared error per picture" for name, error in errors.items()))
claim("fine-tuning-lowers-the-error", r"|x - g(f(x))|^2 \text{ after fine-tuning} < \text{before}", source="S0:137",
      lhs=errors["stack, fine-tuned"], rhs=0.8 * errors["stack of RBMs"], kind="at_most")
claim("stack-beats-random-start", r"\text{error from a stack} < \text{error from random weights}", source="S0:137",
      lhs=errors["stack, fine-tuned"], rhs=errors["random, fine-tuned"], kind="at_most")

# %%
fig, rows = plt.subplots(1, 3, figsize=(9.4, 3.3), layout="constrained")
for axes, (name, code) in zip(rows, codes.items()):
    for digit in range(10):
        axes.scatter(*code[labels == digit].T, s=3, color=plt.cm.tab10(digit), label=str(digit))
    axes.set(title=f"{name}: {errors[name]:.1f}", xlabel="code 1", ylabel="code 2")
rows[-1].legend(frameon=False, fontsize=7, markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# No label was used. The autoencoder has no likelihood, though: a code costs nothing here. Lecture 11 sends it a bill.
#
# ## 5. The energy of a deep Boltzmann machine
#
# Now let *all* connections be undirected. S4:193 prints, for three hidden layers,
#
# $$E(x, h_1, h_2|\theta) = x^TW_1h_1 + h_1^TW_2h_2 + h_2^TW_3h_3 .$$
#
# One argument is missing on the left, biases are left out, and something else is wrong.
#
# **Puzzle.** With $p \propto e^{-E}$, enumerate $p(h_1 = 1|x, h_2)$ for that energy. Before you run the next cell: what
# will it be, in terms of $\sigma$?

# %%
deep = scatter_parameters(DBM((3, 3, 3, 2), rng=rng, dtype=np.float64))
sizes, states = deep.sizes, enumerate_binary(11)
layers = cut(states, sizes)
products = sum(np.sum((a @ W.data) * b, axis=1) for a, b, W in zip(layers, layers[1:], deep.W))

def conditional(log_weight, layer):
    """P(h_layer = 1 | all other units) for every state of the others, from a table of log-weights: (2^others, n)."""
    axes_first = [l for l in range(4) if l != layer] + [layer]
    table = np.exp(log_weight - log_weight.max()).reshape([2**n for n in sizes]).transpose(axes_first)
    table = table.reshape(-1, 2 ** sizes[layer])
    return table / table.sum(1, keepdims=True) @ enumerate_binary(sizes[layer])

def given_others(layer):
    """States of all layers, one row for every state of the layers other than this one."""
    others = [sizes[l] for l in range(4) if l != layer]
    parts = cut(enumerate_binary(sum(others)), others)
    return [*parts[:layer], np.zeros((len(parts[0]), sizes[layer])), *parts[layer:]]

s = given_others(1)
formula = sigmoid(s[0] @ deep.W[0].data + s[2] @ deep.W[1].data.T)
erratum("E16", printed=conditional(-products, 1), right=conditional(products, 1), truth=formula, tol=1e-12,
        note="p(h1 = 1 | x, h2): by enumeration of exp(-E), and as sigma(W1'x + W2 h2)")

# %% [markdown]
# $\sigma(-W_1^Tx - W_2h_2)$: with the sign as printed, large weights repel. So
# $E = -x^TW_1h_1 - h_1^TW_2h_2 - h_2^TW_3h_3 - \sum_l b_l^Th_l$.
#
# **Puzzle.** S4:196 and S4:208 print $p(h_2^k|h_1, h_3) = \sigma(\sum_j W_1^{jk}h_1^j + \sum_l W_3^{kl}h_3^l)$. Read it
# beside the energy. Which matrix stands between $h_1$ and $h_2$?

# %%
s, log_weight = given_others(2), products + sum(layer @ b.data for layer, b in zip(layers, deep.b))
erratum("E17", printed=sigmoid(s[1] @ deep.W[0].data + s[3] @ deep.W[2].data.T + deep.b[2].data),
        right=deep.probabilities(2, s), truth=conditional(log_weight, 2), tol=1e-12,
        note="p(h2 = 1 | h1, h3) with W1 as printed and with W2, biases in both")
claim("dbm-conditionals", r"p(h_l|h_{l-1}, h_{l+1}) = \sigma(W_l^T h_{l-1} + W_{l+1} h_{l+1} + b_l)", source="S4:196",
      lhs=np.concatenate([deep.probabilities(layer, given_others(layer)).ravel() for layer in range(4)]),
      rhs=np.concatenate([conditional(log_weight, layer).ravel() for layer in range(4)]), tol=1e-12)

# %% [markdown]
# ## 6. Mean field
#
# In an RBM $p(h|v)$ is a product. Here $h_1$ and $h_2$ are connected: given $v$ they are not independent. So take the
# best product $q(h) = \prod_j \mu_j^{h_j}(1 - \mu_j)^{1-h_j}$, best in
#
# $$\log p(v) = \underbrace{E_q[-E(v, h)] + H(q) - \log Z}_{\mathcal{L}(\mu)} + KL(q(h) \| p(h|v)).$$
#
# Set $\partial\mathcal{L}/\partial\mu_l = 0$ with all else fixed: $\mu_l = \sigma(W_l^T\mu_{l-1} + W_{l+1}\mu_{l+1} +
# b_l)$, the conditional with means in place of states. Layer after layer, each update climbs as far as it can.

# %%
dbm = scatter_parameters(DBM((4, 3, 3), rng=rng, dtype=np.float64), 1.6)
v, hidden = enumerate_binary(4), enumerate_binary(6)
means = dbm.mean_field(v, steps=100)

def kl_to_posterior(row, *mu):
    """KL(q || p(h | v)) for one v, over the 64 states of h."""
    logs = -ad.value(dbm.energy([np.tile(row, (64, 1)), *cut(hidden, (3, 3))]))
    q = np.concatenate(mu)
    log_q = np.sum(hidden * np.log(q) + (1 - hidden) * np.log1p(-q), axis=1)
    return np.sum(np.exp(log_q) * (log_q - logs + logsumexp(logs)))

gap = [kl_to_posterior(*row) for row in zip(*means)]
claim("mean-field-bound", r"E_q[-E] + H(q) - \log Z \leq \log p(v)", source="S4:216",
      lhs=dbm.bound(v, steps=100).value, rhs=dbm.log_likelihood(v).value, kind="at_most")
claim("mean-field-gap", r"\log p(v) - \mathcal{L}(\mu) = KL(q(h) \| p(h|v))", source="S4:216",
      lhs=dbm.log_likelihood(v).value - dbm.bound(v, steps=100).value, rhs=gap, tol=1e-9)

# %% [markdown]
# **Before you run the next cell**: someone updates $\mu_1$ and $\mu_2$ *at the same time*, from each other's old
# values. That is twice as parallel. Does it climb too, only slower?

# %%
strong = scatter_parameters(DBM((4, 3, 3), rng=rng, dtype=np.float64))
strong.W[1].data[...] = -4.0  # the layers inhibit each other
strong.b[1].data[...] = strong.b[2].data[...] = 6.0
start = [np.full((16, 3), 0.9)] * 2
climb = np.array([strong.variational(strong.mean_field(v, k, start)) for k in range(1, 15)])
at_once, parallel = [v, *start], []
for _ in range(14):
    at_once = [v, strong.probabilities(1, at_once), strong.probabilities(2, at_once)]
    parallel.append(strong.variational(at_once))
claim("mean-field-climbs", r"\mathcal{L}(\mu^{(k+1)}) \geq \mathcal{L}(\mu^{(k)}) \text{, layer after layer}",
      source="S4:216", lhs=np.diff(climb, axis=0), rhs=-1e-12, kind="at_least")
fig, axes = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
worst = int(np.argmin(np.diff(parallel, axis=0).min(0)))
axes.plot(range(1, 15), climb[:, worst], color=BLUE, marker="o", ms=3, label="layer after layer")
axes.plot(range(1, 15), np.array(parallel)[:, worst], color=RED, marker="o", ms=3, label="both at once")
axes.set(title=f"The bound of one datum, v = {v[worst].astype(int)}", xlabel="sweep", ylabel="nats $+ \\log Z$")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# It need not climb at all: two layers that inhibit each other overreact in turn, for ever.
#
# ## 7. A DBM is an RBM
#
# Colour the layers: even ones white, odd ones black. Connections join white to black only. So a DBM *is* an RBM, with
# visible side $(v, h_2, \ldots)$, hidden side $(h_1, h_3, \ldots)$, and a weight matrix of blocks and zeros. Exact
# $\log Z$ by the smaller side, block Gibbs, and annealed importance sampling come with it.

# %%
rbm = deep.as_rbm()
even, odd = deep.sides(layers)
claim("dbm-is-an-rbm", r"E_{DBM}(v, h_1, h_2, h_3) = E_{RBM}((v, h_2), (h_1, h_3))", source="S4:193",
      lhs=ad.value(rbm.energy(even, odd)), rhs=ad.value(deep.energy(layers)), tol=1e-12)
claim("dbm-log-z", r"\log Z \text{ by 2^5 states} = \log Z \text{ by 2^{11}}", source="S4:193",
      lhs=deep.log_z(), rhs=logsumexp(log_weight), tol=1e-12)
wide = scatter_parameters(DBM((20, 10, 8), rng=rng), 0.6)
estimate = ais(wide.as_rbm(), np.random.default_rng(2), chains=200, betas=400)
print(estimate)
claim("ais-through-the-rbm", r"\log \hat Z_{AIS} = \log Z", source="S4:193",
      lhs=estimate.log_z, rhs=wide.log_z(), standard_error=estimate.standard_error)

# %% [markdown]
# ## 8. Two phases, two methods
#
# $$\frac{\partial \log p(v)}{\partial W_1} = E_{p(h|v)}[v h_1^T] - E_{p(v, h)}[v h_1^T].$$
#
# S4:216: "variational methods (mean-field) *or* sampling methods are used". Which is used where is not a matter of
# taste. In the first term mean field gives a lower bound of $\log p(v)$. In the second it would stand in for $-\log Z$,
# and $E_q[-E] + H(q) \le \log Z$ is a bound of the *wrong* direction: the sum of both is no bound of anything.
#
# Train a DBM on bars and stripes, then ask both methods for $E_p[vh_1^T]$.
#
# **Before you run the next cell**: mean field over all layers, $v$ too, settles in one spot. What will it say of
# 14 patterns?

# %%
def learn(dbm, epochs, *, rng, centre=0.0, model_phase=None, lr=0.2):
    """Exact mean log-likelihood of the patterns after every epoch."""
    trainer = VariationalPCD(dbm, chains=100, gibbs=3, mean_field=5, centre=centre, rng=rng)
    curve = [dbm.log_likelihood(patterns).mean()]
    if model_phase is not None:
        trainer.model_phase = lambda rng: model_phase(trainer)
    fit(trainer, bars, optimizer=optim.SGD(trainer.parameters(), lr=lr), epochs=epochs, batch_size=50, rng=rng,
        progress=False, callback=lambda record: curve.append(dbm.log_likelihood(patterns).mean()))
    return np.array(curve)

def settle_everywhere(trainer):
    """The slip: mean field over all layers, from where the chains stand."""
    rows = Rows(trainer.model, len(trainer.chains[0].data)).take([chain.data for chain in trainer.chains])
    for _ in range(20):
        for layer in (1, 0, 2):
            rows.means(layer)
    return rows

small = DBM((9, 8, 6), rng=np.random.default_rng(0))
good = learn(small, 90, rng=np.random.default_rng(1), centre=0.02)
kept = small.state_dict()

# %%
log_p = -small.as_rbm().free_energies(enumerate_binary(15).astype(np.float32)) - small.log_z()
white = enumerate_binary(15)
on_black = small.as_rbm().hidden_probabilities(white)
truth = (np.exp(log_p)[:, None] * white[:, :9]).T @ on_black
walked, seen = [np.full((2000, n), 0.5, np.float32).round() for n in small.sizes], []
for snapshot in range(4):
    walked = small.gibbs(walked, 400, np.random.default_rng(snapshot))
    seen.append(walked[0].T @ small.probabilities(1, walked) / len(walked[0]))
mean_field = [np.full((1, n), 0.5) for n in small.sizes]
for _ in range(200):
    for layer in (1, 0, 2):
        mean_field[layer] = small.probabilities(layer, mean_field)
print("mean field of v:", np.round(mean_field[0].reshape(3, 3), 2).tolist())
erratum("E18", printed=mean_field[0].T @ mean_field[1], right=np.mean(seen[1:], axis=0), truth=truth, tol=0.05,
        clear=0.2, note="E[v h1'] under the model: mean field, and 2000 chains")

# %% [markdown]
# What does it do to learning? Go on from the trained machine, once rightly and once with mean field in both phases.

# %%
onward = learn(small, 25, rng=np.random.default_rng(3), centre=0.02)
small.load_state_dict(kept)
swapped = learn(small, 25, rng=np.random.default_rng(3), centre=0.02, model_phase=settle_everywhere)
small.load_state_dict(kept)
claim("model-phase-needs-chains", r"\log p \text{ with mean field in both phases} < \log p \text{ with chains}",
      source="S4:216", lhs=swapped[-1], rhs=onward[-1] - 1, kind="at_most")
fig, axes = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
axes.plot(good, color=BLUE, label="mean field for the data, chains for the model")
axes.plot(90 + np.arange(26), onward, color=GREEN, label="the same, further")
axes.plot(90 + np.arange(26), swapped, color=RED, label="mean field for both")
axes.axhline(-np.log(14), color=GREY, ls="--", lw=1, label="$-\\log 14$")
axes.set(title="Exact log-likelihood of bars and stripes", xlabel="epoch", ylabel="nats",
         ylim=(max(swapped[-1], -14) - 1, -2))
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## 9. Pretraining with doubled input
#
# An RBM knows of one neighbour; a middle layer of a DBM has two. Salakhutdinov and Hinton (2009) train each RBM as if
# the missing neighbour were a copy of the one that is there: $p(h_1|v) = \sigma(2W_1^Tv + c)$ at the bottom,
# $p(h_1|h_2) = \sigma(2W_2h_2 + b)$ at the top. Why *two*?
#
# **Before you run the next cell**: take the DBM with $h_2$ as large as $v$, $W_2 = W_1^T$ and $b_2 = b_0$. Given
# $h_2 = v$, what is the input of $h_1$?

# %%
below = scatter_parameters(CopiesRBM(3, 2, copies=(2, 1), rng=rng, dtype=np.float64))
above = scatter_parameters(CopiesRBM(2, 4, copies=(1, 2), rng=rng, dtype=np.float64))
mirror = DBM((3, 2, 3), rng=rng, dtype=np.float64)
mirror.W[0].data[...], mirror.W[1].data[...] = below.W.data, below.W.data.T
for b, of in zip(mirror.b, (below.b, below.c, below.b)):
    b.data[...] = of.data
u = enumerate_binary(3)
claim("doubled-input", r"p(h_1|v, h_2 = v) = \sigma(2 W_1^T v + c)", source="S4:212",
      lhs=mirror.probabilities(1, [u, np.zeros((8, 2)), u]), rhs=below.hidden_probabilities(u), tol=1e-12)

# %% [markdown]
# So the doubled RBM is a DBM whose upper layer mirrors the lower one. Its $p(h_1)$ is made of two equal halves, one for
# each copy: $\left(\sum_v e^{v^TW_1h_1 + b^Tv}\right)^2 e^{c^Th_1}$. The RBM on top has a square too. Put the two
# together, and one half of each remains:

# %%
def two_halves(rbm, h, side):
    """log p(h1) up to a constant of an RBM with two copies of its other side, both copies enumerated."""
    W, near, far = (rbm.W.data, rbm.c, rbm.b) if side == "above" else (rbm.W.data.T, rbm.b, rbm.c)
    one = np.array([[a @ W @ row + far.data @ a for a in enumerate_binary(len(W))] for row in h])
    pairs = (one[:, :, None] + one[:, None, :]).reshape(len(h), -1)
    return logsumexp(pairs, axis=1) + h @ near.data

joined = DBM((3, 2, 4), rng=rng, dtype=np.float64)
assemble(joined, [below, above])
h = enumerate_binary(2)
table = -ad.value(joined.energy(cut(enumerate_binary(9), (3, 2, 4)))).reshape(8, 4, 16)
marginal = logsumexp(logsumexp(table, axis=2), axis=0)
mean_of_both = (two_halves(below, h, "above") + two_halves(above, h, "below")) / 2
claim("stack-is-a-geometric-mean", r"p_{DBM}(h_1) \propto \sqrt{p_1(h_1)\, p_2(h_1)}", source="S4:212",
      lhs=marginal - logsumexp(marginal), rhs=mean_of_both - logsumexp(mean_of_both), tol=1e-12)

# %% [markdown]
# Without doubling, each RBM would claim the middle layer for itself, and the DBM would hear both: twice the input, and
# units that saturate.
#
# ## 10. Centred coordinates
#
# Small random weights and no pretraining: the second layer then sees means near $\frac{1}{2}$ that hardly vary, and its
# weights learn these means first. Write the energy in $h - o$ with offsets $o$ near the means (Montavon and Müller
# 2012): $E = -\sum_l (h_{l-1} - o_{l-1})^TW_l(h_l - o_l) - \sum_l b_l^T(h_l - o_l)$.
#
# **Before you run the next cell**: does this make the machine more powerful?

# %%
offsets = [rng.random(n) for n in deep.sizes]
centred = CentredDBM(deep, offsets)
log_centred = -ad.value(centred.energy(layers))
claim("centred-is-plain", r"p(v, h) \text{ centred} = p(v, h) \text{ plain, after conversion}", source="S4:193",
      lhs=log_centred - logsumexp(log_centred), rhs=log_weight - logsumexp(log_weight), tol=1e-11)
back = centred.plain()
claim("there-and-back", r"b_l - W_l^T o_{l-1} - W_{l+1} o_{l+1} \text{ undoes the shift}", source="S4:193",
      lhs=np.concatenate([b.data for b in back.b]), rhs=np.concatenate([b.data for b in deep.b]), tol=1e-12)

# %% [markdown]
# It is the same family of distributions. What changes is the direction of a gradient step, and that is what matters:

# %%
curves = {centre: [learn(DBM((9, 8, 6), rng=np.random.default_rng(seed)), 50, rng=np.random.default_rng(seed + 10),
                         centre=centre) for seed in range(3)] for centre in (0.0, 0.02)}
fig, axes = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
for centre, colour, name in ((0.0, RED, "plain"), (0.02, BLUE, "centred")):
    for i, one in enumerate(curves[centre]):
        axes.plot(one, color=colour, lw=1, label=name if i == 0 else None)
axes.set(title="Three runs each, from small random weights", xlabel="epoch", ylabel="exact log p, nats")
axes.legend(frameon=False, fontsize=8)
plt.show()
claim("centring-helps", r"\text{mean } \log p \text{ centred} > \text{plain, after 50 epochs}",
      lhs=np.mean([one[-1] for one in curves[0.02]]), rhs=np.mean([one[-1] for one in curves[0.0]]), kind="at_least")

# %% [markdown]
# ## 11. Dreams
#
# The same trainer on 10 000 MNIST digits, binarised once: 784 visible units, 150 and 80 hidden ones. Nothing else is
# new. (`minigen train dbm --data mnist` takes 784-500-1000 to the full data set.)

# %%
mnist = data.load("mnist-small")
pictures = data.binarise(mnist.train, mnist.levels, rng=np.random.default_rng(0)).reshape(-1, 784)
held_out = data.binarise(mnist.test, mnist.levels, rng=np.random.default_rng(1)).reshape(-1, 784)
dreamer = DBM((784, 150, 80), rng=rng)
trainer = VariationalPCD(dreamer, chains=100, gibbs=1, mean_field=4, centre=0.01, rng=rng)
trainer.fit_to(pictures, rng)
history = fit(trainer, pictures, optimizer=optim.SGD(trainer.parameters(), lr=0.1, momentum=0.5), epochs=10,
              batch_size=100, rng=rng, progress=False, schedule=lambda t: 1 - t / 1001)

# %%
base = np.concatenate([base_logits(pictures), np.zeros(80)])
estimate = ais(dreamer.as_rbm(), np.random.default_rng(3), chains=50, betas=2000, base=base)
print(estimate)
print("held-out digits:", dreamer.bound(held_out[:1000], estimate))
ones = np.clip(pictures.mean(0), 1e-3, 1 - 1e-3)
print(f"independent pixels: {np.mean(held_out @ np.log(ones) + (1 - held_out) @ np.log1p(-ones)):.2f} nats")

# %%
def tiles(axes, images, columns, shape=(28, 28), **options):
    """Pictures beside each other, with a white line between them."""
    rows = -(-len(images) // columns)
    canvas = np.full((rows * (shape[0] + 1), columns * (shape[1] + 1)), np.nan)
    for i, image in enumerate(images):
        r, c = divmod(i, columns)
        canvas[r * (shape[0] + 1):(r + 1) * (shape[0] + 1) - 1, c * (shape[1] + 1):(c + 1) * (shape[1] + 1) - 1] = \
            image.reshape(shape)
    axes.imshow(canvas, **options)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)

dream = [chain.data for chain in trainer.chains]
film = []
for _ in range(10):
    film.append(dreamer.probabilities(0, dream))
    dream = dreamer.gibbs(dream, 40, np.random.default_rng(len(film)))
fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.5), layout="constrained")
tiles(left, held_out[:40], 10, cmap="gray_r")
left.set_title("held-out data")
tiles(right, film[-1][:40], 10, cmap="gray_r")
right.set_title("dreams: p(v | h1) of 40 chains")
plt.show()

# %% [markdown]
# **Before you run the next cell**: follow six of these chains, a picture every 40 sweeps. Will a chain keep its digit,
# drift from one to another, or jump?

# %%
fig, axes = plt.subplots(figsize=(5.8, 3.7), layout="constrained")
tiles(axes, np.concatenate([[frame[chain] for frame in film] for chain in range(6)]), 10, cmap="gray_r")
axes.set(title="Six chains, a picture every 40 sweeps", xlabel="sweeps $\\rightarrow$")
plt.show()

# %% [markdown]
# What do the units see? A unit of layer 1 has the picture of its weights. For a unit of layer 2, add the pictures of
# the units of layer 1, each with its weight: $W_1W_2$. Strokes, then what strokes make.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.5), layout="constrained")
strongest = np.argsort(-np.linalg.norm(dreamer.W[1].data, axis=0))[:32]
for axes, fields, title in ((left, dreamer.W[0].data.T[:32], "layer 1"),
                            (right, (dreamer.W[0].data @ dreamer.W[1].data).T[strongest], "layer 2, through layer 1")):
    fields = fields / np.abs(fields).max(1, keepdims=True)
    tiles(axes, fields, 8, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_title(f"receptive fields of {title}")
plt.show()

# %% [markdown]
# ## Exercises
#
# `minigen exercise start 05 my-exercises` makes a folder with the stubs and public checks:
#
# 1. `dbn_log_joint`: the log joint of a DBN, normalised.
# 2. `dbm_conditional`: the probabilities of a layer given its two neighbours.
# 3. `mean_field`: coordinate ascent to the means of two hidden layers.
# 4. `mean_field_bound`: $E_q[-E] + H(q)$, whatever the means.
# 5. `block_gibbs`: one sweep of a DBM.
# 6. `dbm_gradient`: the two phases put together.
#
# Then change this notebook. Give the DBM of section 6 stronger weights: when does the mean-field gap explode? Train the
# tower of section 3 with three layers. Start section 11 from pretrained weights (`dbm_pretraining.pretrain`), plain in
# place of centred: how many epochs does it save? Let the chains of section 11 run for 5000 sweeps.
#
# ## References
#
# - Hinton, G., Osindero, S. and Teh, Y.-W. (2006). A fast learning algorithm for deep belief nets. *Neural Computation*
#   18, 1527-1554.
# - Hinton, G. and Salakhutdinov, R. (2006). Reducing the dimensionality of data with neural networks. *Science* 313,
#   504-507.
# - Salakhutdinov, R. and Hinton, G. (2009). Deep Boltzmann machines. *AISTATS*.
# - Salakhutdinov, R. and Murray, I. (2008). On the quantitative analysis of deep belief networks. *ICML*.
# - Montavon, G. and Müller, K.-R. (2012). Deep Boltzmann machines and the centering trick. *Neural Networks: Tricks of
#   the Trade*, 621-637.
# - Lecture documents S0:137, S4:172-216.
