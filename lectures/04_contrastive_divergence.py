# %% [markdown]
# # Lecture 04. Contrastive divergence, chains that mix, and what log Z is
#
# Lecture 03 had the exact gradient of a restricted Boltzmann machine (RBM), and a sum over all pictures in it. Here the
# sum becomes a Markov chain. That works, and it works in a treacherous way: everything that is cheap to look at can
# improve while the model gets worse. So this lecture is about two things: how to learn with a chain, and how to know.
#
# | this lecture | the question |
# |---|---|
# | 1 | the gradient, its sign, and the chain that begins at the data |
# | 2 | how wrong is CD-$k$, exactly? |
# | 3 | what does CD-$k$ climb, if not the likelihood? |
# | 4 | chains that mix and chains that do not: CD, persistent chains, parallel tempering |
# | 5 | what misleads: reconstruction error and pseudo-likelihood beside the true likelihood |
# | 6 | filters growing on digits |
# | 7, 8 | annealed importance sampling: $\log Z$ from below, and from above |
# | 9 | the whole as one estimator |
#
# **Convention**: $E(v, h) = -v^T W h - b^T v - c^T h$, all units 0 or 1, likelihoods in nats.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data, optim
from minigen.checks import claim, enumerate_binary, erratum, logsumexp, numeric_jacobian
from minigen.energy import exact, monitors
from minigen.energy.ais import ais, base_logits, reverse_ais
from minigen.energy.boltzmann import state_index
from minigen.energy.contrastive_divergence import ContrastiveDivergence, PersistentCD
from minigen.energy.estimator import BinaryRBM
from minigen.energy.parallel_tempering import ParallelTempering
from minigen.energy.rbm import RBM

BLUE, RED, GREEN, GREY, GOLD = "#1b6ca8", "#d1495b", "#2e8b57", "#5a5a5a", "#edae49"
rng = np.random.default_rng(4)


def random_rbm(visible, hidden, seed, scale=1.0):
    model = RBM(visible, hidden, rng=np.random.default_rng(seed), dtype=np.float64)
    draw = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data[...] = scale * draw.normal(size=parameter.shape)
    return model


def flat(gradients):
    """{"W": ..., "b": ..., "c": ...} as one vector."""
    return np.concatenate([gradients[name].ravel() for name in "Wbc"])

# %% [markdown]
# ## 1. The gradient, and the chain that begins at the data
#
# From lecture 03 (S4:143): with $F$ the free energy,
#
# $$\frac{\partial \log p(x)}{\partial \theta} = -\frac{\partial F(x)}{\partial \theta} +
#   \sum_{x'} p(x')\,\frac{\partial F(x')}{\partial \theta}, \qquad
#   -\frac{\partial F}{\partial W} = x\,p(h = 1 | x)^T, \quad -\frac{\partial F}{\partial b} = x, \quad
#   -\frac{\partial F}{\partial c} = p(h = 1 | x).$$
#
# The first term is a look at the data. The second needs $p$. A machine of 6 visible and 4 hidden units has 64 pictures,
# so here we can have everything: the truth below is differences of the exact likelihood, and knows no formula.

# %%
tiny = random_rbm(6, 4, seed=1)
pictures = enumerate_binary(6)
some = pictures[[3, 3, 12, 21, 40, 63]]

def by_differences(model, v, h=1e-5):
    """d mean log p / d theta: every parameter moved a little to both sides."""
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

truth = by_differences(tiny, some)
claim("exact-gradient-differences",
      r"\partial \log p / \partial \theta = -\partial F(x) + \langle \partial F \rangle_p", source="S4:143",
      lhs=flat(exact.likelihood_gradient(tiny, some)), rhs=truth, tol=1e-8)

# %% [markdown]
# **Puzzle.** S4:139 says $\theta = \{W, b\}$. A small step along the whole gradient raises $\log p$ by the squared
# length of the gradient, to first order. Before you run the next cell: what is lost if the hidden biases $c$ stay
# behind?

# %%
gradient, step = exact.likelihood_gradient(tiny, some), 1e-5
squared = {name: np.sum(g**2) for name, g in gradient.items()}

def moved(step):
    model = random_rbm(6, 4, seed=1)
    for name, parameter in model.named_parameters():
        parameter.data += step * gradient[name]
    return model.log_likelihood(some).mean()

erratum("E10", printed=squared["W"] + squared["b"], right=squared["W"] + squared["b"] + squared["c"],
        truth=(moved(step) - moved(-step)) / (2 * step), tol=1e-7, note="d log p / d step along the gradient")

# %% [markdown]
# Now sample. A Gibbs chain alternates $h \sim p(h | x)$ and $x \sim p(x | h)$, and in the long run it visits $x'$ with
# probability $p(x')$. *Contrastive divergence* (Hinton 2002) does not wait for the long run: it begins at the datum and
# takes $k$ sweeps.
#
# $$\Delta \theta \propto -\frac{\partial F(x)}{\partial \theta} + \frac{\partial F(x_k)}{\partial \theta},
#   \qquad x = x_0 \to h_0 \to x_1 \to \cdots \to x_k.$$
#
# In code it is a loss, $F(x) - F(x_k)$, in which $x_k$ counts as a constant. Three routes to its gradient: the tape,
# the products above, and what the trainers call, which does both phases in one product.

# %%
def on_tape(model, v, v_k):
    """Gradient of mean F(v) - mean F(v_k) by reverse mode."""
    (ad.mean(model.free_energy(v)) - ad.mean(model.free_energy(v_k))).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = None
    return flat(gradients)

def by_products(model, v, v_k):
    """The same as outer products of units and probabilities."""
    p, p_k = model.hidden_probabilities(v), model.hidden_probabilities(v_k)
    return flat({"W": v_k.T @ p_k / len(v_k) - v.T @ p / len(v), "b": v_k.mean(0) - v.mean(0),
                 "c": p_k.mean(0) - p.mean(0)})

def by_trainer(model, v, v_k):
    """The same by the method that the trainers use."""
    into = {name: np.empty_like(parameter.data) for name, parameter in model.named_parameters()}
    model.contrast(v, model.hidden_logits(v), v_k, model.hidden_logits(v_k), into)
    return flat(into)

end = tiny.gibbs(some, 3, rng)
claim("cd-autodiff-is-products",
      r"\nabla_\theta [F(x) - F(x_k)] = -x\,p(h|x)^T + x_k\,p(h|x_k)^T, \ldots", source="S4:169",
      lhs=[on_tape(tiny, some, end), by_trainer(tiny, some, end)], rhs=[by_products(tiny, some, end)] * 2, tol=1e-12)

# %% [markdown]
# **Puzzle.** S4:169 prints $\partial \log p / \partial \theta = -\partial E(x, h_0) - \partial E(x_k, h_k)$. Two sweeps
# further up, S4:144 has the exact gradient with a plus (and writes $E(x | h)$ for $E(x, h)$; an energy is not
# conditional). If the sign were a matter of taste, a very long chain would have to come out at the truth with it. Take
# $k = 200$, and the *expected* update, which section 2 computes without any noise. Before you run the next cell: what
# would the printed rule do to the free energy of the model's own fantasies?

# %%
start = np.bincount(state_index(some), minlength=64) / len(some)

def mean_slope(weights):
    """Mean of -dF/dtheta over the 64 pictures."""
    p = tiny.hidden_probabilities(pictures)
    return flat({"W": (pictures * weights[:, None]).T @ p, "b": weights @ pictures, "c": weights @ p})

after_200 = exact.after_sweeps(tiny, start, 200)
erratum("E12", printed=mean_slope(start) + mean_slope(after_200), right=mean_slope(start) - mean_slope(after_200),
        truth=truth, tol=1e-8, note="expected CD-200, against differences of the likelihood")

# %% [markdown]
# It would dig holes under the data *and* under the fantasies, deeper in every step: nothing is ever pushed up. A
# learner with that sign diverges.
#
# ## 2. How wrong is CD-k?
#
# A sweep is a matrix, $T(s, t) = \sum_h p(h | s)\,p(t | h)$, and after $k$ of them a chain that began at the data is
# distributed as $\hat p\,T^k$. So the expected CD-$k$ update has a formula:
#
# $$E[\text{CD-}k] = \Big\langle -\frac{\partial F}{\partial \theta} \Big\rangle_{\hat p} -
#   \Big\langle -\frac{\partial F}{\partial \theta} \Big\rangle_{\hat p\,T^k}.$$
#
# First, is that what the program does? Forty thousand chains from each datum, against the matrix.

# %%
many = np.repeat(some, 40_000, axis=0)
v_1 = tiny.gibbs(many, 1, np.random.default_rng(5))
slopes = v_1[:, :1] * tiny.hidden_probabilities(v_1)  # for W, first row: four numbers for each chain
claim("cd-expected-by-matrix",
      r"\langle x_1\,p(h|x_1) \rangle_{chains} = \sum_t (\hat p\,T)(t)\; t\,p(h|t)", source="S4:169",
      lhs=slopes.mean(0), rhs=mean_slope(exact.after_sweeps(tiny, start, 1))[:4],
      standard_error=slopes.std(0) / np.sqrt(len(many)))

# %% [markdown]
# Now vary $k$, and the size of the weights. **Before you run the next cell**: the bias falls with $k$. By a constant
# amount for each sweep, like $1/k$, or by a constant factor? And what do larger weights do?

# %%
ks = np.arange(1, 31)

def two_sided(visible, hidden, seed, scale):
    """Biases such that every unit is on half of the time: what the weights say is all there is."""
    model = random_rbm(visible, hidden, seed, scale)
    model.b.data[...], model.c.data[...] = -model.W.data.sum(1) / 2, -model.W.data.sum(0) / 2
    return model

sizes = {scale: two_sided(6, 4, seed=2, scale=scale) for scale in (0.5, 2.0, 3.0)}
bias = {s: np.array([np.linalg.norm(flat(exact.cd_bias(m, some, int(k)))) for k in ks]) for s, m in sizes.items()}
second = {s: exact.spectrum(m)[1] for s, m in sizes.items()}
fig, axes = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
for (scale, curve), colour in zip(bias.items(), (BLUE, GREEN, RED)):
    shown = curve > 1e-9
    axes.semilogy(ks[shown], curve[shown], "o-", ms=3.5, color=colour, label=f"weights of size {scale}")
    anchor = np.flatnonzero(shown)[-1]
    axes.semilogy(ks[shown], curve[anchor] * second[scale] ** (ks[shown] - ks[anchor]), color=colour, ls="--", lw=1,
                  label=f"$\\lambda_2^k$, $\\lambda_2$ = {second[scale]:.3f}")
axes.set(title="Bias of CD-k, exact", xlabel="sweeps k", ylabel="|E[CD-k] $-$ gradient|", ylim=(1e-9, 1))
axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, -0.45))
plt.show()
claim("cd-bias-falls", r"|E[\mathrm{CD}_{k+1}] - \nabla \log p| < |E[\mathrm{CD}_k] - \nabla \log p|",
      lhs=np.concatenate([bias[s][1:10] for s in (0.5, 2.0)]), rhs=np.concatenate([bias[s][:9] for s in (0.5, 2.0)]),
      kind="at_most", note="k = 1 to 10, two machines")
claim("cd-bias-second-eigenvalue", r"|bias_{k+1}| / |bias_k| \to \lambda_2", lhs=bias[3.0][-1] / bias[3.0][-2],
      rhs=np.sort(np.linalg.eigvals(exact.sweep_matrix(sizes[3.0])).real)[-2], tol=1e-3)

# %% [markdown]
# By a constant factor, and the factor is the second eigenvalue $\lambda_2$ of $T$: the chain forgets where it began at
# that pace. With small weights one sweep is nearly enough. Learning makes weights grow. So **the bias of CD-$k$ grows
# while it learns**, and a $k$ that was good at the beginning is too small at the end. Two exact statements say more.
#
# *What is $\lambda_2$?* A sweep goes from $x$ to $h$ and back. Its eigenvalues are the squared singular values of $p(x,
# h) / \sqrt{p(x)\,p(h)}$, and the second singular value is known in statistics: it is the *maximal correlation*, the
# largest that any function of $x$ and any function of $h$ can have. Hidden units that know much about $x$ make a chain
# that moves little. Good features and good mixing are enemies, by a theorem.
#
# *How large is the bias?* For $g = \partial F / \partial \theta_i$, in terms of how far the data are from the model,
#
# $$|\text{bias}_k| \leq \lambda_2^k\;\mathrm{sd}_p(g)\,\sqrt{\chi^2(\hat p\,\|\,p)}.$$

# %%
middle = sizes[2.0]
p = exact.state_probabilities(middle)
W, b, c = (parameter.data for parameter in middle.parameters())
states_h = enumerate_binary(4)
joint = np.exp(pictures @ W @ states_h.T + (pictures @ b)[:, None] + states_h @ c)
joint /= joint.sum()
U, S, Vt = np.linalg.svd(joint / np.sqrt(np.outer(joint.sum(1), joint.sum(0))))
f, g = U[:, 1] / np.sqrt(joint.sum(1)), Vt[1] / np.sqrt(joint.sum(0))  # one function of x, one of h
correlation = (f @ joint @ g - (joint.sum(1) @ f) * (joint.sum(0) @ g)) / np.sqrt(
    (joint.sum(1) @ f**2 - (joint.sum(1) @ f) ** 2) * (joint.sum(0) @ g**2 - (joint.sum(0) @ g) ** 2))
claim("eigenvalue-is-correlation", r"\lambda_2(T) = \max_{f, g} \mathrm{corr}(f(x), g(h))^2",
      lhs=correlation**2, rhs=np.sort(np.linalg.eigvals(exact.sweep_matrix(middle)).real)[-2], tol=1e-9)

hidden = middle.hidden_probabilities(pictures)
features = np.concatenate([(pictures[:, :, None] * hidden[:, None, :]).reshape(64, -1), pictures, hidden], axis=1)
sd = np.sqrt(p @ features**2 - (p @ features) ** 2)
distance = np.sqrt(np.sum((start - p) ** 2 / p))
ratio = exact.spectrum(middle)[1]
claim("cd-bias-bound", r"|bias_k| \leq \lambda_2^k\, \mathrm{sd}_p(g) \sqrt{\chi^2(\hat p \| p)}", kind="at_most",
      lhs=np.abs([flat(exact.cd_bias(middle, some, k)) for k in (1, 3, 6)]),
      rhs=np.array([ratio**k * sd * distance for k in (1, 3, 6)]), note="34 parameters, k = 1, 3, 6")

# %% [markdown]
# ## 3. What does CD climb?
#
# The name comes from a difference of two divergences, $KL(\hat p \| p) - KL(\hat p\,T^k \| p)$. A chain never gets
# further from its equilibrium, so the difference is positive, and 0 only where the data are in equilibrium already.

# %%
def kl(q, p):
    """KL(q || p) in nats, 0 log 0 = 0."""
    return np.sum(np.where(q > 0, q * (np.log(np.where(q > 0, q, 1)) - np.log(p)), 0))

left = [kl(start, p)] + [kl(exact.after_sweeps(middle, start, k), p) for k in range(1, 9)]
print("KL(p^ T^k || p), k = 0..8:", np.round(left, 4))
claim("chain-approaches", r"KL(\hat p\,T^{k+1} \| p) \leq KL(\hat p\,T^k \| p)", lhs=left[1:], rhs=left[:-1],
      kind="at_most")

# %% [markdown]
# But CD is not the gradient of that difference: it leaves out that $\hat p\,T^k$ itself moves when $\theta$ does. Is it
# the gradient of *anything*? A gradient field has a symmetric Jacobian, since second derivatives commute. **Before you
# run the next cell**: is the Jacobian of $E[\text{CD-}1]$ symmetric?

# %%
small = random_rbm(3, 2, seed=3)
data3 = enumerate_binary(3)[[1, 6, 6]]

def field(theta, kind):
    """The update at parameters theta, rows of (n, 11)."""
    rows = []
    for row in theta:
        for parameter, values in zip(small.parameters(), np.split(row, [6, 9])):
            parameter.data[...] = values.reshape(parameter.shape)
        rows.append(flat(exact.likelihood_gradient(small, data3) if kind == "likelihood"
                         else exact.cd_gradient(small, data3, 1)))
    return np.array(rows)

here = np.concatenate([parameter.data.ravel() for parameter in small.parameters()])[None]
jacobian = {kind: numeric_jacobian(lambda t, kind=kind: field(t, kind), here)[0] for kind in ("likelihood", "CD-1")}
i, j = np.triu_indices(11, 1)
claim("likelihood-field-symmetric", r"\partial_i g_j = \partial_j g_i \text{ for } g = \nabla \log p",
      lhs=jacobian["likelihood"][i, j], rhs=jacobian["likelihood"][j, i], tol=1e-7)
claim("cd-is-no-gradient", r"\max |\partial_i g_j - \partial_j g_i| > 0 \text{ for } g = E[\mathrm{CD}_1]",
      kind="at_least", lhs=np.abs(jacobian["CD-1"] - jacobian["CD-1"].T).max(), rhs=0.01,
      source="Sutskever and Tieleman 2010")

# %% [markdown]
# It is not. There is no function, not even an unknown one, that CD-1 goes up on. It can in principle go round in
# circles. Its fixed points are near those of the likelihood when the model can nearly fit the data, and that is all one
# can say.
#
# ## 4. Chains that mix, and chains that do not
#
# Here is a machine with two modes: a picture of twelve pixels, and its negative, one three times as probable as the
# other. Every hidden unit votes for one of the two. We look at it with three samplers.
#
# * **CD**: chains begin at data. Our data here are all in one mode, the *less* probable one.
# * **Persistent chains** (PCD, Tieleman 2008): chains go on from update to update and never restart. If the parameters
#   hardly move, they have as long as training lasts to reach equilibrium.
# * **Parallel tempering**: chains at $\exp(-\beta E)$ for $\beta$ from 1 to 0 side by side. Hot ones wander; neighbours
#   $r, s$ exchange states with probability $\min(1, e^{(\beta_r - \beta_s)(E_r - E_s)})$.
#
# **Before you run the next cell**: 24 chains, 300 sweeps each. How many of the cold chains will have found the other
# mode?

# %%
sign = np.repeat([1.0, -1.0], 6)
votes = np.repeat([1.0, -1.0], 3)
two = RBM(12, 6, rng=np.random.default_rng(0), dtype=np.float64)
two.W.data[...] = 0.95 * np.outer(sign, votes)
two.b.data[...] = np.log(4) / 12 * sign
rare = (1 - sign) / 2  # the picture that p likes less
all_12 = enumerate_binary(12)
in_first = all_12 @ sign > 0
p_two = exact.state_probabilities(two)
print(f"P(first mode) = {p_two[in_first].sum():.3f}, P(within 2 pixels of one of the two) = "
      f"{p_two[np.abs(all_12 @ sign) >= 4].sum():.3f}")
gap = exact.spectral_gap(two)
print(f"1 - lambda_2 = {gap:.1e}: a chain forgets in about {1 / gap:,.0f} sweeps")

def follow(trainer, sweeps=300):
    """How much each fantasy looks like the first picture, -1 to 1: (chains, sweeps)."""
    seen = []
    for k in range(sweeps):
        dream = trainer.dream(None, np.random.default_rng([7, k]))
        trainer.go_on(dream, {})
        seen.append(dream.v @ sign / 6)
    return np.array(seen).T

restarts = np.stack([two.gibbs(np.tile(rare, (24, 1)), 1 + k % 10, np.random.default_rng([8, k])) @ sign / 6
                     for k in range(300)], axis=1)
persistent = PersistentCD(two, chains=24, rng=np.random.default_rng(9))
persistent.chains.data[...] = two.sample_hidden(np.tile(rare, (24, 1)), np.random.default_rng(10))
tempered = ParallelTempering(two, chains=24, betas=np.linspace(1, 0, 8), rng=np.random.default_rng(11))
tempered.chains.data[...] = persistent.chains.data
stories = {"CD-10: restarts at the data every 10 sweeps": restarts, "one long chain each (PCD)": follow(persistent),
           "parallel tempering, $\\beta = 1$": follow(tempered)}
fig, panels = plt.subplots(3, 1, figsize=(7.6, 4.6), sharex=True, layout="constrained")
for axes, (title, seen) in zip(panels, stories.items()):
    image = axes.imshow(seen, aspect="auto", cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
    share = (seen[:, 100:] > 0).mean()
    axes.set(title=f"{title}. In the first mode after 100 sweeps: {share:.2f}, truth {p_two[in_first].sum():.2f}",
             ylabel="chain", yticks=[])
    axes.title.set_fontsize(9)
panels[-1].set_xlabel("sweep")
fig.colorbar(image, ax=panels, label="like the first picture (1) or its negative ($-1$)", shrink=0.8)
plt.show()

# %% [markdown]
# CD never learns that the large mode exists: it can put all the probability of the world there, and no fantasy will
# ever tell. The long chains cross over, rarely. Tempering crosses all the time, and in the right proportion.
#
# Why in the right proportion? The exchange leaves the *product* of all the tempered distributions as it is. On a
# machine with one visible and one hidden unit there are four joint states, and 16 pairs of states at two temperatures:
# we write the exchange down as a matrix. And long chains: on the machine of section 1 they arrive, which we see by
# counting.

# %%
atom = random_rbm(1, 1, seed=12)
four = enumerate_binary(2)
E = -(four[:, 0] * four[:, 1] * atom.W.data[0, 0] + four[:, 0] * atom.b.data[0] + four[:, 1] * atom.c.data[0])
beta_r, beta_s = 1.0, 0.4
weights = np.exp(-beta_r * E)[:, None] * np.exp(-beta_s * E)
weights /= weights.sum()
accept = np.minimum(1, np.exp((beta_r - beta_s) * (E[:, None] - E)))  # x_r in the rows, x_s in the columns
swap = np.zeros((4, 4, 4, 4))
for i, j in np.ndindex(4, 4):
    swap[i, j, j, i] += accept[i, j]
    swap[i, j, i, j] += 1 - accept[i, j]
claim("exchange-keeps-the-product", r"\pi_r(x)\,\pi_s(y) \to \pi_r(x)\,\pi_s(y) \text{ under exchange}",
      lhs=np.einsum("ij,ijkl->kl", weights, swap), rhs=weights, tol=1e-14, source="Desjardins et al. 2010")

walkers = PersistentCD(tiny, chains=20_000, rng=np.random.default_rng(13))
for k in range(60):
    dream = walkers.dream(None, np.random.default_rng([14, k]))
    walkers.go_on(dream, {})
claim("persistent-chains-arrive", r"\langle x_i x_j \rangle_{chains} = \sum_x p(x)\, x_i x_j",
      lhs=(dream.v.T @ dream.v / len(dream.v))[np.triu_indices(6)],
      rhs=((exact.state_probabilities(tiny)[:, None] * pictures).T @ pictures)[np.triu_indices(6)],
      standard_error=np.sqrt(0.25 / len(dream.v)), note="20 000 persistent chains after 60 sweeps")

# %% [markdown]
# ## 5. What misleads
#
# Most who train an RBM never see its likelihood. They watch
#
# * the *reconstruction error* $\sum_i (x_i - \hat x_i)^2$ after one sweep of means;
# * the *pseudo-likelihood* $\sum_i \log p(x_i | \text{all other } x)$ (Besag 1975), in which $Z$ cancels. Its popular
#   form draws one pixel at a time and multiplies by $D$.
#
# Both ask what happens in the neighbourhood of the data. Neither can know of probability elsewhere. *Bars and stripes*
# of 4 x 4 pixels: 30 pictures, so that no model has more than $-\log 30 = -3.40$ nats; 16 hidden units, exact $\log Z$.
#
# **Before you run the next cell**: CD-1 and PCD at a rate of 0.5, for 2000 updates on all 30 pictures. The
# reconstruction error will go to 0. What will the likelihood do?

# %%
choices = enumerate_binary(4)
bars = np.unique(np.concatenate([np.repeat(choices, 4, axis=1), np.tile(choices, 4)]), axis=0).astype(np.float32)

def learn(make, rate=0.5, updates=2000, every=100):
    """(updates seen, log p, pseudo-log-likelihood, reconstruction error): one row for each look."""
    model = RBM(16, 16, rng=np.random.default_rng(1))
    trainer, noise, looks = make(model), np.random.default_rng(2), []
    into = {name: np.empty_like(parameter.data) for name, parameter in trainer.named_parameters()}
    for update in range(updates + 1):
        if update % every == 0:
            looks.append((update, model.log_likelihood(bars).mean(), monitors.pseudo_log_likelihood(model, bars).mean(),
                          monitors.reconstruction_error(model, bars).mean()))
        trainer.loss_and_gradients(bars, noise, into)
        for name, parameter in trainer.named_parameters():
            parameter.data -= rate * into[name]
    return np.array(looks).T

draw = np.random.default_rng
runs = {"CD-1": learn(ContrastiveDivergence),
        "PCD, 30 chains": learn(lambda m: PersistentCD(m, chains=30, rng=draw(3))),
        "tempering, 60 x 8": learn(lambda m: ParallelTempering(m, chains=60, betas=np.linspace(1, 0, 8), rng=draw(3)))}
fig, panels = plt.subplots(1, 3, figsize=(9.4, 3.2), layout="constrained")
for (name, (update, true, pseudo, error)), colour in zip(runs.items(), (BLUE, RED, GREEN)):
    panels[0].plot(update, error, color=colour, label=name)
    panels[1].plot(update, pseudo, color=colour)
    panels[2].plot(update, true, color=colour)
panels[2].axhline(-np.log(30), color=GREY, ls="--", lw=1)
panels[2].text(2000, -np.log(30) + 0.3, "$-\\log 30$", ha="right", va="bottom", color=GREY, fontsize=8)
panels[0].set(title="Reconstruction error: fine", xlabel="update", ylabel="squared error")
panels[1].set(title="Pseudo-likelihood: fine", xlabel="update", ylabel="nats")
panels[2].set(title="Log-likelihood", xlabel="update", ylabel="nats", ylim=(-26, -1))
panels[0].legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# CD-1 climbs, turns, and falls for the rest of the run (Fischer and Igel 2010). PCD is worse here: at this rate the
# weights run away from 30 chains that have stopped mixing. Tempering holds, though at this rate it trembles. And the
# two left panels hardly tell the three from each other. CD-1 at the update where its likelihood was best, and at the
# end:

# %%
update, true, pseudo, error = runs["CD-1"]
best = true.argmax()
print(f"            update  log p   pseudo  error\nbest     {update[best]:9.0f} {true[best]:6.2f} {pseudo[best]:8.2f} "
      f"{error[best]:6.3f}\nlast     {update[-1]:9.0f} {true[-1]:6.2f} {pseudo[-1]:8.2f} {error[-1]:6.3f}")
claim("pseudo-likelihood-misleads", r"\log p \text{ falls while } \sum_i \log p(x_i | x_{-i}) \text{ rises}",
      lhs=[true[best] - true[-1], pseudo[-1] - pseudo[best]], rhs=[0.5, 0.1], kind="at_least",
      note="CD-1, from its best update to its last")
claim("reconstruction-misleads", r"\log p \text{ falls while the reconstruction error falls}", lhs=error[-1],
      rhs=0.75 * error[best], kind="at_most", note="CD-1, the same two updates; log p fell by 0.5 nats or more")

# %% [markdown]
# Two facts about the pseudo-likelihood, against the enumerated model. It *is* what it says, a sum of true conditionals.
# And its one-pixel form is unbiased for it, with noise: it is what scikit-learn's `BernoulliRBM.score_samples` returns,
# with neither the scale nor the meaning of a likelihood.

# %%
log_p = np.log(exact.state_probabilities(tiny))
other = np.stack([log_p[state_index(np.where(np.arange(6) == i, 1 - pictures, pictures))] for i in range(6)])
claim("pseudo-by-conditionals", r"\sum_i \log \sigma(F(x^{(i)}) - F(x)) = \sum_i \log p(x_i | x_{-i})",
      lhs=monitors.pseudo_log_likelihood(tiny, pictures), rhs=(log_p - np.logaddexp(log_p, other)).sum(0), tol=1e-12)
one_flip = monitors.pseudo_log_likelihood_one_flip(tiny, np.repeat(some[:1], 20_000, axis=0), np.random.default_rng(15))
claim("one-flip-unbiased", r"E_i[D \log p(x_i | x_{-i})] = \sum_i \log p(x_i | x_{-i})", lhs=one_flip.mean(),
      rhs=monitors.pseudo_log_likelihood(tiny, some[:1])[0], standard_error=one_flip.std() / np.sqrt(20_000))
print(f"one datum: pseudo-log-likelihood {one_flip.mean():.2f}, one draw of it ± {one_flip.std():.2f}, "
      f"log p = {log_p[state_index(some[0])]:.2f}")

# %% [markdown]
# What to watch instead: the exact $\log p$ while one side has at most 25 units, AIS (section 7) above, and the *gap of
# free energies* $\langle F \rangle_{valid} - \langle F \rangle_{train}$, in which $\log Z$ cancels. The gap grows when
# the model begins to know its training data by heart (Hinton 2010). It does not see the failure above: there the data
# were all there is.
#
# ## 6. Filters that grow
#
# Real digits now: 28 x 28 pixels, black where the ink is more than half. Sixteen hidden units keep $\log Z$ exact (65
# 536 terms). Each row below is the machine at one time, each square the weights into one hidden unit: red pixels vote
# for it, blue ones against.
#
# **Before you run the next cell**: what will a filter look like after 100 updates? A digit, a stroke, a blob?

# %%
mnist = data.load("mnist-small")
train = data.binarise(mnist.train.reshape(-1, 784), mnist.levels, threshold=0.5)
test = data.binarise(mnist.test.reshape(-1, 784), mnist.levels, threshold=0.5)
machine = RBM(784, 16, rng=np.random.default_rng(16))
machine.fit_to(train, rng)
trainer = PersistentCD(machine, chains=100, rng=np.random.default_rng(17))
steps = optim.SGD(trainer.parameters(), lr=0.1, momentum=0.5)
into = {name: np.empty_like(parameter.data) for name, parameter in trainer.named_parameters()}
batches, noise, film = np.random.default_rng(18), np.random.default_rng(19), []
moments = [0, 100, 300, 1000, 2000]
for update in range(moments[-1] + 1):
    if update in moments:
        film.append((update, machine.W.numpy(), machine.log_likelihood(test).mean()))
    trainer.loss_and_gradients(train[batches.integers(len(train), size=50)], noise, into)
    for name, parameter in trainer.named_parameters():
        parameter.grad = into[name]
    steps.step(optim.cosine(moments[-1], floor=0.02)(update))
fig, panels = plt.subplots(5, 1, figsize=(8.6, 4.0), layout="constrained")
for axes, (update, W, level) in zip(panels, film):
    strip = np.pad(W.T.reshape(16, 28, 28), ((0, 0), (1, 1), (1, 1))).transpose(1, 0, 2).reshape(30, 480)
    reach = np.quantile(np.abs(strip), 0.995)
    axes.imshow(strip, cmap="RdBu_r", vmin=-reach, vmax=reach)
    axes.set(xticks=[], yticks=[])
    axes.set_ylabel(f"update {update}\nlog p {level:.1f}", rotation=0, ha="right", va="center", fontsize=8)
plt.show()

# %% [markdown]
# Blobs first: the mean difference between kinds of digits. Then units share the work, and strokes appear. What does the
# machine dream? Gibbs chains from coin flips, 300 sweeps each; and, since 16 hidden units can be enumerated, *exact*
# samples: draw $h$ from its table, then $x$ given $h$. For the eye we show $p(x_i = 1 | h)$.
#
# **Before you run the next cell**: the persistent chains as training left them, new chains, and exact samples. Which of
# the three rows will look most like data?

# %%
def exact_samples(model, n, rng):
    """h from the table of p(h), then x ~ p(x | h)."""
    h = enumerate_binary(model.c.size, np.float32)
    log_w = h @ model.c.data + ad.softplus(model.visible_logits(h)).sum(1, dtype=np.float64)
    drawn = h[rng.choice(len(h), size=n, p=np.exp(log_w - logsumexp(log_w)))]
    return model.sample_visible(drawn, rng), model.visible_probabilities(drawn)

means = exact_samples(machine, 12, np.random.default_rng(20))[1]
chains = machine.sample(12, np.random.default_rng(21), sweeps=300)
in_chains = machine.visible_probabilities(machine.sample_hidden(chains, rng))
trained = machine.visible_probabilities(trainer.chains.data[:12])
shown = {"data": test[:12], "persistent chains": trained, "new chains": in_chains, "exact samples": means}
fig, panels = plt.subplots(4, 1, figsize=(8.0, 3.1), layout="constrained")
for axes, (label, row) in zip(panels, shown.items()):
    strip = np.pad(row.reshape(12, 28, 28), ((0, 0), (1, 1), (1, 1))).transpose(1, 0, 2).reshape(30, 360)
    axes.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
plt.show()
found = monitors.warn_hidden_units(machine, train[:1000])
print(f"dead units {found.dead.tolist()}, saturated units {found.saturated.tolist()}")

# %% [markdown]
# Three rows that should be draws from one distribution. The new chains run into noughts and stay there; three hundred
# sweeps do not bring them out. The persistent chains sit in a digit each, look most like data, and let the learner
# believe that the model does; how probable each digit is under the model, they cannot tell. Only the last row is $p$.
# This is section 4 again, on a machine that nobody built to be difficult.

# %% [markdown]
# ## 7. What is log Z?
#
# With 500 hidden units nothing can be enumerated. *Annealed importance sampling* (AIS; Neal 2001, Salakhutdinov and
# Murray 2008) goes from a model whose $Z$ is known to ours in small steps. Let
#
# $$f_\beta(x) = e^{(1 - \beta)\,a^T x + \beta\, b^T x} \prod_j (1 + e^{\beta (c_j + x^T W_{\cdot j})}),
#   \qquad 0 = \beta_0 < \beta_1 < \cdots < \beta_K = 1.$$
#
# $f_0$ is independent pixels with logits $a$, a *base-rate* model: $\log Z_0 = \sum_i \log(1 + e^{a_i}) + H \log 2$.
# Draw $x_0$ from it and go on, collecting a weight:
#
# $$w = \prod_{k=1}^{K} \frac{f_k(x_{k-1})}{f_{k-1}(x_{k-1})}, \qquad x_k \sim T_k(x_{k-1} \to \cdot),
#   \qquad T_k \text{ keeps } f_k / Z_k.$$
#
# Then $E[w] = Z_K / Z_0$, *exactly*, however few and bad the steps are. To see why, sum over $x_0$ first:
# $p_0(x_0)\,f_1(x_0) / f_0(x_0) = f_1(x_0) / Z_0 = p_1(x_0)\,Z_1 / Z_0$. So in effect $x_0$ is drawn from $p_1$, and
# $T_1$ keeps it there; and so on. A machine of 3 + 2 units and three steps: we enumerate *all* chains $x_0 \to x_1 \to
# x_2$, 512 of them.
#
# **Before you run the next cell**: the mean of $\log w$, is it $\log Z_K / Z_0$ too?

# %%
model = random_rbm(3, 2, seed=22, scale=1.5)
eight = enumerate_binary(3)

def f(beta):
    """The unnormalised probabilities of the eight pictures at beta, the base being fair coins."""
    hidden_sums = np.prod(1 + np.exp(beta * (model.c.data + eight @ model.W.data)), axis=1)
    return np.exp(beta * eight @ model.b.data) * hidden_sums

def sweep(beta):
    """T of the machine whose parameters are all multiplied by beta."""
    scaled = random_rbm(3, 2, seed=22, scale=1.5)
    for parameter in scaled.parameters():
        parameter.data *= beta
    return exact.sweep_matrix(scaled)

betas = [0.0, 0.3, 0.7, 1.0]
log_weights = np.zeros((8, 8, 8))
probabilities = (f(0.0) / f(0.0).sum())[:, None, None] * np.ones((8, 8, 8))
for k, axis in ((1, 0), (2, 1), (3, 2)):
    shape = tuple(8 if n == axis else 1 for n in range(3))
    log_weights = log_weights + np.log(f(betas[k]) / f(betas[k - 1])).reshape(shape)
probabilities = probabilities * sweep(betas[1])[:, :, None] * sweep(betas[2])[None]
one_off = (f(0.0) / f(0.0).sum())[:, None, None] * sweep(betas[0])[:, :, None] * sweep(betas[1])[None]
print("with T_{k-1} in the place of T_k: E[w] =", round((one_off * np.exp(log_weights)).sum(), 4))
ratio = np.exp(model.log_z()) / f(0.0).sum()
claim("ais-unbiased", r"E[w] = Z_K / Z_0", source="Neal 2001", lhs=(probabilities * np.exp(log_weights)).sum(),
      rhs=ratio, rtol=1e-10)
claim("ais-log-low", r"E[\log w] \leq \log Z_K / Z_0", lhs=(probabilities * log_weights).sum(), rhs=np.log(ratio),
      kind="at_most")

# %% [markdown]
# It is not: by Jensen's inequality $\log w$ is low on average, and so is the logarithm of a mean of a few weights. The
# first line above shows a favourite slip: one moves with the *old* parameters, and nothing is unbiased any more.
#
# If the machine has $W = 0$ and the base has its biases, the weights cannot vary at all:

# %%
plain = random_rbm(5, 3, seed=23)
plain.W.data[...] = 0
estimate = ais(plain, rng, chains=4, betas=10, base=plain.b.data)
claim("ais-base-rate", r"W = 0: \; w = Z / Z_0 \text{ in every chain}",
      lhs=estimate.log_base + estimate.log_weights,
      rhs=np.log1p(np.exp(plain.b.data)).sum() + np.log1p(np.exp(plain.c.data)).sum(), tol=1e-6)

# %% [markdown]
# Now a trained machine whose $\log Z$ we know: 8 x 8 digits, 16 hidden units. (`BinaryRBM` is what section 9 is about.)
# 100 chains; the schedule is the question.
#
# **Before you run the next cell**: with 3 steps the weights of the chains will differ. By a factor of 10, or of 1000?
# And what is better, 100 steps spread evenly, or 1000 of which all but the last are spent below $\beta = 0.3$?

# %%
digits = data.load("digits")
X = data.binarise(digits.train.reshape(-1, 64), digits.levels, threshold=0.5)
X_test = data.binarise(digits.test.reshape(-1, 64), digits.levels, threshold=0.5)
little = BinaryRBM(16, n_iter=12, schedule="cosine").fit(X).rbm_
true_log_z, base = little.log_z(), base_logits(X)

def evenly(steps):
    return np.linspace(0, 1, steps + 1)

tries = {n: ais(little, np.random.default_rng([24, n]), betas=evenly(n), base=base) for n in (3, 10, 100, 1000)}
bad = np.concatenate([np.linspace(0, 0.3, 1000), [1.0]])
tries["1000, below 0.3"] = ais(little, np.random.default_rng(25), betas=bad, base=base)
fig, axes = plt.subplots(figsize=(7.2, 3.2), layout="constrained")
for height, estimate in enumerate(tries.values()):
    spread = estimate.log_base + estimate.log_weights - true_log_z
    axes.plot(spread, height + 0.25 * np.linspace(-1, 1, 100), ".", ms=3, color=BLUE)
    low, high = np.array(estimate.interval) - true_log_z
    axes.plot([max(low, spread.min()), high], [height, height], color=RED, lw=5, alpha=0.6)
    axes.text(max(spread.max(), 0) + 0.5, height, f"{estimate.effective_chains:.1f} effective chains", va="center",
              fontsize=8)
axes.axvline(0, color=GREY, ls="--", lw=1, label="exact")
axes.set(title="AIS weights of 100 chains (dots) and the interval (red)", ylabel="steps",
         xlabel="log Z $-$ exact log Z, nats", yticks=range(5), yticklabels=tries, xlim=(None, 11))
axes.legend(frameon=False, fontsize=8, loc="lower right")
plt.show()
for name, estimate in tries.items():
    print(f"{name!s:>20}: {estimate}")
print(f"{'exact':>20}: log Z = {true_log_z:.3f}")
hard = ais(machine, np.random.default_rng(29), betas=evenly(1000), base=base_logits(train))
print(f"\nthe machine of section 6, exact log Z = {machine.log_z():.3f}; 1000 steps:\n{hard}")
claim("ais-interval", r"\log Z_{AIS} = \log Z \text{ within its own interval}", source="Salakhutdinov and Murray 2008",
      lhs=tries[1000].log_z, rhs=true_log_z, standard_error=tries[1000].standard_error)

# %% [markdown]
# With few steps, a few lucky chains carry the estimate: look at the number of *effective chains* first. And a thousand
# steps in the wrong place are worth less than ten in the right one. Their interval does not hold the truth, though
# twenty chains seem effective: no interval knows of weights that were never drawn. What counts is that no single jump
# is large. The last lines are the machine with the large digits, whose chains did not mix in section 6: most of its
# hundred chains are lost after a thousand steps, and its interval is some two nats wide.
#
# ## 8. From the other side
#
# AIS is low when it fails, so it makes a model look *good*: $\log p(x) = -F(x) - \log Z$. A worse estimator gives
# better results! The remedy is a chain the other way. Begin at an exact sample of the model, anneal *down* to the base,
# and take the reciprocal weight: $E[1/w] = Z_0 / Z_K$.
#
# **Before you run the next cell**: on the way up, $\log w$ is low on average. And on the way down?
#
# In the enumerated machine, with all the $8^4$ chains $x_3 \to x_2 \to x_1 \to x_0$:

# %%
down = (f(1.0) / f(1.0).sum())[:, None, None] * np.ones((8, 8, 8))  # axes x_3, x_2, x_1 of the way down
down = down * sweep(betas[3])[:, :, None] * sweep(betas[2])[None]
last = sweep(betas[1])  # from x_1 to x_0
log_up = np.zeros((8, 8, 8, 8))
for k, axis in ((3, 1), (2, 2), (1, 3)):
    shape = tuple(8 if n == axis else 1 for n in range(4))
    log_up = log_up + np.log(f(betas[k]) / f(betas[k - 1])).reshape(shape)
all_down = down[..., None] * last
claim("reverse-ais-unbiased", r"E_{down}[1 / w] = Z_0 / Z_K", lhs=(all_down * np.exp(-log_up)).sum(), rhs=1 / ratio,
      rtol=1e-10)
claim("reverse-ais-above", r"E_{up}[\log w] \leq \log Z_K / Z_0 \leq E_{down}[\log w]",
      lhs=[np.log(ratio), (all_down * log_up).sum()], rhs=[(probabilities * log_weights).sum(), np.log(ratio)],
      kind="at_least", source="Grosse et al. 2015")

# %% [markdown]
# High, by the same inequality for $1/w$. Between the two lies the truth (Grosse et al. 2015). Now on the small digits,
# from exact samples of the model, with any number of steps. The same way down, from *test data*, gives a lower bound of
# their likelihood (RAISE, Burda et al. 2015), and needs no exact samples.

# %%
counts = [3, 10, 30, 100, 300, 1000]
fair = exact_samples(little, 100, np.random.default_rng(20))[0]
below, above, raised = [], [], []
for n in counts:
    forward = ais(little, np.random.default_rng([26, n]), betas=evenly(n), base=base)
    below.append(forward.log_base + forward.log_weights)
    way_down = reverse_ais(little, fair, np.random.default_rng([27, n]), betas=evenly(n), base=base)
    above.append(-little.free_energies(fair) - way_down)
    raised.append(reverse_ais(little, X_test[:100], np.random.default_rng([28, n]), betas=evenly(n), base=base))
fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.1), layout="constrained")
for values, colour, label in ((below, BLUE, "up from the base"), (above, RED, "down from exact samples")):
    left.errorbar(counts, np.mean(values, axis=1) - true_log_z, yerr=np.std(values, axis=1) / 10, color=colour,
                  fmt="o-", ms=3, label=label)
left.axhline(0, color=GREY, ls="--", lw=1)
left.set(xscale="log", title="Mean of log w: two sides", xlabel="steps", ylabel="$-$ exact log Z, nats")
left.legend(frameon=False, fontsize=8)
exact_level = little.log_likelihood(X_test[:100]).mean()
right.plot(counts, np.mean(raised, axis=1), "o-", ms=3, color=GREEN, label="RAISE")
right.axhline(exact_level, color=GREY, ls="--", lw=1, label="exact")
right.set(xscale="log", title="log p of 100 test digits", xlabel="steps", ylabel="nats")
right.legend(frameon=False, fontsize=8)
plt.show()
claim("log-z-between", r"\langle \log w \rangle_{up} \leq \log Z - \log Z_0 \leq \langle \log w \rangle_{down}",
      lhs=[true_log_z, np.mean(above[-1])], rhs=[np.mean(below[-1]), true_log_z], kind="at_least",
      standard_error=[np.std(below[-1]) / 10, np.std(above[-1]) / 10], note="1000 steps, 64 + 16 units")
claim("raise-below", r"E[\log \hat p(x)] \leq \log p(x)", source="Burda et al. 2015", lhs=np.mean(raised[-1]),
      rhs=exact_level, kind="at_most",
      standard_error=np.std(np.array(raised[-1]) - little.log_likelihood(X_test[:100]).value) / 10)

# %% [markdown]
# ## 9. All of it as one estimator
#
# `BinaryRBM` has the manners of scikit-learn (and works in its pipelines and searches), and its `score_samples` is
# $\log p(x)$ in nats: exact up to 25 units on one side, AIS above, and it says which. With a share of the rows kept out
# it watches what section 5 says one should watch, and stops when the *likelihood* there no longer rises.

# %%
rbm = BinaryRBM(20, method="fpcd", n_iter=16, schedule="cosine", validation_fraction=0.1, patience=5, ais_betas=200)
rbm.fit(X)
print("epoch  log p   pseudo  error   free-energy gap")
for record in rbm.history_.records[::3]:
    seen = record["valid"]
    print(f"{record['epoch']:5d} {seen['log_likelihood']:7.2f} {seen['pseudo_log_likelihood']:7.2f} "
          f"{seen['reconstruction_error']:6.2f} {seen['free_energy_gap']:8.2f}")
print(rbm.log_likelihood(X_test))

# %% [markdown]
# ## Exercises
#
# `minigen exercise start 04 my-exercises` makes a folder with the stubs and public checks:
#
# 1. `gibbs_sweep`: one sweep, given random numbers.
# 2. `cd_gradient`: the update of CD-$k$ from data and fantasies.
# 3. `pseudo_log_likelihood`: the sum of all conditionals, without $Z$.
# 4. `swap_probability`: when do two tempered chains exchange their states?
# 5. `ais_log_ratios`: the steps of annealed chains, for any path and any sweep.
# 6. `log_z_interval`: $\log Z$ and its interval from those steps.
#
# Then change this notebook. In section 4, let the data be in the *larger* mode: which sampler looks best then, and is
# it? In section 5, lower the rate tenfold: does CD-1 still turn, and when? Give PCD 300 chains, or fast weights
# (`fast_rate`). In section 7, find the schedule of 100 steps with the most effective chains.
#
# ## References
#
# - Hinton, G. E. (2002). Training products of experts by minimizing contrastive divergence. *Neural Computation* 14.
# - Tieleman, T. (2008). Training restricted Boltzmann machines using approximations to the likelihood gradient. *ICML*.
# - Tieleman, T. and Hinton, G. E. (2009). Using fast weights to improve persistent contrastive divergence. *ICML*.
# - Sutskever, I. and Tieleman, T. (2010). On the convergence properties of contrastive divergence. *AISTATS*.
# - Desjardins, G. et al. (2010). Parallel tempering for training of restricted Boltzmann machines. *AISTATS*.
# - Fischer, A. and Igel, C. (2010). Empirical analysis of the divergence of Gibbs sampling based learning algorithms
#   for restricted Boltzmann machines. *ICANN*.
# - Hinton, G. E. (2010). A practical guide to training restricted Boltzmann machines. UTML TR 2010-003.
# - Neal, R. M. (2001). Annealed importance sampling. *Statistics and Computing* 11.
# - Salakhutdinov, R. and Murray, I. (2008). On the quantitative analysis of deep belief networks. *ICML*.
# - Burda, Y., Grosse, R. and Salakhutdinov, R. (2015). Accurate and conservative estimates of MRF log-likelihood using
#   reverse annealing. *AISTATS*.
# - Grosse, R., Ghahramani, Z. and Adams, R. P. (2015). Sandwiching the marginal likelihood using bidirectional Monte
#   Carlo. arXiv:1511.02543.
# - Besag, J. (1975). Statistical analysis of non-lattice data. *The Statistician* 24.
# - Lecture documents S4:137-169.
