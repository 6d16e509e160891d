# %% [markdown]
# # Lecture 11. Variational autoencoders
#
# A picture of a digit is 64 numbers, but whoever wrote it made only a few choices: which digit, how slanted, how
# thick. Let $z$ be those choices. We never see them. A *deep latent Gaussian model* draws $z$ from a standard normal
# and lets a neural net turn it into a picture:
#
# $$z \sim N(0, I), \qquad x \sim p_\theta(x \mid z), \qquad p_\theta(x) = \int p_\theta(x \mid z)\,p(z)\,dz .$$
#
# Sampling is two lines of code. Learning needs $\log p_\theta(x)$, an integral over all that might have been meant.
# The variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014) replaces it by a lower bound, and has a
# second net guess, for every picture at once, which $z$ belong to it. Three ideas, and this lecture executes each:
#
# | idea | what it buys | what it costs |
# |---|---|---|
# | evidence lower bound (ELBO) | an objective that can be computed | the bound is not tight |
# | reparameterisation | a gradient of low variance | $z$ has to be continuous |
# | amortisation | inference in one pass of a net | the net is not optimal for any single picture |
#
# At the end the bound turns into something that can be held in the hand: the length of a file.
#
# You need lectures 01 (gradients) and 02 (evidence, the two KL divergences).

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data, nn, optim
from minigen.checks import claim, erratum, log_quadrature_1d, normal_expectation, quadrature_1d
from minigen.distributions import Laplace, Normal
from minigen.latent import bits_back
from minigen.latent.vae import VAE
from minigen.training import fit

BLUE, RED, GREY, GREEN = "#1b6ca8", "#d1495b", "#5a5a5a", "#2e8b57"
LOG_2PI = np.log(2 * np.pi)
rng = np.random.default_rng(11)

# %% [markdown]
# ## 1. The model: which way do the nets point?
#
# **Puzzle (S1:37).** "We may form deep latent variable models by parameterizing the $x \to z$ mapping using neural
# nets." Take that at its word, with one number $x$ and the net $z = f(x) = 0.8\,x + \tanh x$, and let the density of
# $x$ be the prior density of its $z$. Does it sum to one?
#
# **Before you run the next cell**: what is the mass of $p_z(f(x))$? And what is that of
# $\int p(z)\,N(x;\, g(z), 0.5^2)\,dz$ for a net $g$ that points from $z$ to $x$?

# %%
standard = Normal(0.0, 1.0)

def f(x):
    return 0.8 * x + np.tanh(x)

def density_through_decoder(x):
    """int p(z) N(x; f(z), 0.5^2) dz at points x (n,), by Gauss-Hermite."""
    z, w = np.polynomial.hermite_e.hermegauss(100)
    return np.exp(Normal(f(z), 0.5).log_prob(x[:, None])) @ (w / np.sqrt(2 * np.pi))

erratum("B1", printed=quadrature_1d(lambda x: np.exp(standard.log_prob(f(x))), -np.inf, np.inf).value,
        right=quadrature_1d(density_through_decoder, -np.inf, np.inf).value, truth=1.0, tol=1e-7)

# %% [markdown]
# The net of the model points from $z$ to $x$: the *decoder* $p_\theta(x \mid z)$. (A net from $x$ to $z$ does define
# a density when it is invertible and its Jacobian is paid for. That is a flow, lecture 14.) The *encoder*, which also
# points from $x$ to $z$, is a tool for learning; sampling needs the decoder alone.
#
# **Puzzle (S1:303-304).** A decoder has a mean net and a covariance net. The slide's example is
# $\mu = \sigma(Az + c)$, $\Sigma = \mathrm{diag}\exp(\sigma(Bz + d))$, and there $\sigma$ is "a nonlinearity". If it
# is the sigmoid, what variances can this model have? Data: $x \sim N(0.5,\, 0.1^2)$. The best expected log-likelihood
# of any density is minus the entropy, $-\frac12 \log(2\pi e \cdot 0.01)$.

# %%
d = np.linspace(-30, 30, 6001)

def expected_log_likelihood(variance):
    """E log N(x; 0.5, variance) over x ~ N(0.5, 0.1^2)."""
    return -0.5 * (LOG_2PI + np.log(variance) + 0.01 / variance)

sigmoid_variance, free_variance = np.exp(ad.sigmoid(d)), np.exp(d)
print(f"variances of the printed form: from {sigmoid_variance.min():.3f} to {sigmoid_variance.max():.3f}")
erratum("B8", printed=expected_log_likelihood(sigmoid_variance).max(),
        right=expected_log_likelihood(free_variance).max(), truth=-Normal(0.5, 0.1).entropy(), tol=1e-4)

# %% [markdown]
# Between 1 and $e$. Our `GaussianDecoder` lets $\log \sigma$ run free between $-5$ and $5$. Why not wholly free?
# Because a decoder that meets one datum exactly with $\sigma \to 0$ has a likelihood without bound.
#
# **Puzzle (S1:265).** "Suppose $p(z, x^i; \theta)$ is fit to $p_{\rm data}(z, x^i)$." There is no such thing in the
# data. Take the linear decoder $x = Wz + \varepsilon$, with $z$ of two dimensions, and its twin that has $z$ rotated:
# $W' = WR$. Nobody who sees only $x$ can tell them apart. So whatever a fit maximises has to be equal for both.

# %%
W, noise = rng.normal(size=(3, 2)), 0.7
R = np.array([[0.0, -1.0], [1.0, 0.0]])
z_true = rng.normal(size=(500, 2))
x_seen = z_true @ W.T + noise * rng.normal(size=(500, 3))

def log_evidence_by_covariance(W):
    """mean log N(x; 0, WW' + noise^2 I), from the moments of the data alone."""
    C, S = W @ W.T + noise**2 * np.eye(3), x_seen.T @ x_seen / 500
    return -0.5 * (3 * LOG_2PI + np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, S)))

def log_evidence_by_quadrature(W, n=40):
    """mean log int p(z) N(x; Wz, noise^2 I) dz by Gauss-Hermite in two dimensions."""
    node, weight = np.polynomial.hermite_e.hermegauss(n)
    z = np.stack(np.meshgrid(node, node), -1).reshape(-1, 2)
    log_w = np.log(np.outer(weight, weight).ravel() / (2 * np.pi))
    log_p = Normal(z @ W.T, noise).log_prob(x_seen[:, None]).sum(-1)
    return ad.logsumexp(log_p + log_w, axis=1).mean()

def log_joint_with_true_z(W):
    """mean log p(x, z), which only those can compute who made the data."""
    return (Normal(z_true @ W.T, noise).log_prob(x_seen).sum(-1) + standard.log_prob(z_true).sum(-1)).mean()

print(f"joint of the model {log_joint_with_true_z(W):.3f}, of its twin {log_joint_with_true_z(W @ R):.3f}")
erratum("B7", printed=log_joint_with_true_z(W @ R), right=log_evidence_by_quadrature(W @ R),
        truth=log_evidence_by_covariance(W), tol=1e-6)

# %% [markdown]
# We fit $p_\theta(x)$ to $p_{\rm data}(x)$. The meaning of $z$ is never learned from data alone: it is only as good
# as the rotation that the fit happened to end in. Keep that in mind when we draw latent spaces below.
#
# ## 2. A bound that can be computed
#
# For any density $q(z)$, by Jensen's inequality,
#
# $$\log p(x) = \log E_q \frac{p(x, z)}{q(z)} \;\geq\; E_q \log \frac{p(x, z)}{q(z)} = \mathcal{L}(x; q),
# \qquad \log p(x) - \mathcal{L} = KL\bigl(q(z) \,\|\, p(z \mid x)\bigr).$$
#
# Split $p(x,z) = p(x \mid z)\,p(z)$ and it becomes an autoencoder with a price on its code (S1:332-336):
#
# $$\mathcal{L}(x; q) = \underbrace{E_q \log p(x \mid z)}_{\text{reconstruction}} -
# \underbrace{KL\bigl(q(z) \,\|\, p(z)\bigr)}_{\text{bits of the code}} .$$
#
# The KL of two normals needs no sampling. With $q = N(\mu, \sigma^2)$ and $p = N(0, 1)$,
#
# $$KL = E_q\Bigl[-\log\sigma - \tfrac12 \tfrac{(z - \mu)^2}{\sigma^2} + \tfrac12 z^2\Bigr]
# = -\log\sigma - \tfrac12 + \tfrac12(\mu^2 + \sigma^2).$$

# %%
mu, log_sigma = np.array([0.7, -1.5, 2.0]), np.array([-0.4, -2.0, 0.5])
q = Normal(mu, np.exp(log_sigma))
closed_form = (mu**2 + np.exp(2 * log_sigma) - 1) / 2 - log_sigma

def q_log_ratio(z):
    return np.exp(q.log_prob(z[:, None])) * (q.log_prob(z[:, None]) - standard.log_prob(z[:, None]))

claim("gaussian-kl-quadrature", r"KL(N(\mu, \sigma^2) \| N(0, 1)) = (\mu^2 + \sigma^2 - 1)/2 - \log \sigma",
      source="S1:336", lhs=quadrature_1d(q_log_ratio, -30, 30, n=4000).value, rhs=closed_form, tol=1e-9)

draws = q.sample(rng, (200_000,))
drawn = q.log_prob(draws) - standard.log_prob(draws)
claim("gaussian-kl-monte-carlo", r"E_q[\log q(z) - \log p(z)] = KL(q \| p)", source="S1:336",
      lhs=drawn.mean(0), rhs=ad.gaussian_kl(mu[:, None], log_sigma[:, None]),
      standard_error=drawn.std(0) / np.sqrt(len(drawn)))

# %% [markdown]
# ### A VAE small enough to be exact
#
# Four pixels, so that all 16 pictures can be listed. One latent number, so that every integral is a sum over a line.
# It is the same class `VAE` that we will train on digits; read `minigen/latent/vae.py` beside this page, it is short.

# %%
toy = VAE(4, 1, hidden=(6,), activation="tanh", rng=np.random.default_rng(3), dtype=np.float64)
for parameter in toy.parameters():
    parameter.data[...] = 1.5 * parameter.data + 0.3 * rng.normal(size=parameter.shape)
X = np.array([[i >> k & 1 for k in range(4)] for i in range(16)], float)

def log_likelihood_at(z, model=toy):
    """log p(x | z), (n, 16): for every z of a grid (n,) and all pictures."""
    with ad.no_grad():
        return ad.bernoulli_logits(ad.value(model.decoder(z[:, None]))[:, None], np.broadcast_to(X, (len(z), 16, 4)))

def log_joint_at(z, model=toy):
    return log_likelihood_at(z, model) + standard.log_prob(z)[:, None]

def evidence(model=toy):
    """log p(x) of all 16 pictures by quadrature over z."""
    return log_quadrature_1d(lambda z: log_joint_at(z, model), -12, 12, n=2000).value

def posteriors(model=toy):
    """mu, sigma (16,) of q(z|x), the encoder's answers."""
    with ad.no_grad():
        mu, log_sigma = model.encode(X)
    return ad.value(mu)[:, 0], np.exp(ad.value(log_sigma)[:, 0])

log_p = evidence()
mu, sigma = posteriors()
claim("toy-evidence-mass", r"\sum_x p(x) = 1", source="S1:58", lhs=np.exp(log_p).sum(), rhs=1.0, tol=1e-12)

# %% [markdown]
# Now the bound, by two routes. The joint form integrates $\log p(x,z) - \log q(z \mid x)$ on a line. The autoencoder
# form takes the reconstruction by Gauss-Hermite (whose points are spread as $q$ is) and the KL from the formula.

# %%
q = Normal(mu, sigma)

def joint_form(z):
    log_q = q.log_prob(z[:, None])
    return np.exp(log_q) * (log_joint_at(z) - log_q)

def reconstruction_term(model, mu, sigma):
    """E_q log p(x|z) of each of the 16 pictures by Gauss-Hermite."""
    return np.array([normal_expectation(lambda z, i=i: log_likelihood_at(z, model)[:, i], *q, n=80).value
                     for i, q in enumerate(zip(mu, sigma))])

def elbo(model, mu, sigma):
    return reconstruction_term(model, mu, sigma) - ad.gaussian_kl(mu[:, None], np.log(sigma)[:, None])

def kl_to_posterior(model, mu, sigma):
    """KL(q(z|x) || p(z|x)) on a fine grid, where the posterior is normalised by a sum over the grid."""
    z, step = np.linspace(-12, 12, 20001, retstep=True)
    joint, log_q = log_joint_at(z, model), Normal(mu, sigma).log_prob(z[:, None])
    posterior = np.exp(joint) / (np.exp(joint).sum(0) * step)
    return (np.exp(log_q) * (log_q - np.log(posterior))).sum(0) * step

bound = elbo(toy, mu, sigma)
claim("elbo-two-forms", r"E_q[\log p(x,z) - \log q(z|x)] = E_q \log p(x|z) - KL(q(z|x) \| p(z))", source="S1:332-336",
      lhs=quadrature_1d(joint_form, -14, 14, n=6000).value, rhs=bound, tol=1e-7)
claim("elbo-decomposition", r"\log p(x) = \mathcal{L}(q) + KL(q(z|x) \| p(z|x))", source="S2:341",
      lhs=log_p, rhs=bound + kl_to_posterior(toy, mu, sigma), tol=1e-7)
claim("elbo-is-a-bound", r"\mathcal{L}(x) \leq \log p(x)", source="S2:329", lhs=bound, rhs=log_p, kind="at_most")

# %%
shown = [0, 5, 15]
z = np.linspace(-4, 4, 400)
fig, axes = plt.subplots(1, 3, figsize=(9, 2.4), sharey=True)
for ax, i in zip(axes, shown):
    ax.fill_between(z, np.exp(log_joint_at(z)[:, i] - log_p[i]), color=BLUE, alpha=0.25, label="$p(z|x)$")
    ax.plot(z, np.exp(q.log_prob(z[:, None])[:, i]), color=RED, label="$q(z|x)$")
    ax.plot(z, np.exp(standard.log_prob(z)), color=GREY, linestyle=":", label="$p(z)$")
    ax.set(title=f"x = {X[i].astype(int)}: log p = {log_p[i]:.2f}, ELBO = {bound[i]:.2f}", xlabel="$z$")
    ax.title.set_fontsize(9)
axes[0].legend(frameon=False, fontsize=8)
plt.tight_layout()
plt.show()

# %% [markdown]
# The encoder is untrained, so the gap is wide. Watch it close.
#
# **Puzzle (S4:418-421).** "The log-likelihood is constant, as it does not depend on any parameter." The consequence
# drawn there: the higher the ELBO, the closer $q$ is to the posterior. That holds for the encoder's $\varphi$. Take
# one step uphill in the decoder's $\theta$ *alone*.
#
# **Before you run the next cell**: the ELBO rises. What do $\log p(x)$ and the KL do?

# %%
def mean_elbo(model):
    """Mean ELBO over the 16 pictures, a Tensor, by Gauss-Hermite with 40 nodes."""
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    mu, log_sigma = model.encode(X)
    logits = model.decoder(ad.reshape(mu + ad.exp(log_sigma) * node, (-1, 1)))
    per_node = ad.reshape(ad.bernoulli_logits(logits, np.repeat(X, 40, axis=0)), (16, 40))
    return ad.mean(per_node @ (weight / np.sqrt(2 * np.pi)) - ad.gaussian_kl(mu, log_sigma))

def gradient_of_elbo(model):
    """{name: gradient of the mean ELBO}."""
    mean_elbo(model).backward()
    return {name: p.grad.copy() for name, p in model.named_parameters()}

def moved(model, direction, h):
    """A copy of the model with every parameter p moved to p + h * direction[name]; names that are missing stay."""
    model = copy.deepcopy(model)
    for name, p in model.named_parameters():
        p.data[...] += h * direction.get(name, 0.0)
    return model

def part(gradient, which):
    return {name: g for name, g in gradient.items() if name.startswith(which)}

def ascend(model, which, steps=400, rate=0.1):
    """(model after gradient ascent of the ELBO in one half alone, (step, ELBO, log p) every tenth step)."""
    path = []
    for step in range(steps):
        if step % 10 == 0:
            path.append((step, mean_elbo(model).item(), evidence(model).mean()))
        model = moved(model, part(gradient_of_elbo(model), which), rate)
    return model, np.array(path)

encoder_moved, encoder_path = ascend(toy, "encoder")
decoder_moved, decoder_path = ascend(toy, "decoder")

after_mu, after_sigma = posteriors(decoder_moved)
kl_after = kl_to_posterior(decoder_moved, after_mu, after_sigma)
erratum("E30", printed=log_p.mean(), right=(elbo(decoder_moved, after_mu, after_sigma) + kl_after).mean(),
        truth=evidence(decoder_moved).mean(), tol=1e-6)

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
for ax, path, half in zip(axes, (encoder_path, decoder_path), (r"encoder ($\varphi$)", r"decoder ($\theta$)")):
    step, below, above = path.T
    ax.plot(step, above, color=BLUE, label=r"$\log p_\theta(x)$")
    ax.plot(step, below, color=RED, label="ELBO")
    ax.fill_between(step, below, above, color=GREY, alpha=0.15, label="KL")
    ax.set(title=f"only the {half} moves", xlabel="step")
axes[0].set_ylabel("nats, mean of 16 pictures")
axes[1].legend(frameon=False, fontsize=8)
plt.tight_layout()
plt.show()

# %% [markdown]
# On the left the printed sentence is true. On the right the ELBO climbs half a nat while the log-likelihood *falls*:
# the decoder bends towards a poor encoder. So the two readings of S4:420-421 need a condition each. With $\theta$
# fixed, a higher ELBO is a better posterior. With $q$ equal to the posterior, a higher ELBO is a better density. When
# both move, a higher ELBO promises only a higher floor.
#
# **Puzzle (S0:114).** "SGD can now compute both $\nabla_\theta$[VLB] and $\nabla_\theta$[VLB]." One of them is
# $\nabla_\varphi$. Move all parameters along one random direction: the slope needs both halves.

# %%
gradient = gradient_of_elbo(toy)
direction = {name: rng.normal(size=g.shape) for name, g in gradient.items()}

def slope(which):
    """<gradient, direction> over the parameters of one half."""
    return sum((part(gradient, which)[name] * direction[name]).sum() for name in part(gradient, which))

h = 1e-5
by_differences = (mean_elbo(moved(toy, direction, h)).item() - mean_elbo(moved(toy, direction, -h)).item()) / (2 * h)
erratum("A8", printed=slope("decoder") + slope("decoder"), right=slope("decoder") + slope("encoder"),
        truth=by_differences, tol=1e-7)

# %% [markdown]
# **Puzzle (S4:474-508).** "Minimize the negative ELBO: $\mathcal{L} = E_q \log p(x \mid z) - KL$." What is written
# there is the ELBO itself. Take a step of length $h$ downhill in it, and see how far the ELBO rises, per unit of $h$.
# It should be $|\nabla \mathcal{L}|^2$.

# %%
start, squared_norm = mean_elbo(toy).item(), sum((g**2).sum() for g in gradient.values())
h = 1e-7
erratum("E34", printed=(mean_elbo(moved(toy, gradient, -h)).item() - start) / h,
        right=(mean_elbo(moved(toy, gradient, h)).item() - start) / h, truth=squared_norm, tol=1e-4 * squared_norm)

# %% [markdown]
# The loss is $-\mathcal{L}$: it falls, $\mathcal{L}$ rises. (`VAE.loss` returns it with its two parts.)
#
# ## 3. Gradients through a sample
#
# $E_q r(z)$ depends on $\varphi$ through the density that we sample from. Write the sample as a function of noise
# that does not depend on $\varphi$, and the derivative moves inside (S1:214-220):
#
# $$z = \mu + \sigma\varepsilon,\ \varepsilon \sim N(0, 1): \qquad
# \nabla_\varphi E_{q_\varphi} r(z) = \nabla_\varphi E_\varepsilon\, r(\mu + \sigma\varepsilon)
# = E_\varepsilon \nabla_\varphi\, r(\mu + \sigma\varepsilon).$$
#
# Check it on the toy: 40 000 single draws of $\varepsilon$ through the tape, against differences of the exact ELBO,
# for the $\mu$ and $\log\sigma$ of every picture.

# %%
mu, sigma = posteriors()

def one_draw_gradients(n):
    """Gradients of n one-sample ELBOs of each picture: (n, 16, 2) with respect to (mu, log sigma)."""
    m = ad.Tensor(np.tile(mu, n)[:, None], requires_grad=True)
    s = ad.Tensor(np.tile(np.log(sigma), n)[:, None], requires_grad=True)
    z = toy.draw(m, s, rng)
    ad.sum(toy.log_conditional(np.tile(X, (n, 1)), z) - ad.gaussian_kl(m, s)).backward()
    return np.stack([m.grad, s.grad], axis=-1).reshape(n, 16, 2)

h = 1e-4
exact_gradient = np.stack([(elbo(toy, mu + h, sigma) - elbo(toy, mu - h, sigma)) / (2 * h),
                           (elbo(toy, mu, sigma * np.exp(h)) - elbo(toy, mu, sigma * np.exp(-h))) / (2 * h)], axis=-1)
draws = one_draw_gradients(40_000)
claim("reparameterised-gradient", r"E_\epsilon \nabla_\phi r(\mu + \sigma \epsilon) = \nabla_\phi E_q r(z)",
      source="S1:220", lhs=draws.mean(0), rhs=exact_gradient, standard_error=draws.std(0) / np.sqrt(len(draws)))

# %% [markdown]
# Four slips live around this one line.
#
# **Puzzles (S4:623, S4:526-527).** "$z \sim N(\mu, \sigma)$, equivalent to $z = \mu + \varepsilon\sigma$", and
# "$\sigma$, which corresponds to the covariance". Read the second argument as a variance, as one does, and compare
# the density of $z$ with the slope of the distribution function of $\mu + \sigma\varepsilon$, and its variance with
# the printed one.

# %%
m, s, at = 1.0, 2.0, np.array([-2.0, 1.0, 4.5])

def distribution_function(z):
    """P(m + s eps <= z) = P(eps <= (z - m) / s)."""
    return 0.5 * (1 + ad.erf((z - m) / (s * np.sqrt(2))))

h = 1e-4
erratum("E36", printed=np.exp(Normal(m, np.sqrt(s)).log_prob(at)), right=np.exp(Normal(m, s).log_prob(at)),
        truth=(distribution_function(at + h) - distribution_function(at - h)) / (2 * h), tol=1e-8)
erratum("E35", printed=s, right=s**2, truth=normal_expectation(lambda eps: (m + s * eps - m) ** 2).value, tol=1e-9)

# %% [markdown]
# The same line S4:526 has "$\mu_z, \sigma_z \sim q(Z \mid x)$". Nothing is drawn there: $(\mu, \sigma)$ is the value
# of a net, the same each time. Only $z$ is drawn.
#
# **Puzzle (S4:643-645).** "Sampling directly from $z$ leads to high-variance estimates, sampling from $\varepsilon$ to
# low-variance estimates. Why? Exercise for the interested reader." The interested reader tries it.
#
# **Before you run the next cell**: estimate $E z^2$ for $z \sim N(1, 2^2)$ from draws of $z$, and from draws of
# $\varepsilon$. What is the ratio of the variances?

# %%
direct, through_noise = rng.normal(m, s, 400_000), m + s * rng.standard_normal(400_000)
value_ratio = (direct**2).var() / (through_noise**2).var()
score = direct**2 * (direct - m) / s**2  # d/dm by REINFORCE: f(z) d log q / dm
pathwise = 2 * through_noise  # d/dm of (m + s eps)^2
print(f"variance of the value     {(direct**2).var():7.1f} from z   {(through_noise**2).var():7.1f} from eps")
print(f"variance of the gradient  {score.var():7.1f} score     {pathwise.var():7.1f} pathwise")
in_z = normal_expectation(lambda z: (z**2 - 5) ** 2, m, s).value
in_eps = normal_expectation(lambda eps: ((m + s * eps) ** 2 - 5) ** 2).value
erratum("E37", printed=score.var() / pathwise.var(), right=value_ratio, truth=in_z / in_eps, tol=0.05, clear=1,
        note="ratio of two variances")

# %% [markdown]
# The value estimates are equally good, for $z$ has one law however it is drawn. What differs are two estimators of
# the
# *gradient*: the score function's, which only knows values of $r$, and the pathwise one, which knows its slope.
#
# **Puzzle (S0:110).** "Convert $z$ to be continuous using reparameterization." Try it with a coin, $z = 1[u < p]$, and
# $r(z) = 3z$: the derivative of $E\,r = 3p$ is 3. Push the derivative inside the expectation over $u$.

# %%
p = 0.3

def r_of_coin(p, u):
    """r(z) = 3 z for z = 1[u < p]."""
    return 3.0 * ad.where(ad.value(u) < ad.value(p), 1.0, 0.0)

u = rng.random(10_000)
inside = [(r_of_coin(p + 1e-9, v) - r_of_coin(p - 1e-9, v)) / 2e-9 for v in u]
by_enumeration = 3.0 * 1 - 3.0 * 0  # d/dp [p r(1) + (1 - p) r(0)]
outside = (np.mean(r_of_coin(p + 0.1, np.arange(0.0005, 1, 0.001))) -
           np.mean(r_of_coin(p - 0.1, np.arange(0.0005, 1, 0.001)))) / 0.2
erratum("A7", printed=np.mean(inside), right=by_enumeration, truth=outside, tol=1e-9)

# %% [markdown]
# The derivative is zero wherever it exists; all of it sits in a jump that no draw ever hits. Reparameterisation needs
# a continuous $z$, it does not make one. (Relaxing the coin to a soft one does: the Gumbel-softmax of lecture 09.)
#
# **Puzzle (S1:316).** "It is crucial that the latent $z$ are Gaussian." Give picture 5 a Laplace posterior,
# $z = m + b\varepsilon$ with $\varepsilon$ of density $\frac12 e^{-|\varepsilon|}$, and differentiate the joint form
# of the ELBO in $b$ along paths. As printed, one would have to put a Gaussian of the same mean and variance in its
# place.

# %%
def r(z, q):
    """log p(x, z) - log q(z) of picture 5."""
    return log_joint_at(z)[:, 5] - q.log_prob(z)

def laplace_elbo(b, half=30.0):
    q = Laplace(0.4, b)
    sides = [quadrature_1d(lambda z: np.exp(q.log_prob(z)) * r(z, q), *ends, n=4000).value
             for ends in ((0.4 - half * b, 0.4), (0.4, 0.4 + half * b))]
    return sum(sides)

def pathwise_in_scale(noise, with_scale, low, high, h=1e-5):
    """E_eps d/db r(0.4 + b eps; b) at b = 0.5 by quadrature over eps in two halves; noise: the law of eps."""
    def slope(eps):
        up, down = with_scale(0.5 + h), with_scale(0.5 - h)
        return np.exp(noise.log_prob(eps)) * (r(0.4 + (0.5 + h) * eps, up) - r(0.4 + (0.5 - h) * eps, down)) / (2 * h)
    return quadrature_1d(slope, low, 0, n=4000).value + quadrature_1d(slope, 0, high, n=4000).value

erratum("B9", printed=pathwise_in_scale(Normal(0.0, np.sqrt(2)), lambda b: Normal(0.4, b * np.sqrt(2)), -20, 20),
        right=pathwise_in_scale(Laplace(0.0, 1.0), lambda b: Laplace(0.4, b), -30, 30),
        truth=(laplace_elbo(0.5 + 1e-4) - laplace_elbo(0.5 - 1e-4)) / 2e-4, tol=1e-6)

# %% [markdown]
# Crucial is that $z$ is a smooth function of noise with a fixed law (Gaussian, Laplace, logistic, a flow), or that it
# can be enumerated.
#
# ## 4. Importance sampling: between the bound and the truth
#
# The encoder's draws can do more than bound. Weigh each by $w_k = p(x, z_k) / q(z_k \mid x)$. The mean weight is
# *unbiased* for $p(x)$. Its logarithm is therefore biased low, but less than the ELBO, which is the case $K = 1$:
#
# $$\mathcal{L}(x) = E \log w_1 \;\leq\; E \log \frac1K \sum_k w_k \;\leq\; \log p(x).$$

# %%
K = 100_000
estimate = encoder_moved.log_likelihood(X, rng, n_samples=K)
claim("importance-sampling-evidence", r"E \frac{1}{K} \sum_k p(x,z_k)/q(z_k|x) = p(x)", source="S1:384",
      lhs=np.exp(estimate.value), rhs=np.exp(log_p), standard_error=np.exp(log_p) * estimate.standard_error)

mean_log, its_error = {}, {}
for K in (1, 3, 10, 30):
    many = encoder_moved.log_likelihood(np.repeat(X, 2000, axis=0), rng, n_samples=K).value.reshape(16, 2000)
    mean_log[K], its_error[K] = many.mean(1), many.std(1) / np.sqrt(2000)
bound = elbo(encoder_moved, *posteriors(encoder_moved))
claim("importance-sampling-above-elbo", r"E \log \frac{1}{K} \sum_k p(x,z_k)/q(z_k|x) \geq \mathcal{L}(x)",
      source="S1:384", lhs=mean_log[3].mean(), rhs=bound.mean(), kind="at_least",
      standard_error=np.sqrt((its_error[3] ** 2).sum()) / 16)

fig, ax = plt.subplots(figsize=(5.5, 2.8))
ax.plot(list(mean_log), [v.mean() for v in mean_log.values()], "o-", color=BLUE, label=r"$E \log \frac{1}{K}\sum w_k$")
ax.axhline(log_p.mean(), color=GREEN, label=r"$\log p(x)$, exact")
ax.axhline(bound.mean(), color=RED, linestyle="--", label="ELBO, exact")
ax.set(xscale="log", xlabel="$K$", ylabel="nats, mean of 16 pictures")
ax.legend(frameon=False, fontsize=8, loc="center right")
plt.show()

# %% [markdown]
# We used the encoder that was trained above. What if we ask the untrained one?
#
# **Before you run the next cell**: the estimate is unbiased for *any* $q$. Will it be good, and will its standard error
# tell you?

# %%
untrained = toy.log_likelihood(X, rng, n_samples=1000)
print("untrained encoder:", untrained)
print("  trained encoder:", encoder_moved.log_likelihood(X, rng, n_samples=1000))
print(f"            truth: {log_p.mean():.4f}")
narrowest = [posteriors(model)[1].min() for model in (toy, encoder_moved)]
print("smallest sigma of q: untrained {:.2f}, trained {:.2f}".format(*narrowest))

# %% [markdown]
# Off by many of its own standard errors. Far out the weights grow like $p(z)/q(z)$, and their second moment $\int
# p(z)^2 / q(z)\,dz$ is infinite once $\sigma^2 < \frac12$. Then the rare huge weight that carries the mean does not
# occur, and the spread of the weights that do occur knows nothing of it. An importance-sampled likelihood errs on the
# low side, and a good encoder is what makes it honest.

# %% [markdown]
# ## 5. Digits
#
# 1500 training digits of 8 x 8 pixels, ink or no ink. Two latent numbers, so that the latent space can be drawn.

# %%
digits = data.load("digits")
train, test = (data.binarise(x, digits.levels, threshold=0.5).reshape(len(x), -1) for x in (digits.train, digits.test))

def trained(n_latent, epochs, *, lr=3e-3, **options):
    """A VAE fitted to the digits, and its history."""
    model = VAE(64, n_latent, rng=np.random.default_rng(1), **{"hidden": (64,), "activation": "tanh"} | options)
    history = fit(model, train, valid=test, optimizer=optim.Adam(model.parameters(), lr=lr), epochs=epochs,
                  batch_size=50, rng=np.random.default_rng(2), progress=False)
    return model, history

flat, flat_history = trained(2, 60)
deep, deep_history = trained(8, 60)

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8))
for ax, history, title in zip(axes, (flat_history, deep_history), ("2 latent numbers", "8 latent numbers")):
    ax.plot(history.curve("train"), color=BLUE, label="-ELBO, training")
    ax.plot(history.curve("valid"), color=RED, label="-ELBO, test")
    ax.plot(history.curve("valid", "reconstruction"), color=GREY, label="reconstruction, test")
    ax.plot(history.curve("valid", "kl"), color=GREEN, label="KL, test")
    ax.set(title=title, xlabel="epoch", ylim=(0, 40))
axes[0].set_ylabel("nats per digit")
axes[0].legend(frameon=False, fontsize=8)
plt.tight_layout()
plt.show()

# %% [markdown]
# Where does the encoder put the digits? It has never seen a label.

# %%
def picture(ax, images, columns, title=None):
    """Images (n, 64) of numbers in [0, 1], ink dark, row by row with a gap between them."""
    rows = -(-len(images) // columns)
    canvas = np.zeros((rows * 9 - 1, columns * 9 - 1))
    for k, image in enumerate(images):
        top, left = k // columns * 9, k % columns * 9
        canvas[top:top + 8, left:left + 8] = image.reshape(8, 8)
    ax.imshow(np.round(15 * (1 - canvas)), cmap="gray", vmin=0, vmax=15, interpolation="nearest")
    ax.axis("off")
    if title:
        ax.set_title(title, fontsize=9)

with ad.no_grad():
    means = ad.value(flat.encode(test)[0])
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), gridspec_kw={"width_ratios": [1.15, 1]})
points = left.scatter(*means.T, c=digits.test_labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
fig.colorbar(points, ax=left, ticks=range(10), label="digit")
left.set(xlabel="$z_1$", ylabel="$z_2$", title=r"$\mu(x)$ of the test digits", aspect="equal")
side = np.linspace(-2.2, 2.2, 14)
z1, z2 = np.meshgrid(side, side[::-1])
picture(right, flat.decode(np.stack([z1.ravel(), z2.ravel()], -1).astype(np.float32)), 14)
right.set_title(r"$E[x \mid z]$ for $z_1, z_2$ from $-2.2$ to $2.2$")
plt.tight_layout()
plt.show()

# %% [markdown]
# Reconstruction, and pictures from nothing. `sample` draws pixels; `decode` shows their probabilities, which look
# smoother than anything the model would ever draw. Showing means as if they were samples is a common way to flatter a
# VAE.

# %%
fig, axes = plt.subplots(2, 2, figsize=(9.5, 5.4))
some = test[:20]
decoded = deep.reconstruct(some)
picture(axes[0, 0], np.concatenate([some[:10], decoded[:10], some[10:], decoded[10:]]), 10,
        "test digits, each above its reconstruction")
imagined = deep.decode(rng.standard_normal((40, 8)).astype(np.float32))
picture(axes[0, 1], imagined, 10, "means $E[x|z]$, $z$ from the prior")
picture(axes[1, 0], test[20:60], 10, "test digits")
picture(axes[1, 1], deep.sample(40, rng), 10, "samples of the model")
plt.tight_layout()
plt.show()

# %% [markdown]
# Which net? A convolution knows that pixels have neighbours. On pictures as small as these that is worth little; the
# class takes `net="conv"` all the same, and the numbers can be compared because each says what it is. A Gaussian
# decoder for grey values is `likelihood="gaussian"`; its numbers are densities and must not be compared with these.

# %%
convolutional, _ = trained(8, 6, net="conv", activation="relu")
for name, model in (("2 latent, mlp", flat), ("8 latent, mlp", deep), ("8 latent, conv, 6 epochs", convolutional)):
    print(f"{name:25s} {model.bound(test, rng, 20)}")
    print(f"{'':25s} {model.log_likelihood(test, rng, 200)}")

# %% [markdown]
# ### Who recognises?
#
# **Puzzle (S4:464).** "Decoder or generator network, because it *recognizes* the input given the latent variable."
# Recognition is the way from $x$ to $z$. With one number each, both nets have the right shapes, so the slip runs:
# $x = 2z + \varepsilon$, sd $\frac12$. Optimal encoder: $\mu(x) = 2x / (4 + \frac14)$. Which of the two nets answers
# what $z$ was?

# %%
x_observed = np.array([-3.0, 0.5, 2.0])

def z_times_joint(z):
    joint = np.exp(standard.log_prob(z)[:, None] + Normal(2 * z[:, None], 0.5).log_prob(x_observed))
    return np.stack([joint, z[:, None] * joint], axis=-1)

mass_and_moment = quadrature_1d(z_times_joint, -12, 12, n=4000).value
erratum("E33", printed=2 * x_observed, right=2 * x_observed / 4.25,
        truth=mass_and_moment[:, 1] / mass_and_moment[:, 0], tol=1e-9)

# %% [markdown]
# **Puzzle (S4:451-453).** The slide sets the ELBO of weights, $E_{q(\theta)} \log p(x \mid \theta) - KL(q(\theta) \|
# p)$, *equal* to that of a VAE, $E_{q(z|x)} \log p_\theta(x \mid z) - KL(q(z \mid x) \| p)$. Give both the same
# likelihood, $x_n \sim N(\cdot, 1)$, the same prior $N(0, 1)$, and the best $q$ there is. One $\theta$ for all data,
# or one $z$ each?

# %%
x_four = np.array([1.2, 0.7, 1.9, 1.4])

def best_elbo(x):
    """ELBO of z ~ N(0,1), x ~ N(z, 1) for all the x together, at the exact posterior: by Gauss-Hermite."""
    mean, sd = x.sum() / (len(x) + 1), (len(x) + 1) ** -0.5
    q = Normal(mean, sd)
    return normal_expectation(
        lambda z: Normal(z[:, None], 1.0).log_prob(x).sum(-1) + standard.log_prob(z) - q.log_prob(z), mean, sd).value

erratum("E32", printed=best_elbo(x_four), right=sum(best_elbo(x_four[i:i + 1]) for i in range(4)),
        truth=Normal(0.0, np.sqrt(2)).log_prob(x_four).sum(), tol=1e-9)

# %% [markdown]
# It is a new model, not a new notation: in a VAE the weights are no longer latent, and every datum has a latent of
# its own.
#
# ## 6. What amortisation costs
#
# The bound was introduced with parameters $\varphi^i$ for each datum. The VAE has one function $f_\lambda$ that
# answers for all (S1:268). Regression on $x^i \mapsto \varphi^{i*}$ is faster by orders of magnitude, and it gives
# something up:
#
# $$\sum_i \max_{\varphi^i} \mathcal{L}(x^i; \theta, \varphi^i) \;-\; \max_\lambda \sum_i \mathcal{L}(x^i; \theta,
# f_\lambda(x^i)) \;\geq\; 0 \qquad \text{(amortisation gap)}.$$
#
# Freeze the decoder of `flat`, take 60 digits, and train encoders of several widths on just these. With two latent
# numbers the ELBO is a sum over Gauss-Hermite nodes: no sampling noise, so the gap can be measured.

# %%
few = train[:60].astype(np.float64)
decoder = copy.deepcopy(flat.decoder).astype(np.float64)

def nodes(n):
    """Points (n^2, 2) and weights of E over N(0, I) in two dimensions."""
    node, weight = np.polynomial.hermite_e.hermegauss(n)
    return np.stack(np.meshgrid(node, node), -1).reshape(-1, 2), np.outer(weight, weight).ravel() / (2 * np.pi)

def elbos(mu, log_sigma, n):
    """ELBO of each of the 60 digits, (60,)."""
    eps, weight = nodes(n)
    z = ad.reshape(mu, (60, 1, 2)) + ad.exp(ad.reshape(log_sigma, (60, 1, 2))) * eps
    logits = decoder(ad.reshape(z, (-1, 2)))
    log_conditional = ad.reshape(ad.bernoulli_logits(logits, np.repeat(few, len(eps), axis=0)), (60, len(eps)))
    return log_conditional @ weight - ad.gaussian_kl(mu, log_sigma)

def climb(parameters, of, steps=150, rate=0.03):
    """Adam ascent of the mean of of(6), its rate falling to nothing; returns of(20) at the end. of(nodes): ELBOs."""
    optimiser = optim.Adam(parameters, lr=rate)
    for step in range(steps):
        optimiser.lr = rate * (1 - step / steps)
        (-ad.mean(of(6))).backward()
        optimiser.step()
    return ad.value(of(20))

# Moments of the exact posteriors on a grid, to start the per-datum optimum from.
side = np.linspace(-5, 5, 161)
grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
with ad.no_grad():
    logits = ad.value(decoder(grid))
log_joint = few @ logits.T - ad.softplus(logits).sum(-1) + standard.log_prob(grid).sum(-1)
log_few = ad.logsumexp(log_joint, axis=1) + 2 * np.log(side[1] - side[0])
posterior = ad.softmax(log_joint, axis=1)
centre = posterior @ grid
spread = np.sqrt(posterior @ grid**2 - centre**2)

mu_each, log_sigma_each = ad.Tensor(centre, requires_grad=True), ad.Tensor(np.log(spread), requires_grad=True)
best_each = climb([mu_each, log_sigma_each], lambda n: elbos(mu_each, log_sigma_each, n))

def with_encoder(width):
    """(ELBOs, (60,), mu and log sigma side by side, (60, 4)) of an encoder with so many hidden units."""
    encoder = nn.MLP([64, width, 4], rng=np.random.default_rng(5), activation="tanh", dtype=np.float64)
    reached = climb(encoder.parameters(), lambda n: elbos(encoder(few)[:, :2], encoder(few)[:, 2:], n))
    return reached, ad.value(encoder(few))

WIDTHS = (1, 2, 8, 32)
amortised, answers = zip(*map(with_encoder, WIDTHS))
gaps = [best_each - reached for reached in amortised]

fig, ax = plt.subplots(figsize=(5.5, 2.8))
ax.plot(WIDTHS, [g.mean() for g in gaps], "o-", color=RED, label="amortisation gap")
ax.axhline((log_few - best_each).mean(), color=GREY, linestyle="--", label="best normal $q$ for each")
ax.set(xscale="log", yscale="log", xlabel="hidden units of the encoder", ylabel="nats per digit")
ax.legend(frameon=False, fontsize=8)
plt.show()
for width, g in zip(WIDTHS, gaps):
    print(f"width {width:3d}: gap {g.mean():7.4f} nats per digit, smallest of a digit {g.min():8.5f}")

# %% [markdown]
# The dashed line is the other gap: what is lost because the posterior is not a normal with diagonal covariance. No
# encoder can close it. Both together are the KL of section 2, which gives a second route to the sum: the KL of each
# amortised $q$ to the posterior, on the grid.

# %%
def kl_on_grid(mu, log_sigma):
    """KL(q || p(z|x)) of each of the 60 digits by a sum over the grid."""
    log_q = Normal(mu[:, None], np.exp(log_sigma)[:, None]).log_prob(grid).sum(-1)
    weight = (side[1] - side[0]) ** 2
    return (np.exp(log_q) * (log_q - log_joint + log_few[:, None])).sum(1) * weight

kl_each = kl_on_grid(mu_each.numpy(), log_sigma_each.numpy())
kl_widest = kl_on_grid(answers[-1][:, :2], answers[-1][:, 2:])
mean_gaps = np.array([g.mean() for g in gaps])

claim("amortisation-gap-nonnegative", r"\max_\phi \mathcal{L}(x; \phi) - \mathcal{L}(x; f_\lambda(x)) \geq 0",
      source="S1:275", lhs=best_each, rhs=np.max(amortised, axis=0), kind="at_least", tol=1e-3)
claim("amortisation-gap-falls", r"\text{gap of a wide encoder} < \text{gap of a narrow one}", source="S1:268",
      lhs=mean_gaps[1:], rhs=0.8 * mean_gaps[:-1], kind="at_most")
claim("amortisation-gap-is-a-difference-of-kl",
      r"\mathcal{L}(x; \phi^*) - \mathcal{L}(x; f(x)) = KL(q_f \| p(z|x)) - KL(q_{\phi^*} \| p(z|x))", source="S1:275",
      lhs=mean_gaps[-1], rhs=(kl_widest - kl_each).mean(), tol=1e-5)

# %% [markdown]
# **Puzzle (S1:275).** The slide on amortised inference repeats the bound $\max_\theta \ell \geq \max_{\theta,\varphi}
# \sum_i \mathcal{L}$ with one shared $\varphi$, as if nothing had changed. Compare the two right-hand sides for an
# encoder with two hidden units.

# %%
erratum("B12", printed=amortised[1].sum(), right=amortised[1].sum() + gaps[1].sum(),
        truth=(log_few - kl_each).sum(), tol=0.01)

# %% [markdown]
# ## 7. A VAE that is exact
#
# Let decoder and encoder be linear: $p(x \mid z) = N(Wz + b, \sigma^2 I)$, $q(z \mid x) = N(V(x - b), \mathrm{diag}\,
# s^2)$. The posterior of a linear-Gaussian model *is* a normal whose mean is linear in $x$ and whose covariance
# $\sigma^2 M^{-1}$, $M = W^T W + \sigma^2 I$, is the same for all $x$. Only "diagonal" is missing, and a rotation of
# $z$ makes $M$ diagonal. So the bound is tight at the best $W$, and the best ELBO must equal the best log-likelihood
# of probabilistic PCA, which has a closed form in the eigenvalues of the sample covariance (Tipping and Bishop 1999):
#
# $$\sigma^2 = \frac{1}{D - d} \sum_{j > d} \lambda_j, \qquad
# \frac1N \log p = -\frac12\Bigl[D \log 2\pi + \sum_{j \leq d} \log \lambda_j + (D - d) \log \sigma^2 + D\Bigr].$$
#
# **Before you run the next cell**: the ELBO has the encoder's $V$ and $s$ to learn besides. Will 3000 steps of
# Adam find the pPCA likelihood to one digit, or to six?

# %%
centre_pixels = digits.train[:, 2:6, 3:5].reshape(1500, -1) / 4.0  # eight pixels in the middle
centred = centre_pixels - centre_pixels.mean(0)
S, D, n_latent = centred.T @ centred / 1500, 8, 2
eigenvalues = np.linalg.eigvalsh(S)[::-1]
discarded = eigenvalues[n_latent:].mean()
ppca = -0.5 * (D * LOG_2PI + np.log(eigenvalues[:n_latent]).sum() + (D - n_latent) * np.log(discarded) + D)

linear = {"W": 0.1 * rng.normal(size=(D, n_latent)), "V": 0.1 * rng.normal(size=(n_latent, D)),
          "log_noise": np.zeros(1), "log_s": np.zeros(n_latent)}
linear = {name: ad.Tensor(array, requires_grad=True) for name, array in linear.items()}

def linear_elbo(W, V, log_noise, log_s):
    """Mean ELBO of the linear VAE, both expectations in closed form: everything enters through S."""
    residual = np.eye(D) - W @ V
    spread = ad.sum(W**2, axis=0) @ ad.exp(2 * log_s)  # E of |W s eps|^2
    squared = ad.trace(residual @ S @ ad.transpose(residual)) + spread
    reconstruction = -0.5 * D * LOG_2PI - D * log_noise - 0.5 * squared * ad.exp(-2 * log_noise)
    kl = ad.sum(0.5 * ad.exp(2 * log_s) - 0.5 - log_s) + 0.5 * ad.trace(V @ S @ ad.transpose(V))
    return ad.sum(reconstruction - kl)

path, adam = [], optim.Adam(list(linear.values()), lr=0.03)
for step in range(3000):
    adam.lr = 0.03 * (1 - step / 3000)
    loss = -linear_elbo(**linear)
    loss.backward()
    adam.step()
    path.append(loss.item() + ppca)

claim("linear-vae-reaches-ppca", r"\max \mathcal{L} \text{ of a linear VAE} = \max \log p \text{ of pPCA}",
      source="S2:273", lhs=linear_elbo(**linear).item(), rhs=ppca, tol=1e-6)
learned = linear["W"].numpy()
C = learned @ learned.T + np.exp(2 * linear["log_noise"].item()) * np.eye(D)
claim("linear-vae-is-tight", r"\mathcal{L} = -[D \log 2\pi + \log|C| + \mathrm{tr}\, C^{-1} S]/2", source="S2:274",
      lhs=linear_elbo(**linear).item(),
      rhs=-0.5 * (D * LOG_2PI + np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, S))), tol=1e-6)

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8))
axes[0].semilogy(path, color=BLUE)
axes[0].set(xlabel="step", ylabel="nats", title="best pPCA log-likelihood minus ELBO")
image = axes[1].imshow(learned.T @ learned, cmap="RdBu_r", vmin=-abs(learned.T @ learned).max(),
                       vmax=abs(learned.T @ learned).max())
axes[1].set(title="$W^T W$ has become diagonal", xticks=[0, 1], yticks=[0, 1])
fig.colorbar(image, ax=axes[1])
plt.tight_layout()
plt.show()

# %% [markdown]
# The diagonal $q$ did more than bound: among all rotations $WR$, which have one likelihood (puzzle B7), it chose the
# one that makes the posterior factorise. The axes of a VAE's latent space come from the shape of $q$, not from the
# data.
#
# ## 8. Moving in latent space
#
# **Interpolation**: decode the points of a line between two means. Each row goes from one test digit to another; for
# comparison, the last row fades the pixels.

# %%
def index_of(digit, k=0):
    return np.flatnonzero(digits.test_labels == digit)[k]

ends = [(index_of(0), index_of(6)), (index_of(3), index_of(8)), (index_of(4), index_of(9)), (index_of(1), index_of(7))]
rows = [np.concatenate([test[a:a + 1], deep.interpolate(test[a], test[b], 10), test[b:b + 1]]) for a, b in ends]
a, b = ends[-1]
t = np.linspace(0, 1, 12)[:, None]
fig, axes = plt.subplots(1, 2, figsize=(10, 2.9))
rows.append((1 - t) * test[a] + t * test[b])
picture(axes[0], np.concatenate(rows), 12, "along lines in latent space; last row: pixels")

def slant(images):
    """Slope of the ink: covariance of column with height over variance of height."""
    row, column = np.divmod(np.arange(64), 8)
    share = images / images.sum(-1, keepdims=True)
    up = (share @ row)[..., None] - row
    right = column - (share @ column)[..., None]
    return (share * up * right).sum(-1) / (share * up**2).sum(-1)

by_slant = np.argsort(slant(train))
direction = deep.attribute_vector(train[by_slant[-450:]], train[by_slant[:450]])
strengths = np.linspace(-2, 2, 9)
changed = deep.resynthesise(test[[index_of(d) for d in (0, 1, 4, 7, 9)]], direction, strengths)
picture(axes[1], changed.transpose(1, 0, 2).reshape(-1, 64), 9, "leaning left   ←   as it was   →   leaning right")
plt.tight_layout()
plt.show()
print("slant, mean over five digits:", slant(changed).mean(1).round(2))

# %% [markdown]
# **Resynthesis** (S4:732-744): the mean code of data that have an attribute minus the mean code of data that lack it is
# a direction. Added to the code of any picture, it changes that attribute and, in part, leaves the rest as it is. On
# faces the attribute was a smile; on ours it is the slant of the writing.
#
# **Latent arithmetic** is the same with class means: code of a 9, minus the mean code of nines, plus that of fours.

# %%
with ad.no_grad():
    codes = ad.value(deep.encode(train)[0])
of_class = np.stack([codes[digits.train_labels == k].mean(0) for k in range(10)])
nines = test[digits.test_labels == 9][:10]
with ad.no_grad():
    moved_codes = ad.value(deep.encode(nines)[0]) - of_class[9] + of_class[4]
fig, ax = plt.subplots(figsize=(6, 1.6))
picture(ax, np.concatenate([nines, deep.decode(moved_codes)]), 10, "nines, and the same: minus nine, plus four")
plt.show()

# %% [markdown]
# ## 9. Words
#
# A sentence or a molecule is a row of symbols (S4:715-754). Only the likelihood changes: a categorical distribution
# for each place. Sixty-seven words of five letters, each letter one-hot among 26, are a toy, but they interpolate as
# Bowman et al. (2015) do with sentences.

# %%
WORDS = sorted("""horse mouse moose goose house louse noise nurse purse curse worse verse terse tense sense dense geese
whale shale shape shade shave share spare scare stare store stone atone alone clone close chose those whose prose
arose erase brave grave crave crane brain train trail trial tiger timer tower power poker joker maker baker bakes
cakes lakes likes bikes hikes river rover lover liver giver fiver diver""".split())
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
one_hot = np.stack([(np.array(list(word))[:, None] == LETTERS).ravel() for word in WORDS]).astype(np.float32)

speller = VAE(5 * 26, 4, hidden=(64,), likelihood="categorical", n_classes=26, activation="tanh",
              rng=np.random.default_rng(6))
spelled = fit(speller, one_hot, optimizer=optim.Adam(speller.parameters(), lr=5e-3), epochs=300, batch_size=len(WORDS),
              rng=np.random.default_rng(7), progress=False)

def spell(probabilities):
    return ["".join(LETTERS[p.reshape(5, 26).argmax(-1)]) for p in probabilities]

print(len(WORDS), "words,", speller.bound(one_hot, rng, 20))
print("read and spelled right:", sum(a == b for a, b in zip(spell(speller.reconstruct(one_hot)), WORDS)))
for first, last in (("horse", "tower"), ("whale", "brain"), ("mouse", "river")):
    path = spell(speller.interpolate(one_hot[WORDS.index(first)], one_hot[WORDS.index(last)], 12))
    print(" ".join(word for k, word in enumerate(path) if k == 0 or word != path[k - 1]))
print("from the prior:", " ".join(spell(speller.decode(rng.standard_normal((12, 4)).astype(np.float32)))))

# %% [markdown]
# Some of the way stations are words that it was taught, some could be words, some could not. The places are
# independent given $z$, so a $z$ between two words mixes their letters. Decoders that read what they have written so
# far (autoregressive ones) repair this.
#
# ## 10. The bound is the length of a file
#
# S1:352 describes a VAE as Alice who sends Bob a message. Let us send it, with a real entropy coder. A symbol of
# probability $p$ takes $-\log_2 p$ bits. First plan: Alice draws $z \sim q(z \mid x)$, sends it at a cost of $-\log_2
# p(z)$, and then the pixels at $-\log_2 p(x \mid z)$. Since $z$ is a real number, cut the prior into $2^{10}$ buckets
# of equal mass: 10 bits for each of 8 latent numbers.
#
# That wastes something. Alice had a *choice* of $z$, and whoever has a choice can say something with it. So she lets
# other bits that she has to send anyway choose $z$: she *decodes* a $z$ from them with the distribution $q(z \mid
# x)$. Bob, once he has $x$, knows $q(z \mid x)$ too, and encodes $z$ to get those bits back (Hinton and van Camp
# 1993; Townsend et al. 2019). Per picture:
#
# $$E_q\bigl[\underbrace{-\log_2 p(x \mid z)}_{\text{pixels}} \underbrace{-\log_2 p(z)}_{\text{code}}
# \underbrace{+ \log_2 q(z \mid x)}_{\text{bits back}}\bigr] = -\mathcal{L}(x) / \log 2 .$$
#
# **Before you run the next cell**: 297 test digits of 64 pixels. Raw: 64 bits each. How long with bits back, and how
# long without?

# %%
coded = bits_back.encode(deep, test.astype(int), rng)
received, leftover = bits_back.decode(deep, coded)
claim("bits-back-round-trip", r"\mathrm{decode}(\mathrm{encode}(x)) = x", source="S1:352",
      lhs=received, rhs=test, tol=0)

ideal = deep.bound(test, rng, 200)
ideal_bits = -ideal.mean() / np.log(2)
# The coder draws one z for a picture: its length scatters about the bound as one-draw estimates do.
one_draw = np.stack([deep.log_likelihood(test, rng, 1).value for _ in range(50)]) / np.log(2)
scatter = np.sqrt(one_draw.var(0).sum()) / len(test)
bits_per_image = coded.added_bits / len(test)
claim("bits-back-length", r"\text{bits of bits-back} \leq -\mathcal{L} / \log 2 + \text{overhead}", source="S1:352",
      lhs=bits_per_image, rhs=ideal_bits, kind="at_most", tol=0.1, standard_error=scatter)
claim("bits-back-no-shorter", r"\text{bits of bits-back} \geq -\mathcal{L} / \log 2 - \text{chance}", source="S1:352",
      lhs=bits_per_image, rhs=ideal_bits, kind="at_least", standard_error=scatter)
print(f"{coded.added_bits} bits for {len(test)} digits; the bound promises {ideal_bits * len(test):.0f}")
print("the other data came back:", leftover.bits == coded.initial_bits)

# %% [markdown]
# Picture by picture, each with a message of its own, and on average beside simpler codes:

# %%
each = [bits_back.encode(deep, test[i:i + 1], rng).added_bits for i in range(len(test))]
ink_rate = train.mean(0).clip(1e-3, 1 - 1e-3)
without = -np.log2(np.where(test == 1, ink_rate, 1 - ink_rate)).sum(1).mean()
with ad.no_grad():
    kl_bits = ad.value(ad.gaussian_kl(*deep.encode(test))).mean() / np.log(2)
lengths = {"raw": 64.0, "each pixel\nits own p": without,
           "VAE, code\nin full": ideal_bits - kl_bits + bits_back.LATENT_BITS * deep.n_latent,
           "VAE,\nbits back": bits_per_image, "-ELBO / log 2": ideal_bits}

fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), gridspec_kw={"width_ratios": [1, 1.5]})
left.plot([10, 55], [10, 55], color=GREY, linewidth=1)
left.plot(-ideal.value / np.log(2), each, ".", color=BLUE, markersize=4)
left.set(xlabel="-ELBO / log 2", ylabel="bits of the message", title="each test digit")
right.bar(list(lengths), list(lengths.values()), color=[GREY, GREY, GREY, BLUE, GREEN], width=0.6)
for k, bits in enumerate(lengths.values()):
    right.text(k, bits + 1, f"{bits:.1f}", ha="center", fontsize=9)
right.set(ylabel="bits per digit", ylim=(0, 1.15 * max(lengths.values())), title="mean")
right.tick_params(axis="x", labelsize=8)
plt.tight_layout()
plt.show()

# %% [markdown]
# Without the bits that come back, a VAE would be a poor code: worse than no latent numbers at all. With them its
# length is the ELBO. This is what "nats" mean, and why a bound that is lower by one nat is a file that is longer by
# 1.44 bits a picture.
#
# ## What else is printed
#
# Slips that a reader gets past without an experiment: $z \sim p(z, B)$ and $x \sim q(x, \mathrm{DNN}(z))$ for
# $z \sim p(z; \beta)$ and $x \sim p_\theta(x \mid z)$ (S0:29-31); a bracket too many in $\log q_\varphi(z \mid x))$,
# $p(x, z, \theta)$ for $p(x, z; \theta)$ and $N(0, l)$ for $N(0, I)$ (S1:219, 277, 314, 324-334).
#
# ## Exercises
#
# `minigen exercise start 11 FOLDER` copies them.
#
# 1. `gaussian_kl`: the KL of a diagonal normal to the standard normal.
# 2. `reparameterised_elbo`: one-draw ELBOs from an encoder's answer, noise, and a decoder.
# 3. `importance_log_likelihood`: $\log \frac1K \sum_k w_k$ from log-weights that underflow.
#
# And by hand:
#
# * Train `flat` with the KL multiplied by 4. Look at the latent space, then at the code length by bits back. Which of
#   the two would you have preferred to be shown?
# * Section 4 fails once $\sigma^2 < \frac12$. Show that $E_q w^2 = \int p(x,z)^2/q(z \mid x)\,dz$ diverges there when
#   $p(x \mid z)$ has a positive limit as $|z| \to \infty$.
# * Give the coder 6 bits for each latent number in place of 10 (`bits_back.LATENT_BITS` and its tables). What does it
#   cost, and where does the cost come from?
# * A decoder that ignores $z$ reaches which ELBO? Compare with "each pixel its own p" above.
#
# ## References
#
# * D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014.
# * D. J. Rezende, S. Mohamed, D. Wierstra, "Stochastic backpropagation and approximate inference in deep generative
#   models", ICML 2014.
# * Y. Burda, R. Grosse, R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
# * C. Cremer, X. Li, D. Duvenaud, "Inference suboptimality in variational autoencoders", ICML 2018.
# * M. E. Tipping, C. M. Bishop, "Probabilistic principal component analysis", JRSS B 61, 1999.
# * J. Lucas, G. Tucker, R. Grosse, M. Norouzi, "Don't blame the ELBO! A linear VAE perspective on posterior collapse",
#   NeurIPS 2019.
# * G. Hinton, D. van Camp, "Keeping the neural networks simple by minimizing the description length of the weights",
#   COLT 1993.
# * J. Townsend, T. Bird, D. Barber, "Practical lossless compression with latent variables using bits back coding",
#   ICLR 2019.
# * J. Duda, "Asymmetric numeral systems", arXiv:0902.0271, 2009.
# * S. Bowman et al., "Generating sentences from a continuous space", CoNLL 2016.
