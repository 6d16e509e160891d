# %% [markdown]
# # Lecture 14. Change of variables: flows
#
# Take noise whose density you know, push it through an invertible map, and you know the density of what comes out. That
# is a *normalising flow*: a model with an exact likelihood and a sampler that takes one pass. All it asks for is a map
# whose inverse and whose Jacobian determinant are cheap.
#
# | this lecture | the question |
# |---|---|
# | 1, 2 | where does the determinant come from, and which way does it go? |
# | 3 | what does it cost to compose maps, and at which points are the determinants taken? |
# | 4 | how are flows fitted: forward and reverse KL, and what do they have in common? |
# | 5 | linear flows: what may training change in PLU and QR, and what not? |
# | 6 | the planar flow: a constraint, an inverse by root finding, and its gradient |
# | 7, 8 | fits: 2-D potentials by reverse KL, two moons by maximum likelihood |
#
# **Convention**, everywhere in this package: $f$ maps data $x$ to noise $z$ (`forward`), $g = f^{-1}$ maps noise to
# data (`inverse`), and each reports $\log|\det J|$ of the map that *it* applies.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen import data, nn, optim
from minigen.checks import (
    claim,
    erratum,
    log_quadrature_2d,
    normal_expectation,
    numeric_jacobian,
    numeric_log_det,
    quadrature_1d,
    quadrature_2d,
)
from minigen.distributions import DiagonalNormal, Mixture, Normal, Uniform
from minigen.flows import (
    POTENTIALS,
    Affine,
    Compose,
    FlowModel,
    Inverse,
    Planar,
    PLULinear,
    QRLinear,
    free_energy,
)
from minigen.flows.linear import plu
from minigen.flows.planar import ridge_root
from minigen.training import fit

BLUE, RED, GREEN, GREY = "#1b6ca8", "#d1495b", "#2e8b57", "#5a5a5a"  # data or target, model, another way, reference
rng = np.random.default_rng(14)
standard = Normal(0.0, 1.0)

# %% [markdown]
# ## 1. One dimension, by hand
#
# S4:774 begins with $y = 2x + 1$ for $x$ uniform on $(0, 1)$. Then $y$ lives on $(1, 3)$.
#
# **Before you run the next cell**: how high is the density of $y$? As high as that of $x$, which is 1, or less?

# %%
x = Uniform(0.0, 1.0).sample(rng, (20_000,))
fig, axes = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
for values, name, colour in ((x, "x, uniform on (0, 1)", BLUE), (2 * x + 1, "y = 2x + 1", RED)):
    axes.hist(values, bins=np.linspace(-0.25, 3.25, 71), density=True, color=colour, alpha=0.7, label=name)
axes.set(title="Stretched to twice the width, half as high", xlabel="value", ylabel="density")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Probability is conserved: what was in $(x, x + dx)$ is now in $(y, y + dy)$, so $p(y)\,dy = p(x)\,dx$ and
#
# $$p(y) = p(x)\,\left|\frac{dx}{dy}\right| = \frac{p(x)}{2}.$$
#
# For a model we read it from the data's side. With $z = f(x)$ and noise of density $p(z)$ (S2:22):
# $p(x) = p(f(x))\,|f'(x)|$. Let us not take that on trust. An increasing $f$ gives $P(X \le x) = P(Z \le f(x)) =
# \Phi(f(x))$, and a density is the slope of its distribution function. Neither determinant nor formula there: only
# differences.

# %%
def normal_cdf(z):
    return 0.5 * ad.erfc(-z / np.sqrt(2))

points, h = np.linspace(-1.5, 1.5, 7), 1e-4
slope_of_cdf = (normal_cdf(np.sinh(points + h)) - normal_cdf(np.sinh(points - h))) / (2 * h)
claim("change-of-variables-density", r"p(x) = p(f(x)) |\det J_f(x)|", source="S2:22",
      lhs=np.exp(standard.log_prob(np.sinh(points))) * np.cosh(points), rhs=slope_of_cdf, tol=1e-7,
      note="z = sinh x, against the slope of the distribution function")

# %% [markdown]
# Leave the derivative out, and what is left is no density at all.

# %%
mass = quadrature_1d(lambda x: np.exp(standard.log_prob(np.sinh(x))) * np.cosh(x), -6, 6).value
without = quadrature_1d(lambda x: np.exp(standard.log_prob(np.sinh(x))), -6, 6).value
print(f"mass with the determinant {mass:.6f}, without it {without:.6f}")
claim("change-of-variables-mass", r"\int p(f(x)) |\det J_f(x)| dx = 1", source="S2:22", lhs=mass, rhs=1.0, tol=1e-9)

# %% [markdown]
# **Puzzle.** S2 has $f$ from data to noise and $g$ back. S3:255 writes for a flow prior
# $\log p(z) = \log p(z^*) + \log|\det \partial z^*/\partial z|$ with $z^* = g(z)$: there $g$ is the map *to* the noise,
# and at S3:313 it is again the map from it. Each page is right by itself. Take the $g$ of S2 into the formula of
# S3:255, with $x = g(z) = 2z + 1$.
#
# Before you run the next cell: is the error a factor of 2, of 4, or something that depends on $x$?

# %%
def g(z):
    return 2 * z + 1

def f(x):
    return (x - 1) / 2

slope_of_cdf = (normal_cdf(f(points + h)) - normal_cdf(f(points - h))) / (2 * h)
erratum("D8", printed=standard.log_prob(g(points)) + np.log(2), right=standard.log_prob(f(points)) + np.log(0.5),
        truth=np.log(slope_of_cdf), tol=1e-6, note="log p(x) with the g of S2 in the formula of S3, and with f")

# %% [markdown]
# ## 2. Two dimensions: the determinant is an area
#
# Close up every smooth map is linear, and a linear map takes a small square to a parallelogram whose area is
# $|\det J|$ times as large. We bend the plane by $f(x) = (\sinh x_1,\; x_2 + x_1^2 / 2)$ and compare areas.

# %%
def bend(x):
    return np.stack([np.sinh(x[:, 0]), x[:, 1] + x[:, 0] ** 2 / 2], axis=1)

def unbend(z):
    first = np.arcsinh(z[:, 0])
    return np.stack([first, z[:, 1] - first**2 / 2], axis=1)

def lines(reach=1.6, step=0.4, n=60):
    """Straight lines of a grid, each (n, 2)."""
    t, fixed = np.linspace(-reach, reach, n), np.arange(-reach, reach + 1e-9, step)
    return [np.stack([np.full(n, c), t], 1) for c in fixed] + [np.stack([t, np.full(n, c)], 1) for c in fixed]

def show_grid(axes, maps, title, colour=GREY, **options):
    """The grid after the maps."""
    for line in lines(**options):
        for step in maps:
            line = step(line)
        axes.plot(*line.T, color=colour, lw=0.6)
    axes.set(title=title, aspect="equal", xlabel="first coordinate", ylabel="second coordinate")

corner, side = np.array([[1.0, -0.6]]), 0.2
square = corner + side * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.6), layout="constrained")
show_grid(left, [], "data x")
show_grid(right, [bend], "noise z = f(x)")
left.fill(*square.T, color=BLUE)
right.fill(*bend(square).T, color=RED)
plt.show()

# %%
def area(corners):
    """Of a polygon, by the shoelace formula."""
    x, y = (corners - corners[0]).T
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))

tiny = corner + 1e-5 * (square - corner)
claim("area-is-determinant", r"\mathrm{area}(f(S)) / \mathrm{area}(S) = |\det J_f|", source="S2:15",
      lhs=area(bend(tiny)) / area(tiny), rhs=np.cosh(1.0), tol=1e-5)

# %% [markdown]
# Going back, areas are divided by what they were multiplied with. The two log-determinants differ in sign *at
# corresponding points*: $J_g$ is taken at $f(x)$, not at $x$. The right side below is by hand ($J_f$ is triangular with
# diagonal $\cosh x_1, 1$), the left side knows only the inverse map and differences.

# %%
x = rng.normal(size=(6, 2))
claim("inverse-log-det", r"\log|\det J_g(f(x))| = -\log|\det J_f(x)|", source="S2:22",
      lhs=numeric_log_det(unbend, bend(x)), rhs=-np.log(np.cosh(x[:, 0])), tol=1e-7)

# %% [markdown]
# **Puzzle.** For the autoregressive flow $x_j = \sigma_j(x_{<j})\, z_j + \mu_j(x_{<j})$, S2:89 says: "we have an
# invertible transformation *from $p(z)$ to $p(x)$*". A flow transforms points, $z$ to $x$; densities also need the
# determinant, and it is not printed. Before you run the next cell: which is it, $\prod_j \sigma_j$ or
# $\prod_j 1/\sigma_j$? The truth here needs no flow: it is the chain rule of two Gaussian conditionals.

# %%
z = rng.normal(size=(5, 2))
sigma = np.stack([np.full(5, 0.5), np.exp(0.3 * 0.5 * z[:, 0])], axis=1)
x1 = 0.5 * z[:, 0]
x2 = sigma[:, 1] * z[:, 1] + x1**2
by_chain_rule = Normal(0.0, 0.5).log_prob(x1) + Normal(x1**2, np.exp(0.3 * x1)).log_prob(x2)
erratum("C13", printed=standard.log_prob(z).sum(1), right=standard.log_prob(z).sum(1) - np.log(sigma).sum(1),
        truth=by_chain_rule, tol=1e-12, note="log p(x) as log p(z), and with log prod 1/sigma")

# %% [markdown]
# ## 3. Composition
#
# Flows are stacked. For $f = f_2 \circ f_1$ the chain rule gives $J_f(x) = J_{f_2}(f_1(x))\,J_{f_1}(x)$, and the
# determinant of a product is the product of the determinants:
#
# $$\log|\det J_f(x)| = \log|\det J_{f_1}(x)| + \log|\det J_{f_2}(f_1(x))| .$$

# %%
A, x = np.array([[1.2, 0.5], [-0.3, 0.8]]), rng.normal(size=(6, 2))
moved = x @ A.T
claim("composition-log-det",
      r"\log|\det J_{f_2 \circ f_1}(x)| = \log|\det J_{f_1}(x)| + \log|\det J_{f_2}(f_1(x))|", source="S2:32",
      lhs=numeric_log_det(lambda x: bend(x @ A.T), x),
      rhs=np.log(1.2 * 0.8 + 0.3 * 0.5) + np.log(np.cosh(moved[:, 0])), tol=1e-7)

# %% [markdown]
# **Puzzle.** S2:32 prints $\sum_k \log|\det J_{f_k}|$ and says nothing of the point. Take $f_1 = \sinh$ and
# $f_2(y) = y^3 + y$ at $x = 1.3$. Before you run the next cell: are both derivatives taken at 1.3?

# %%
def cubic(y):
    return y**3 + y

at = 1.3
truth = np.log((cubic(np.sinh(at + h)) - cubic(np.sinh(at - h))) / (2 * h))
erratum("C3", printed=np.log(np.cosh(at)) + np.log(3 * at**2 + 1),
        right=np.log(np.cosh(at)) + np.log(3 * np.sinh(at) ** 2 + 1), truth=truth, tol=1e-6)

# %% [markdown]
# In code it cannot be forgotten if every map reports the determinant at the point where it *is*: `Compose` adds what
# its members say, one after the other.

# %%
print(FlowModel(Compose([Affine(2), PLULinear(2, rng=rng), Planar(2, rng=rng)])))

# %% [markdown]
# ## 4. Two divergences, one value
#
# *Forward KL*: data $x \sim \pi$ are given. $KL(\pi \| p_\theta) = -E_\pi \log p(x|\theta) - H(\pi)$ is maximum
# likelihood, and it needs $f$ and $\log|\det J_f|$. *Reverse KL*: an unnormalised target $\pi$ is given. We
# sample from the model, and need $g$ and $\log|\det J_g|$ (S2:40):
#
# $$KL(p \| \pi) = E_{p(z)}\left[\log p(z) - \log|\det J_g(z)| - \log \pi(g(z))\right].$$
#
# Both routes for $g = \sinh$ and $\pi = N(0, 4)$: quadrature over $x$ with the density of section 1, and
# an expectation over noise, in which no density of $x$ occurs.

# %%
target = Normal(0.0, 2.0)

def integrand(x):
    log_p = standard.log_prob(np.arcsinh(x)) - 0.5 * np.log1p(x**2)
    return np.exp(log_p) * (log_p - target.log_prob(x))

over_noise = normal_expectation(
    lambda z: standard.log_prob(z) - np.log(np.cosh(z)) - target.log_prob(np.sinh(z)), n=80).value
claim("reverse-kl-of-flow", r"KL(p \| \pi) = E_{p(z)}[\log p(z) - \log|\det J_g| - \log \pi(g(z))]", source="S2:40",
      lhs=quadrature_1d(integrand, -np.inf, np.inf).value, rhs=over_noise, tol=1e-8)

# %% [markdown]
# Now duality (S2:44). In data space, the model $p(x|\theta)$ should be like the data. In noise space, the *data pushed
# through $f$*, call their density $p(z|\theta)$, should be like the base.
#
# **Before you run the next cell**: the two have the same best $\theta$, says S2:44. Are their values equal too, or
# do they differ by a constant, such as the entropy of the data?
#
# Data: two Gaussians. Flow: $z = (x - m)/s$. The left side is quadrature over $x$; for the right side the pushed
# mixture is written down in closed form, means $(\mu_k - m)/s$ and widths $\sigma_k / s$, and compared with $N(0, 1)$.

# %%
means, widths, log_weights = np.array([-1.0, 1.5]), np.array([0.6, 0.4]), np.log(np.array([0.4, 0.6]))
pi = Mixture(log_weights, Normal(means, widths))

def kl(p, q):
    """KL(p || q) by quadrature."""
    return quadrature_1d(lambda t: np.exp(p.log_prob(t)) * (p.log_prob(t) - q.log_prob(t)), -12, 12).value

def in_data_space(m, s):
    return kl(pi, Normal(m, s))

def in_noise_space(m, s):
    return kl(Mixture(log_weights, Normal((means - m) / s, widths / s)), standard)

settings = [(0.0, 1.0), (0.5, 1.3), (-0.4, 2.0), (1.0, 0.8)]
left_side, right_side = (np.array([side(*s) for s in settings]) for side in (in_data_space, in_noise_space))
claim("kl-duality-value", r"KL(\pi(x) \| p(x|\theta)) = KL(p(z|\theta) \| p(z))", source="S2:44",
      lhs=left_side, rhs=right_side, tol=1e-8)

# %% [markdown]
# **Puzzle.** S2:44 prints $\arg\min = \arg\min$. That is true of every pair of functions that fall and rise together:
# minus the mean log-likelihood has this argmin too, and another value. S3:384 later needs the *values*.

# %%
cross_entropy = [quadrature_1d(lambda t, m=m, s=s: -np.exp(pi.log_prob(t)) * Normal(m, s).log_prob(t), -12, 12).value
                 for m, s in settings]
erratum("C10", printed=cross_entropy, right=right_side, truth=left_side, tol=1e-8,
        note="printed: another function with the same argmin")

# %%
scales = np.linspace(0.7, 2.4, 35)
fig, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
axes.plot(scales, [in_data_space(0.5, s) for s in scales], color=BLUE, lw=4, alpha=0.4, label="KL in data space")
axes.plot(scales, [in_noise_space(0.5, s) for s in scales], color=RED, ls="--", label="KL in noise space")
axes.plot(scales, [-quadrature_1d(lambda t, s=s: np.exp(pi.log_prob(t)) * Normal(0.5, s).log_prob(t), -12, 12).value
                   for s in scales], color=GREY, lw=1, label="mean of $-$log p: same argmin only")
axes.set(title="Duality holds in value", xlabel="scale s of the flow", ylabel="nats")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## 5. Linear flows
#
# $z = Wx$ has $J_f = W$: row $i$, column $j$ is $\partial z_i / \partial x_j$ (S2:15).
#
# **Puzzle.** S2:61 prints $J_f = W^T$. Before you run the next cell: would a test of the *density* notice?

# %%
W, x = rng.normal(size=(3, 3)), rng.normal(size=(2, 3))
erratum("C1", printed=W.T.copy(), right=W, truth=numeric_jacobian(lambda x: x @ W.T, x)[0], tol=1e-8)
print("but the determinants agree:", f"{np.linalg.det(W.T):.6f} {np.linalg.det(W):.6f}")

# %% [markdown]
# No density test can see it, because $\det W^T = \det W$. It bites where the Jacobian itself is used: in a
# composition, a `jvp`, or an inverse.
#
# A determinant of a free $W$ costs $O(d^3)$ at every step. So $W$ is kept in factors (S2:65-73). Gaussian
# elimination with row swaps gives $W = PLU$: $P$ a permutation, $L$ with ones on its diagonal, $U$ upper triangular.
# Gram and Schmidt give $W = QR$, $Q$ orthogonal. Either way $|\det W|$ is a product over one diagonal. We compare
# with the product of the singular values, which knows nothing of either.

# %%
matrices = [rng.normal(size=(5, 5)) for _ in range(4)]
volumes = [np.log(np.linalg.svd(M, compute_uv=False)).sum() for M in matrices]
print("signs of the determinants:", [int(np.sign(np.linalg.det(M))) for M in matrices])
claim("plu-log-det", r"\log|\det PLU| = \sum_i \log|u_{ii}|", source="S2:65",
      lhs=[np.log(np.abs(np.diagonal(plu(M)[2]))).sum() for M in matrices], rhs=volumes, tol=1e-10)

layers = [QRLinear(5, rng=rng, dtype=np.float64) for _ in range(4)]
for layer in layers:
    for parameter in layer.parameters():
        parameter.data += 0.5 * rng.standard_normal(parameter.shape)
with ad.no_grad():
    claim("qr-log-det", r"\log|\det QR| = \sum_i \log|r_{ii}|", source="S2:70",
          lhs=[layer.log_det().item() for layer in layers],
          rhs=[np.log(np.linalg.svd(layer.weight().numpy(), compute_uv=False)).sum() for layer in layers], tol=1e-10)
    Q = layers[0].orthogonal().numpy()
claim("householder-orthogonal", r"Q^T Q = I \text{ for a product of reflections}", source="S2:73",
      lhs=Q.T @ Q, rhs=np.eye(5), tol=1e-13)

# %% [markdown]
# The third claim is why $Q$ is a product of Householder reflections $H = I - 2vv^T/|v|^2$: *whatever* the vectors $v$
# are, $Q$ is orthogonal. That matters, because of what comes next.
#
# **Puzzle.** S2:73: "Decomposition should be done only once in the beginning. Next, we fit decomposed matrices (P/L/U
# or Q/R)." So let us fit them: factor a rotation, take one gradient step of maximum likelihood on *all entries* of the
# factors, and ask the diagonal for $\log|\det W|$. Do the same with the parameters of `PLULinear` and `QRLinear`.
#
# Before you run the next cell: which of the two read-outs, $\sum\log|u_{ii}|$ and $\sum\log|r_{ii}|$, survives?

# %%
x = rng.normal(size=(500, 3)) @ np.array([[1.0, 0, 0], [0.9, 0.5, 0], [-0.4, 0.8, 0.3]])
start, lr = np.linalg.qr(rng.normal(size=(3, 3)))[0], 0.1

def volume(W):
    return np.log(np.linalg.svd(W, compute_uv=False)).sum()

def after_a_free_step(factors):
    """(what the last factor's diagonal says) - (log|det W|), after a step on every entry of every factor."""
    def loss(factors):
        z = x
        for factor in reversed(factors):
            z = z @ ad.transpose(factor)
        return 0.5 * ad.sum(z * z) / len(x) - ad.sum(ad.log(ad.abs(ad.diagonal(factors[-1]))))
    stepped = [factor - lr * slope for factor, slope in zip(factors, ad.grad(loss)(factors))]
    return np.log(np.abs(np.diagonal(stepped[-1]))).sum() - volume(np.linalg.multi_dot(stepped))

def after_a_step(layer):
    """The same for a layer whose parameters cannot leave their class."""
    FlowModel(layer).loss(x, rng).total.backward()
    optim.SGD(layer.parameters(), lr=lr).step()
    with ad.no_grad():
        return layer.log_det().item() - volume(layer.weight().numpy())

Q, R = np.linalg.qr(start)
erratum("C2-plu", printed=after_a_free_step(list(plu(start))),
        right=after_a_step(PLULinear(3, rng=rng, dtype=np.float64)), truth=0.0, tol=1e-10, source="S2:73",
        note="diagonal minus log|det W| after one step: free entries, and fixed P with diag L = 1")
erratum("C2-qr", printed=after_a_free_step([Q, R]),
        right=after_a_step(QRLinear(3, rng=rng, dtype=np.float64)), truth=0.0, tol=1e-10, source="S2:73",
        note="the same for free Q and for reflections")

# %% [markdown]
# Neither does. After one step $P$ is no permutation, $L$ has no unit diagonal, $Q$ is not orthogonal, and the
# "likelihood" that training reports is no longer one. Worse, training will *find* that leak: it can shrink $W$ through
# $Q$, which pulls all data to the origin, and pay nothing for it. So $P$ stays fixed, $L$ keeps its ones, and $Q$ is
# made of reflections.
#
# How fast does it go wrong? Follow the free $Q$ for some steps.

# %%
drift, factors = [], [Q.copy(), R.copy()]
for _ in range(40):
    def loss(pair):
        z = x @ ad.transpose(pair[1]) @ ad.transpose(pair[0])
        return 0.5 * ad.sum(z * z) / len(x) - ad.sum(ad.log(ad.abs(ad.diagonal(pair[1]))))
    value, slopes = ad.value_and_grad(loss)(factors)
    factors = [factor - lr * slope for factor, slope in zip(factors, slopes)]
    z = x @ (factors[0] @ factors[1]).T
    true_loss = 0.5 * np.sum(z * z) / len(x) - volume(factors[0] @ factors[1])
    drift.append([loss(factors), true_loss])
covariance = x.T @ x / len(x)
best = 1.5 + 0.5 * np.linalg.slogdet(covariance)[1]
fig, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
axes.plot(np.array(drift)[:, 0], color=RED, label="reported, from the diagonal of R")
axes.plot(np.array(drift)[:, 1], color=BLUE, label="true loss of the same W")
axes.axhline(best, color=GREY, ls="--", lw=1, label="the best that any linear flow can do")
axes.set(title="A free Q: the reported loss falls below what is possible", xlabel="gradient step",
         ylabel="nats (up to a constant)", ylim=(-4, 8))
axes.legend(frameon=False, fontsize=8)
plt.show()
claim("free-q-beats-the-optimum", r"\text{reported loss} < \min_W \text{loss}", source="S2:73",
      lhs=drift[-1][0], rhs=best, kind="at_most", note="an impossible likelihood: how one sees that it is not one")

# %% [markdown]
# ## 6. The planar flow
#
# Add a ridge along one direction $w$ (Rezende and Mohamed 2015; S4:768 composes many):
#
# $$f(x) = x + u \tanh a, \qquad J = I + (1 - \tanh^2 a)\,u w^T, \qquad \det J = 1 + (1 - \tanh^2 a)\,w^T u,
#   \qquad a = w^T x + b .$$
#
# The last step is the matrix determinant lemma, $\det(I + u v^T) = 1 + v^T u$: a determinant of $d \times d$ for the
# price of an inner product.

# %%
ridge = Planar(4, rng=rng, dtype=np.float64)
ridge.u.data[...] = rng.normal(size=4)
x = rng.normal(size=(6, 4))
with ad.no_grad():
    claim("planar-log-det", r"\log|\det J| = \log|1 + h'(w^T z + b) u^T w|", source="S4:768",
          lhs=ridge.forward(x)[1], rhs=numeric_log_det(lambda x: ridge.forward(x)[0], x), tol=1e-8)

# %% [markdown]
# Along $w$, the coordinate $a = w^Tx + b$ goes to $a + w^Tu \tanh a$. If $w^Tu < -1$ this falls around $a = 0$: the
# plane is *folded*, and the formula for the determinant describes a map that has no inverse. So $u$ is replaced by
# $\hat u = u + (m - 1 - w^Tu)\,w / |w|^2$ with $m = \mathrm{softplus}(w^Tu) > 0$, which gives $w^T\hat u = m - 1$.

# %%
a = np.linspace(-3, 3, 200)
fig, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
for wu, colour, name in ((-2.5, RED, "w'u = -2.5: folded, three a for one s"),
                         (np.logaddexp(0, -2.5) - 1, BLUE, "constrained, w'u = softplus(-2.5) - 1"),
                         (2.0, GREEN, "w'u = 2")):
    axes.plot(a, a + wu * np.tanh(a), color=colour, label=name)
axes.set(title="The ridge along w", xlabel="$a = w^T x + b$", ylabel=r"$s = a + w^T u \, \tanh a$")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# **Before you run the next cell**: in several public implementations the denominator reads $|w|$ in place of $|w|^2$.
# For which $w$ does that break the constraint: for long ones, for short ones, or for both?

# %%
draws = [(rng.normal(size=2) * rng.uniform(0.1, 2), 1.5 * rng.normal(size=2)) for _ in range(2000)]
kept, slipped = [], []
for w, u in draws:
    layer = Planar(2, rng=rng, dtype=np.float64)
    layer.w.data[...], layer.u.data[...] = w, u
    with ad.no_grad():
        kept.append(w @ layer.constrained()[0].numpy())
    slipped.append(w @ u + (np.logaddexp(0, w @ u) - 1 - w @ u) * np.sqrt(w @ w))
claim("planar-constraint", r"w^T \hat u \geq -1", source="S4:768", lhs=kept, rhs=-1.0, kind="at_least")
claim("planar-slip-folds", r"\min w^T u_{\mathrm{slip}} < -1 \text{ with } |w| \text{ for } |w|^2",
      lhs=min(slipped), rhs=-1.0, kind="at_most")
lengths = np.array([np.sqrt(w @ w) for w, _ in draws])[np.array(slipped) < -1]
print(f"folded, of 2000: {np.sum(lengths < 1)} with |w| < 1 and {np.sum(lengths > 1)} with |w| > 1")

# %% [markdown]
# Both. The step along $w$ is too short by the factor $|w|$ where $|w| < 1$: a $w^Tu$ far below $-1$ is not brought
# back. Where $|w| > 1$ it is too long: a harmless $w^Tu > 0$ is thrown beyond $-1$. At $|w| = 1$ the slip does
# nothing, and networks begin with $|w|$ near 1: so it can stay unnoticed for years.
#
# ### The inverse
#
# Only one number has to be found. From $z = x + \hat u \tanh a$ follows $w^Tz + b = a + (m - 1) \tanh a$, one
# increasing equation in $a$; then $x = z - \hat u \tanh a$. Since $|\tanh| \le 1$ the root lies within $|m - 1|$ of $s
# = w^Tz + b$: that is a bracket to halve, and Newton's method inside it needs a handful of steps (read `_root` in
# `minigen/flows/planar.py`).

# %%
x = 3 * rng.normal(size=(500, 4))
with ad.no_grad():
    claim("planar-inverse", r"f^{-1}(f(z)) = z \text{ by root finding}", source="S4:768",
          lhs=ridge.inverse(ridge.forward(x)[0])[0], rhs=x, tol=1e-12)

# %% [markdown]
# ### Its gradient
#
# Must we differentiate through the iterations, and keep them all on the tape? No. At the root, $F(a, s, m) = a + (m -
# 1)\tanh a - s = 0$. Differentiate *that*: $F_a\,da + F_s\,ds + F_m\,dm = 0$, so $da/ds = 1/F_a$ and $da/dm = -\tanh a
# / F_a$. It does not matter how the root was found. The other side below differentiates by brute force: it solves
# again at shifted arguments, with a bisection of its own.

# %%
def bisect(s, m):
    low, high = s - np.abs(m - 1) - 1, s + np.abs(m - 1) + 1
    for _ in range(70):
        middle = (low + high) / 2
        below = middle + (m - 1) * np.tanh(middle) < s
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return middle

s, m, h = rng.normal(size=8), rng.uniform(0.2, 3.0, 8), 1e-4
by_differences = [bisect(s + h, m) - bisect(s - h, m), bisect(s, m + h) - bisect(s, m - h)] / np.array(2 * h)
implicit = ad.grad(lambda s, m: ad.sum(ridge_root(s, m)), argnums=(0, 1))(s, m)
claim("planar-implicit-gradient", r"d\alpha/d\theta = -(\partial F/\partial \alpha)^{-1} \partial F/\partial \theta",
      source="S4:768", lhs=np.stack(implicit), rhs=by_differences, tol=1e-6)

# %% [markdown]
# ## 7. Fitting potentials by reverse KL
#
# A target known up to its constant: $\pi(z) = e^{-U(z)} / Z$. The reverse KL of section 4 becomes the *free energy*
#
# $$\mathcal{F}(q) = E_q[\log q(z) + U(z)] = KL(q \| \pi) - \log Z \;\geq\; -\log Z,$$
#
# a bound on a number that we do not know (here we do, by quadrature). Twelve ridges and one diagonal map push noise
# to target. Sampling runs them in their cheap direction, hence `Inverse` below; $q$ at a *given* point needs the roots.
#
# **Before you run the next cell**: the first target, `ring`, has two arcs, each with half of the mass. The fit starts
# as a small blob between them. What will it do, and what will the gap $\mathcal{F} + \log Z$ be?

# %%
def fit_potential(name, seed, anneal, layers=12, steps=400):
    """(model, free energy of every step). anneal: begin with a flattened target, exp(-beta U) with beta from 0.05."""
    U, rng = POTENTIALS[name], np.random.default_rng(seed)
    model = FlowModel(Inverse(Compose([*(Planar(2, rng=rng) for _ in range(layers)), Affine(2)])))
    steps_of = optim.Adam(model.parameters(), lr=0.02)
    history = []
    for step in range(steps):
        beta = min(1.0, 0.05 + 2 * step / steps) if anneal else 1.0
        loss = free_energy(model, lambda z, beta=beta: beta * U(z), 128, rng)
        loss.backward()
        steps_of.step(0.5 * (1 + np.cos(np.pi * step / steps)), max_norm=10.0)
        history.append(loss.item())
    return model.astype(np.float64), np.array(history)

nn.use_kernels()
one_arc, first_history = fit_potential("ring", 0, anneal=False)

# %%
REACH = (-9.0, 9.0)
side = np.linspace(-4.5, 4.5, 90)
canvas = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

def log_z(name):
    return log_quadrature_2d(lambda z: -POTENTIALS[name](z), REACH, REACH, n=256).value

def gap(model, name, n=20_000):
    """(mean of log q + U + log Z over n samples, its standard error): KL(q || pi)."""
    with ad.no_grad():
        z, log_q = model.rsample(n, np.random.default_rng(1))
        terms = ad.value(log_q) + ad.value(POTENTIALS[name](z)) + log_z(name)
    return terms.mean(), terms.std() / np.sqrt(n)

def heat(axes, log_density, title):
    """Six steps of density."""
    density = np.exp(log_density).reshape(90, 90)
    axes.contourf(side, side, density, levels=density.max() * np.linspace(0, 1, 7), cmap="magma")
    axes.set(title=title, xticks=[-3, 0, 3], yticks=[-3, 0, 3], aspect="equal")

def log_q(model):
    with ad.no_grad():
        return ad.value(model.log_prob(canvas))

fig, (left, right) = plt.subplots(1, 2, figsize=(6.0, 3.1), layout="constrained")
heat(left, -POTENTIALS["ring"](canvas) - log_z("ring"), r"target $\pi$")
heat(right, log_q(one_arc), "fitted q")
plt.show()
print(f"KL(q || pi) = {gap(one_arc, 'ring')[0]:.3f} nats, log 2 = {np.log(2):.3f}")

# %% [markdown]
# One arc, and the price of losing the other is $\log 2$, plus a little. Reverse KL punishes $q$ where $\pi$ is small
# and says nothing where $q$ is small: it *seeks a mode* (lecture 02). Nothing in the loss curve shows what was lost.
#
# The usual remedy is annealing: begin with $e^{-\beta U}$, $\beta$ near 0, where the valley between the arcs is
# shallow, and raise $\beta$ to 1.

# %%
fits = {name: fit_potential(name, seed, anneal) for name, seed, anneal in
        (("ring", 0, True), ("wave", 0, False), ("step", 0, True))}
fig, rows = plt.subplots(2, 3, figsize=(6.0, 4.2), layout="constrained")
for (name, (model, _)), (top, bottom) in zip(fits.items(), rows.T):
    heat(top, -POTENTIALS[name](canvas) - log_z(name), f"{name}: target")
    heat(bottom, log_q(model), f"KL = {gap(model, name)[0]:.2f} nats")
plt.show()

# %%
models = [("ring", one_arc), *((name, model) for name, (model, _) in fits.items())]
gaps, errors = np.array([gap(model, name) for name, model in models]).T
logs = np.array([log_z(name) for name, _ in models])
claim("potential-fit-bound", r"E_q[\log q(z) + U(z)] \geq -\log Z", source="S2:40",
      lhs=gaps - logs, rhs=-logs, kind="at_least", standard_error=errors)

# %% [markdown]
# The gap is a KL, so it can also be had by quadrature over the plane, with the density that root finding gives. And the
# density integrates to one: twelve ridges neither lost nor made probability.

# %%
ring, history = fits["ring"]

def density(z):
    with ad.no_grad():
        return np.exp(ad.value(ring.log_prob(z)))

def kl_integrand(z):
    q = density(z)
    return np.where(q > 0, q * (np.log(np.maximum(q, 1e-300)) + POTENTIALS["ring"](z) + log_ring), 0.0)

log_ring = log_z("ring")
claim("planar-flow-mass", r"\int q_K(z) dz = 1 \text{ in two dimensions}", source="S4:768",
      lhs=quadrature_2d(density, REACH, REACH, n=200).value, rhs=1.0, tol=1e-5)
claim("free-energy-gap", r"E_q[\log q + U] + \log Z = KL(q \| \pi)", source="S2:40", lhs=gaps[1],
      rhs=quadrature_2d(kl_integrand, REACH, REACH, n=200).value, standard_error=errors[1])

# %%
def smooth(curve, width=25):
    return np.convolve(curve, np.ones(width) / width, mode="valid")

fig, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
axes.plot(smooth(first_history), color=RED, label="ring, from a blob")
axes.plot(smooth(history), color=GREEN, label="ring, annealed (its early loss is that of another target)")
axes.axhline(-log_ring, color=GREY, ls="--", lw=1, label="$-\\log Z$")
axes.set(title="Free energy", xlabel="gradient step", ylabel="nats", ylim=(-log_ring - 0.3, 1.0))
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# What do the ridges do to the plane? A grid and some points of noise on their way to the ring, every fourth map. Where
# the lines crowd, density is high; the lines that cross the gap between the arcs carry hardly any points.

# %%
ridges = ring.flow.flow.flows

def pushed(layers):
    def run(z):
        with ad.no_grad():
            for layer in layers:
                z = ad.value(layer.forward(z)[0])
        return z
    return run

cloud = np.random.default_rng(6).standard_normal((250, 2))
fig, panels = plt.subplots(1, 4, figsize=(9.0, 2.7), layout="constrained")
for axes, count in zip(panels, (0, 4, 8, 13)):
    show_grid(axes, [pushed(ridges[:count])], f"after {count}" if count else "noise", "0.7", reach=2.4, step=0.6)
    axes.scatter(*pushed(ridges[:count])(cloud).T, s=2, color=BLUE, zorder=3)
    axes.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="", ylabel="")
plt.show()

# %% [markdown]
# ## 8. Two moons by maximum likelihood
#
# Now data are given and no energy. Forward KL: the flow runs from data to noise, `loss` is the mean of $-\log p(x)$,
# and the ordinary training loop does the rest. Between the ridges we put linear maps in PLU form.

# %%
moons = data.TOYS["two-moons"](3000, np.random.default_rng(2)).astype(np.float32)
train, held_out = moons[:2000], moons[2000:]
rng = np.random.default_rng(3)
layers = [layer for _ in range(10) for layer in (PLULinear(2, rng=rng), Planar(2, rng=rng))]
model = FlowModel(Compose([Affine(2), *layers]))
model.flow.fit_to(train)
gaussian = DiagonalNormal(train.mean(0).astype(float), train.std(0).astype(float)).log_prob(held_out).mean()
record = fit(model, train, valid=held_out, optimizer=optim.Adam(model.parameters(), lr=0.01), epochs=40,
             batch_size=100, rng=rng, progress=False, schedule=lambda t: 0.5 * (1 + np.cos(np.pi * t / 800)))
model.astype(np.float64)
print(f"held-out log p(x): {model.log_likelihood(held_out)}")
print(f"a diagonal Gaussian: {gaussian:.3f} nats")

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9.2, 3.0), layout="constrained")
left.plot(record.curve("train", "loss"), color=BLUE, label="training")
left.plot(record.curve("valid", "loss"), color=RED, label="held out")
left.set(title="Maximum likelihood", xlabel="epoch", ylabel="$-\\log p(x)$, nats")
left.legend(frameon=False, fontsize=8)
side2 = np.linspace(-2.5, 2.5, 120)
canvas2 = np.stack(np.meshgrid(side2, side2), axis=-1).reshape(-1, 2)
middle.contourf(side2, side2, np.exp(model.log_likelihood(canvas2).value).reshape(120, 120), levels=8, cmap="magma")
middle.set(title="density p(x)", aspect="equal")
drawn = model.sample(700, np.random.default_rng(4))
right.scatter(*train[:700].T, s=2, color=BLUE, label="data")
right.scatter(*drawn.T, s=2, color=RED, label="samples")
right.set(title="samples need the roots", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
right.legend(frameon=False, fontsize=8, markerscale=5, loc="upper right")
plt.show()

# %% [markdown]
# Sampler and density are two programs: one runs `inverse` with its roots, the other `forward` with its determinants.
# They must tell of one distribution. How much mass lies in the upper right quadrant, by counting and by quadrature?
#
# **Before you run the next cell**: would this test notice a determinant whose sign is wrong in *both* directions?

# %%
inside = (model.sample(20_000, np.random.default_rng(5)) > 0).all(1)
quadrant = quadrature_2d(lambda x: np.exp(ad.value(model.log_prob(x))), (0, 6), (0, 6), n=320).value
claim("sampler-agrees-with-density", r"P(x \in A) \text{ by samples} = \int_A p(x) dx", source="S2:22",
      lhs=inside.mean(), rhs=quadrant, standard_error=inside.std() / np.sqrt(len(inside)))

# %% [markdown]
# It would: the sampler uses no determinant. A test that only asks whether the two log-determinants cancel would not.
#
# The moons are joined by a thin bridge. A continuous map cannot tear the plane: the image of one connected blob of
# noise is connected. More layers make the bridge thinner, not absent.
#
# ## Exercises
#
# `minigen exercise start 14 my-exercises` makes a folder with the stubs and public checks:
#
# 1. `constrained_u`: the $\hat u$ that keeps a ridge invertible.
# 2. `planar_log_det`: the log-determinant of a ridge at each datum.
# 3. `planar_inverse`: undo a ridge by root finding.
# 4. `compose`: a chain of maps and the log-determinant of the whole.
# 5. `plu_inverse`: solve with $P$, $L$, $U$ by substitution, and the log-determinant of that map.
#
# Then change this notebook. Give the free $Q$ of section 5 a hundred steps. Fit `wave` with annealing and `step`
# without. Replace $\tanh$ by a kink: which claims break first? How many ridges do two moons need for a bridge that you
# cannot see?
#
# ## References
#
# - Rezende, D. J. and Mohamed, S. (2015). Variational inference with normalizing flows. *ICML*. arXiv:1505.05770.
# - Papamakarios, G. et al. (2021). Normalizing flows for probabilistic modeling and inference. *JMLR* 22(57).
# - Kingma, D. P. and Dhariwal, P. (2018). Glow: generative flow with invertible 1x1 convolutions. *NeurIPS*.
# - Tomczak, J. and Welling, M. (2016). Improving variational auto-encoders using Householder flow. arXiv:1611.09630.
# - Hoogeboom, E., van den Berg, R. and Welling, M. (2019). Emerging convolutions for generative normalizing flows.
#   *ICML*.
# - Lecture documents S2:11-92, S3:255-257 and 313, S4:754-780.
