# %% [markdown]
# # Lecture 02. Bayes: evidence, posterior, and two ways to be wrong
#
# A generative model is a joint density $p(x, \theta)$ of what is seen and what is not. Everything we want from it is a
# ratio or an integral of that one function:
#
# | name | formula | what it answers |
# |---|---|---|
# | prior | $p(\theta)$ | what do we believe before the data? |
# | likelihood | $p(x \mid \theta)$ | how well would $\theta$ have predicted the data? |
# | evidence | $p(x) = \int p(x \mid \theta)\,p(\theta)\,d\theta$ | how well did the *model* predict the data? |
# | posterior | $p(\theta \mid x) = p(x \mid \theta)\,p(\theta)\,/\,p(x)$ | what do we believe now? |
# | predictive | $p(x' \mid x) = \int p(x' \mid \theta)\,p(\theta \mid x)\,d\theta$ | what comes next? |
#
# Only the evidence is hard: it is an integral over everything that is not seen. This lecture computes it exactly where
# it can be computed, then asks what happens when it cannot: we replace the posterior by a simpler density $q$ (and
# must choose *which* Kullback-Leibler divergence to make small), or we sample (and must know how many samples it
# takes).

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data
from minigen.checks import claim, erratum
from minigen.distributions import DiagonalNormal, MultivariateNormal, Normal
from minigen.latent.bayes import (
    BetaBernoulli,
    DirichletCategorical,
    NormalMean,
    fit_forward,
    fit_reverse,
    naive_evidence,
)

BLUE, RED, GREY, GREEN = "#1b6ca8", "#d1495b", "#5a5a5a", "#2e8b57"  # target or data, fit, prior, second fit
rng = np.random.default_rng(2)


def midpoints(low, high, n):
    """The middles of n equal cells, and the width of a cell: sums over them are integrals."""
    edges = np.linspace(low, high, n + 1)
    return (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]

# %% [markdown]
# ## 1. One pixel
#
# Take one pixel of the handwritten digits, and call it 1 where there is ink. Its unknown probability is $\theta$. The
# prior Beta$(a, b)$ acts as if $a$ ones and $b$ zeros had been seen already. With $s$ ones among $n$ data,
#
# $$p(\theta \mid x) \propto \theta^{s}(1 - \theta)^{n - s} \cdot \theta^{a - 1}(1 - \theta)^{b - 1}
#   \quad\Rightarrow\quad p(\theta \mid x) = \mathrm{Beta}(a + s,\; b + n - s).$$
#
# Prior and posterior are of one family. Such a prior is called *conjugate* (S4:265), and the evidence comes with it:
# $p(x) = B(a + s, b + n - s) / B(a, b)$, where $B$ is the beta function that normalises the Beta density.

# %%
digits = data.load("digits").train
pixel = (digits[:, 4, 3] > 8).astype(int)
x = pixel[:12]
coin = BetaBernoulli(a=2.0, b=3.0)
print("data:", x, " posterior:", coin.posterior(x))

# %%
theta, cell = midpoints(0, 1, 20_000)
joint = np.exp(coin.log_likelihood(x, theta) + coin.prior().log_prob(theta))
evidence = joint.sum() * cell
claim("evidence-closed-form", r"p(x) = \int p(x|\theta) p(\theta) d\theta", source="S2:196",
      lhs=np.exp(coin.log_evidence(x)), rhs=evidence, rtol=1e-7, tol=0)

# %%
claim("posterior-mass", r"\int p(\theta|X) d\theta = 1", source="S2:212",
      lhs=np.exp(coin.posterior(x).prior().log_prob(theta)).sum() * cell, rhs=1.0, tol=1e-7)

# %%
claim("conjugate-beta-bernoulli", r"p(\theta|X) = \mathrm{Beta}(a + s, b + n - s)", source="S4:265",
      lhs=np.exp(coin.posterior(x).prior().log_prob(theta)), rhs=joint / evidence, tol=1e-6)

# %% [markdown]
# **Puzzle.** S4:244 prints Bayes' rule as
# $p(\theta \mid x) = p(x \mid \theta)\,p(\theta) \,/ \int p(x \mid \theta')\,d\theta'$.
# Before you run the next cell: does a "posterior" made so integrate to one?

# %%
likelihood = np.exp(coin.log_likelihood(x, theta))
erratum("E19", printed=(joint / (likelihood.sum() * cell)).sum() * cell,
        right=(joint / (joint.sum() * cell)).sum() * cell,
        truth=1.0, tol=1e-9)

# %% [markdown]
# It does not: the likelihood alone is no density of $\theta$, and its integral is not the evidence. A few lines on,
# S4:257 prints $p(x \mid \theta) = p(x \mid \theta)\,p(\theta)$. The left side must be the *joint* $p(x, \theta)$:
# summed over every possible $x$ it has to leave the prior, here $12\,\theta (1 - \theta)^2$. The likelihood leaves 1.

# %%
some = np.array([0.1, 0.3, 0.5, 0.9])
likelihoods = [np.exp(coin.log_likelihood(np.array([value]), some)) for value in (0, 1)]
erratum("E20", printed=sum(likelihoods), right=sum(f * np.exp(coin.prior().log_prob(some)) for f in likelihoods),
        truth=12 * some * (1 - some) ** 2, tol=1e-9, note="each side summed over x; the truth is the prior by hand")

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for n, shade in zip((0, 2, 12, 200), (0.25, 0.45, 0.7, 1.0)):
    after = coin.posterior(pixel[:n])
    axes.plot(theta, np.exp(after.prior().log_prob(theta)), color=BLUE if n else GREY, alpha=shade if n else 1,
              label=f"after {n} digits" if n else "prior")
axes.axvline(pixel.mean(), color=RED, lw=1, ls="--", label=f"fraction in all {len(pixel)}")
axes.set(title="What is known of one pixel", xlabel=r"$\theta$, probability of ink", ylabel="density", xlim=(0, 1))
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## 2. More conjugate pairs, and prediction
#
# Waiting times at the geyser Old Faithful, in minutes: $x_i \sim N(\theta, \sigma^2)$ with $\sigma$ known and prior
# $\theta \sim N(\mu, \tau^2)$. Completing the square, *precisions add*:
#
# $$\frac{1}{\tau_n^2} = \frac{1}{\tau^2} + \frac{n}{\sigma^2}, \qquad
#   \mu_n = \tau_n^2\Big(\frac{\mu}{\tau^2} + \frac{\sum_i x_i}{\sigma^2}\Big).$$

# %%
waiting = data.load("faithful").train[:, 1]
geyser = NormalMean(mu=60.0, tau=20.0, sigma=13.5)
few = waiting[:8]
minutes, width = midpoints(20, 120, 50_000)
joint_geyser = np.exp(geyser.log_likelihood(few, minutes) + geyser.prior().log_prob(minutes))
claim("conjugate-normal-mean", r"p(\theta|X) = N(\mu_n, \sigma_n^2), \ 1/\sigma_n^2 = 1/\sigma_0^2 + n/\sigma^2",
      source="S4:265", lhs=np.exp(geyser.posterior(few).prior().log_prob(minutes)),
      rhs=joint_geyser / (joint_geyser.sum() * width), tol=1e-8)

# %% [markdown]
# Which digit comes? Labels are $x_i \in \{0, \dots, 9\}$; the prior Dirichlet$(\alpha)$ adds $\alpha_k$ imagined
# sights of each. The exact route that we test against is a Dirichlet of three classes on a triangle of points.

# %%
labels = data.load("digits").train_labels[:9] % 3
dice = DirichletCategorical((1.0, 2.0, 1.5))
first, side = midpoints(0, 1, 600)
a, b = np.meshgrid(first, first, indexing="ij")
inside = a + b < 1 - side / 2
corner = np.stack([a[inside], b[inside], 1 - a[inside] - b[inside]], axis=-1)
grid_joint = np.exp(dice.log_likelihood(labels, corner) + dice.prior().log_prob(corner))
grid_mean = (grid_joint[:, None] * corner).sum(0) / grid_joint.sum()
claim("conjugate-dirichlet-categorical", r"p(\theta|X) = \mathrm{Dir}(\alpha + \mathrm{counts})", source="S4:265",
      lhs=dice.predictive(labels), rhs=grid_mean, tol=2e-4,
      note="posterior means, by the counts and by a grid over the triangle")

# %% [markdown]
# Prediction averages over what is not known. For the geyser the average is again a Gaussian, wider than the one a
# point estimate would give: $p(x' \mid x) = N(\mu_n,\ \tau_n^2 + \sigma^2)$ (S4:261).

# %%
future = np.array([45.0, 60.0, 75.0, 90.0])
posterior_weights = joint_geyser / joint_geyser.sum()
claim("posterior-predictive", r"p(x'|X) = \int p(x'|\theta) p(\theta|X) d\theta", source="S4:261",
      lhs=np.exp(geyser.predictive(few).log_prob(future)),
      rhs=[np.exp(Normal(minutes, geyser.sigma).log_prob(t)) @ posterior_weights for t in future], tol=1e-9)

# %% [markdown]
# ## 3. Points instead of densities
#
# A point estimate keeps one $\theta$: the mode of the likelihood (MLE) or of the posterior (MAP, S2:218, S4:269). The
# evidence is a constant in $\theta$, so the MAP estimate never needs it. That is its charm and its price.

# %%
claim("map-is-posterior-mode",
      r"\arg\max_\theta [\log p(X|\theta) + \log p(\theta)] = \mathrm{mode}\, p(\theta|X)", source="S2:218",
      lhs=theta[np.argmax(joint)], rhs=coin.map(x), tol=cell)

# %% [markdown]
# With more data the prior is outvoted. Before you run the next cell: how fast does the distance between MAP and MLE
# shrink, like $1/\sqrt n$ or like $1/n$?

# %%
sizes = np.array([12, 48, 192, 768, 1500])
gaps = np.array([n * abs(coin.map(pixel[:n]) - coin.mle(pixel[:n])) for n in sizes])
print("n * |MAP - MLE|:", gaps.round(3))
claim("map-approaches-mle", r"n |\theta_{MAP} - \theta_{MLE}| \text{ stays bounded as } n \to \infty", source="S4:269",
      kind="at_most", lhs=gaps, rhs=coin.a + coin.b, note="the bound is the number of imagined data")

# %% [markdown]
# **Puzzle.** For data $x_1, \dots, x_n$ with latent variables, S2:287 ends a derivation with
# $\arg\max_\theta \log \sum_i \int p(x_i \mid z_i, \theta)\,p(z_i)\,dz_i$: the log has slipped outside the sum.
# Data are independent, so their densities *multiply*, and the logs add. Take four data, $(0, 0, 0, 4)$, and $p(x
# \mid \theta) = N(\theta, 1)$. Before you run the next cell: where does each form put $\theta$?

# %%
four = np.array([0.0, 0.0, 0.0, 4.0])
centres, _ = midpoints(-2, 6, 80_001)
log_p = Normal(centres[:, None], 1.0).log_prob(four)
erratum("C5", printed=centres[np.argmax(ad.logsumexp(log_p, axis=1))],
        right=centres[np.argmax(log_p.sum(1))], truth=four.mean(), tol=1e-3)

# %% [markdown]
# The printed form asks only that *some* data are likely: it throws the fourth away.
#
# ## 4. Maximum likelihood is a divergence
#
# The Kullback-Leibler divergence from the data's distribution $\pi$ to the model is
#
# $$\mathrm{KL}(\pi \,\|\, p_\theta) = \underbrace{-E_\pi \log p(x \mid \theta)}_{\text{cross-entropy}}
#   - \underbrace{H(\pi)}_{\text{no } \theta}.$$
#
# So maximum likelihood makes this *forward* KL small. Under the heading "Forward KL", S2:34-36 shows only
# $\log p(x \mid \theta)$: the minus sign, the expectation and the entropy are left out, and with them what it
# measures. We take three classes, where every sum is exact.

# %%
pi = np.array([0.5, 0.3, 0.2])
model = np.array([0.2, 0.5, 0.3])
divergence = float((pi * np.log(pi / model)).sum())
cross_entropy, entropy = -float(pi @ np.log(model)), -float(pi @ np.log(pi))
claim("forward-kl-is-mle", r"KL(\pi \| p_\theta) + H(\pi) = -E_\pi \log p(x|\theta)", source="S2:36",
      lhs=divergence + entropy, rhs=cross_entropy, tol=1e-12)
erratum("C9", printed=float(np.log(model[0])), right=cross_entropy - entropy, truth=divergence, tol=1e-12)

# %% [markdown]
# ## 5. Two directions, two errors
#
# Let $p$ be a target that we can evaluate, and $q$ a simpler density. Which direction of the divergence do we make
# small?
#
# - *forward*, $\mathrm{KL}(p \,\|\, q)$: $q$ must not be small where $p$ is not. It needs expectations under $p$.
# - *reverse*, $\mathrm{KL}(q \,\|\, p)$: $q$ must not be large where $p$ is small. It needs expectations under $q$
#   only, so this is what variational inference can afford (S4:296-304).
#
# Take for $p$ a Gaussian with correlation $\rho = 0.9$ and unit variances, for $q$ a *diagonal* Gaussian. Before
# you run the next cell: S4:320-339 says that forward KL overestimates the variance. Will the fitted variances come
# out above one?

# %%
rho = 0.9
target = MultivariateNormal(np.zeros(2), covariance=np.array([[1, rho], [rho, 1]]))
line, step = midpoints(-6, 6, 400)
points = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
forward = fit_forward(points, target.log_prob(points))
reverse = fit_reverse(target.log_prob, np.zeros(2), rng=np.random.default_rng(3), n_samples=1024)
variance_forward, variance_reverse = ad.value(forward.sigma) ** 2, ad.value(reverse.sigma) ** 2
print("variances: forward", variance_forward.round(3), "reverse", variance_reverse.round(3), "target", [1, 1])

# %%
claim("forward-kl-marginals-exact", r"q_j(\theta_j) = p(\theta_j|x) \text{ at the forward fit}", source="S4:335",
      lhs=variance_forward, rhs=[1.0, 1.0], tol=1e-6)
claim("reverse-kl-too-narrow", r"\mathrm{Var}_q = (1 - \rho^2) \mathrm{Var}_p \text{ at the reverse fit}",
      source="S4:326", lhs=variance_reverse, rhs=[1 - rho**2] * 2, tol=0.012)

# %% [markdown]
# Each single variance of the forward fit is *exact*. What is overestimated is the spread of the two together: the
# generalised variance $\det \Sigma$ is $1$ for the fit and $1 - \rho^2 = 0.19$ for the target.

# %%
overestimate = variance_forward.prod() / np.linalg.det([[1, rho], [rho, 1]])
erratum("E22", printed=overestimate * np.ones(2), right=variance_forward, truth=np.ones(2), tol=1e-6,
        note="printed: each variance too large, here by the factor of the determinant; right: each exact")
claim("forward-kl-joint-too-broad", r"\det \Sigma_q = \det \Sigma_p / (1 - \rho^2) \text{ at the forward fit}",
      source="S4:335", lhs=overestimate, rhs=1 / (1 - rho**2), tol=1e-4)

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharex=True, sharey=True, layout="constrained")
panels = ((axes[0], forward, "forward: KL(p || q)", RED), (axes[1], reverse, "reverse: KL(q || p)", GREEN))
for panel, fit, name, colour in panels:
    panel.contour(line, line, np.exp(target.log_prob(points)).reshape(400, 400).T, levels=4, colors=BLUE, linewidths=1)
    panel.contour(line, line, np.exp(ad.value(fit.log_prob(points))).reshape(400, 400).T, levels=4, colors=colour,
                  linewidths=1, linestyles="--")
    panel.set(title=name, xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
axes[0].plot([], [], color=BLUE, label="target p")
axes[0].plot([], [], color=GREY, ls="--", label="diagonal fit q")
axes[0].legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# Now a target with two modes: the lengths of Old Faithful's eruptions, smoothed by a Gaussian of 0.25 minutes.
# Before you run the next cell: a single Gaussian is fitted in either direction. Which fit covers both modes, and
# which takes one?

# %%
eruptions = data.load("faithful").train[:, 0]


def log_smoothed(z):
    """log of the average of Gaussians around the data; z: (n, 1)."""
    return ad.logsumexp(Normal(eruptions, 0.25).log_prob(z), axis=1) - np.log(len(eruptions))


grid, spacing = midpoints(0, 7, 2000)
covering = fit_forward(grid[:, None], log_smoothed(grid[:, None]))
seeking = fit_reverse(log_smoothed, np.array([4.0]), rng=np.random.default_rng(4), steps=600, n_samples=64)
for name, fit in (("forward", covering), ("reverse", seeking)):
    print(f"{name}: mean {ad.value(fit.mu)[0]:.2f}, standard deviation {ad.value(fit.sigma)[0]:.2f} minutes")
figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
axes.hist(eruptions, bins=40, density=True, color=BLUE, alpha=0.25, label="data")
axes.plot(grid, np.exp(log_smoothed(grid[:, None])), color=BLUE, label="target: smoothed data")
axes.plot(grid, np.exp(covering.log_prob(grid[:, None])), color=RED, label="forward: covers")
axes.plot(grid, np.exp(seeking.log_prob(grid[:, None])), color=GREEN, label="reverse: takes one mode")
axes.set(title="One Gaussian for the eruptions of Old Faithful", xlabel="length of an eruption, minutes",
         ylabel="density")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# How much does taking one mode cost? If $p$ is an even mixture of two far Gaussians and $q$ is one of them, then
# $p = q / 2$ wherever $q$ lives, and $\mathrm{KL}(q \,\|\, p) = \log 2$: one bit, however far apart the modes are.
# The forward divergence has no bound.

# %%
far = 8.0
wide, w = midpoints(-20, 20, 40_000)
one, other = Normal(-far, 1.0).log_prob(wide), Normal(far, 1.0).log_prob(wide)
mixture = np.logaddexp(one, other) - np.log(2)
claim("reverse-kl-one-mode", r"KL(q \| p) = \log 2 \text{ at one of two far modes}", source="S4:304",
      lhs=(np.exp(one) * (one - mixture)).sum() * w, rhs=np.log(2), tol=1e-9)

# %% [markdown]
# **Puzzle.** S0:63 calls this "an unusual way" of projecting "$q$ onto $p$". There are two projections: minimising
# over the *first* argument of KL (the reverse, or I-projection), and over the *second* (the forward, or
# M-projection). Naming the argument that moves settles it. The projection that variational inference uses makes
# $q$ one of the modes:

# %%
def reverse_kl(mean, sigma):
    log_q = Normal(mean, sigma).log_prob(wide)
    return (np.exp(log_q) * (log_q - mixture)).sum() * w


candidates = [(mean, sigma) for mean in (-far, 0.0, far) for sigma in (1.0, 2.0, np.sqrt(1 + far**2))]
best = min(candidates, key=lambda q: reverse_kl(*q))  # the forward projection (0, all the variance) is among them
erratum("A10", printed=reverse_kl(0.0, np.sqrt(1 + far**2)), right=reverse_kl(*best), truth=np.log(2), tol=1e-6,
        note="KL(q||p) of the other projection, against that of the projection over q")

# %% [markdown]
# ## 6. The evidence by brute force
#
# What does the evidence cost? S0:43 says $O(n^2)$ for $\sum_z p(x \mid z)\,p(z)$, and S0:51 adds that $p(x \mid z)$ is
# intractable. Count: with $k$ binary latent variables the *sum* has $2^k$ terms, and each *term* $p(x \mid z)$ is one
# pass through the model.

# %%
def terms_of_evidence(k):
    """How many values of z the sum for p(x) visits."""
    return sum(1 for _ in np.ndindex(*(2,) * k))


bits = np.array([4, 6, 8, 10, 12])
counted = np.array([terms_of_evidence(k) for k in bits])
erratum("A1", printed=bits.astype(float) ** 2, right=2.0**bits, truth=counted.astype(float), tol=0.5)

# %%
weights = rng.standard_normal((10, 6))


def evaluations(k, what):
    """Bernoulli factors computed for one p(x|z), or for p(x), of a net with k latents and 10 observed bits."""
    states = [np.zeros(k)] if what == "p(x|z)" else [np.array(z) for z in np.ndindex(*(2,) * k)]
    return sum(len(1 / (1 + np.exp(-weights[:, :k] @ z))) for z in states)


erratum("A2", printed=float(evaluations(6, "p(x|z)")), right=float(evaluations(6, "p(x)")), truth=10.0 * 2**6, tol=0.5,
        note="factors for one p(x|z), called intractable, and for the evidence p(x), which is")

# %% [markdown]
# ### Sampling instead of summing
#
# $p(x) = E_{p(z)}\,p(x \mid z)$, so draw $z_1, \dots, z_K$ from the prior and average (S2:295). The average is
# unbiased for $p(x)$. Its log is not: the log is concave, so $E \log \hat p < \log E \hat p$. Let $z \sim N(0,
# I_d)$ and $x \mid z \sim N(z, s^2 I_d)$; then $p(x) = N(0, (1 + s^2) I_d)$ exactly.

# %%
s = 0.3


def log_conditional(z, datum):
    return DiagonalNormal(z, s).log_prob(datum)


datum = np.array([1.5])
exact = float(Normal(0.0, np.sqrt(1 + s**2)).log_prob(datum[0]))
estimates = naive_evidence(lambda z: log_conditional(z, datum), rng.standard_normal((20_000, 10, 1)))
p_hat = np.exp(estimates)
claim("naive-evidence-unbiased", r"E \frac{1}{K} \sum_k p(x|z_k) = p(x)", source="S2:295",
      lhs=p_hat.mean(), rhs=np.exp(exact), standard_error=p_hat.std() / np.sqrt(len(p_hat)))

# %% [markdown]
# Before you run the next cell: by how much is $\log \hat p$ too low with one draw? With ten? With a thousand?

# %%
draws = (1, 10, 100, 1000)
logs = [naive_evidence(lambda z: log_conditional(z, datum), rng.standard_normal((2000, K, 1))) for K in draws]
print("log p(x) =", round(exact, 3), " mean of log p^:", {K: round(float(v.mean()), 3) for K, v in zip(draws, logs)})
low = logs[1]
claim("naive-log-evidence-low", r"E \log \frac{1}{K} \sum_k p(x|z_k) < \log p(x)", source="S2:295", kind="at_most",
      lhs=low.mean() + 4.5 * low.std() / np.sqrt(len(low)), rhs=exact, note="K = 10; 4.5 standard errors on the left")
erratum("C11", printed=low.mean(), right=float(np.log(p_hat.mean())), truth=exact,
        tol=4.5 * p_hat.std() / np.sqrt(len(p_hat)) / p_hat.mean(), clear=0.2,
        note="the mean of log p^ at K = 10, and the log of the mean of p^")

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
for K, values, colour in zip(draws, logs, (GREY, GREEN, BLUE, RED)):
    axes.hist(np.maximum(values, -12), bins=np.linspace(-12, 0, 70), density=True, histtype="step", color=colour,
              label=f"K = {K}")
axes.axvline(exact, color="black", lw=1, ls="--", label=r"$\log p(x)$")
axes.set(title="The log of a naive estimate is low, less so with more draws", yscale="log", ylabel="density",
         xlabel=r"$\log \hat p(x)$, nats (below -12: at -12)")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ### The curse, in closed form
#
# How many draws are enough? The relative variance of one draw, $\mathrm{Var}[p(x \mid z)] / p(x)^2$, says it.
# Dimensions are independent here, so $E[p(x|z)^2] / p(x)^2$ is a *product*: $r^d$. With two Gaussian integrals, at
# $x_j = 0$ in each dimension,
#
# $$r = \frac{E[N(0; z, s^2)^2]}{N(0; 0, 1 + s^2)^2} = \frac{1 + s^2}{s\,\sqrt{2 + s^2}}.$$
#
# Before you run the next cell: how many draws does a relative error of 10 % take in 1, 10 and 50 dimensions?

# %%
r = (1 + s**2) / (s * np.sqrt(2 + s**2))
z = rng.standard_normal((400_000, 4))
dimensions = np.array([1, 2, 3, 4])
ratios, errors = [], []
for d in dimensions:
    marginal = DiagonalNormal(np.zeros(d), np.sqrt(1 + s**2))
    squares = np.exp(2 * (log_conditional(z[:, :d], np.zeros(d)) - marginal.log_prob(np.zeros(d))))
    ratios.append(squares.mean())
    errors.append(squares.std() / np.sqrt(len(squares)))
claim("naive-samples-exponential", r"\mathrm{Var}[p(x|z)] / p(x)^2 + 1 = r^d \text{ in } d \text{ dimensions}",
      source="S2:299", lhs=ratios, rhs=r**dimensions, standard_error=errors)
print("draws for 10 %:", {d: f"{(r**d - 1) / 0.01:.3g}" for d in (1, 10, 50)})

# %%
figure, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
many = np.arange(1, 51)
axes.semilogy(many, (r**many - 1) / 0.01, color=BLUE, label=r"$(r^d - 1) / 0.1^2$, exact")
axes.semilogy(dimensions, (np.array(ratios) - 1) / 0.01, "o", color=RED, markersize=4, label="measured")
axes.set(title="Draws from the prior for a relative error of 10 %", xlabel="dimensions of z", ylabel="draws")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# At fifty dimensions, still few for a picture, the naive average is hopeless. The way out is to draw $z$ where the
# posterior is, not where the prior is, and that needs an approximation $q(z \mid x)$: variational inference
# (lecture 08), amortised by a net (lecture 11).
#
# ## Exercises
#
# `minigen exercise start 02 my-exercises` makes a folder with the stubs and public checks:
#
# 1. `normal_posterior`: the posterior of a Gaussian mean.
# 2. `gaussian_kl`: the divergence between two diagonal Gaussians, in the direction asked for.
# 3. `log_evidence_estimate`: the naive estimate and its standard error, without overflow.
#
# Then change this notebook. Replace the prior Beta(2, 3) by Beta(0.5, 0.5): which claims still hold, and which
# cell now refuses? Let $\rho$ go to 0.999: how far do the two fits differ? Draw $z$ from $N(1.3, 0.4^2)$ instead
# of the prior, and weigh the draws: how many are needed then?
#
# ## References
#
# - Bishop, C. M. (2006). *Pattern Recognition and Machine Learning*. Springer. Chapters 2 and 10.
# - Csiszár, I. (1975). I-divergence geometry of probability distributions and minimization problems.
#   *Annals of Probability* 3(1), 146-158.
# - Azzalini, A. and Bowman, A. W. (1990). A look at some data on the Old Faithful geyser. *Applied Statistics* 39(3),
#   357-365.
# - Burda, Y., Grosse, R. and Salakhutdinov, R. (2016). Importance weighted autoencoders. *ICLR*. (The bias of the
#   log.)
# - Lecture documents S0:37-63, S2:34-50, S2:188-226, S2:289-299, S4:225-341.
