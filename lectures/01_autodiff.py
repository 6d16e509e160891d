# %% [markdown]
# # Lecture 01. Automatic differentiation
#
# A generative model is fitted by walking downhill: take one number, the loss, and ask how it changes with each of the
# model's parameters. There may be a million of them. Three ways to get that gradient:
#
# | way | cost for $n$ parameters | error |
# |---|---|---|
# | by hand, with paper | your evening | every slip of the pen |
# | by differences, $(f(x + h e_i) - f(x - h e_i)) / 2h$ | $2n$ evaluations of $f$ | a third to a half of the digits |
# | by the tape, this lecture | a few evaluations of $f$, whatever $n$ is | rounding |
#
# The tape is no approximation and no computer algebra. It is the chain rule, applied to the numbers that a program
# computed, in a good order. We first build it in 25 lines for scalars. Then we read the engine of this package,
# `minigen.autodiff`, which does the same for arrays, and put every statement about it to the test.
#
# You need calculus in several variables and NumPy.

# %%
import math
import textwrap
import timeit
from collections import Counter
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np

from minigen import autodiff as ad
from minigen.autodiff.backward import reachable
from minigen.autodiff.rules import apply
from minigen.checks import claim
from minigen.record import RecordError, record
from minigen.record.show import sources

BLUE, ORANGE, GREEN = "tab:blue", "tab:orange", "tab:green"  # reverse mode, forward mode, differences

# %% [markdown]
# ## 1. A tape for scalars
#
# A program computes $v_1, v_2, \dots$ one after the other, each from earlier ones. Write down, for every value, from
# which values it was made and the *local slope* $\partial v_k / \partial v_j$ towards each of them. That list is the
# tape (Wengert 1964).

# %%
tape = []

class Number:
    """A value, with (argument, slope) for every value that it was made from."""

    def __init__(self, value, *links):
        self.value, self.links, self.grad = value, links, 0.0
        tape.append(self)

    def __add__(self, other):
        return Number(self.value + other.value, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        return Number(self.value * other.value, (self, other.value), (other, self.value))

def log(x):
    return Number(math.log(x.value), (x, 1 / x.value))

def sin(x):
    return Number(math.sin(x.value), (x, math.cos(x.value)))

# %% [markdown]
# Let $y$ be the last value, and call $\bar v_k = \partial y / \partial v_k$ the *cotangent* of $v_k$. The chain rule
# in several variables says that $v_j$ acts on $y$ through everything made from it:
#
# $$\bar v_j = \sum_{k \text{ made from } j} \bar v_k \, \frac{\partial v_k}{\partial v_j}, \qquad \bar y = 1.$$
#
# To use it, $\bar v_k$ must be complete before it is passed on. Whatever uses $v_k$ was written *after* $v_k$. So we
# read the tape backwards, and that is the whole algorithm.

# %%
def backward(y, seed=1.0):
    """Set v.grad = dy/dv for every v on the tape."""
    for v in tape:
        v.grad = 0.0
    y.grad = seed
    for v in reversed(tape):
        for argument, slope in v.links:
            argument.grad += v.grad * slope

tape.clear()
a, b = Number(2.0), Number(5.0)
product = a * b
y = log(product) + sin(a) * product
backward(y)
print(f"y = {y.value:.6f},  dy/da = {a.grad:.6f},  dy/db = {b.grad:.6f}")

# %% [markdown]
# By hand: $y = \log(ab) + ab \sin a$, so $\partial y/\partial a = 1/a + b \sin a + ab \cos a$ and $\partial
# y/\partial b = 1/b + a \sin a$. A claim compares two routes that share nothing, and writes a line in the ledger:
# both sides, the error, the verdict.

# %%
claim("scalar-tape", r"\nabla [\log(ab) + ab \sin a] \text{ by hand} = \text{by 25 lines}", source="Wengert 1964",
      lhs=[1 / 2 + 5 * math.sin(2) + 10 * math.cos(2), 1 / 5 + 2 * math.sin(2)],
      rhs=[a.grad, b.grad], tol=1e-13)

# %% [markdown]
# Look at the tape as a graph. Values flow up (black), cotangents flow down (orange). The product $ab$ is used twice:
# its cotangent is the sum of what two users send.

# %%
names = ["a", "b", "ab", "log(ab)", "sin a", "ab sin a", "y"]
places = [(0.5, 0), (1.5, 0), (1.5, 1), (2, 2), (0, 1), (0.7, 2), (1.35, 3)]
fig, ax = plt.subplots(figsize=(6.5, 5))
for v, (px, py) in zip(tape, places):
    for argument, slope in v.links:
        qx, qy = places[tape.index(argument)]
        ax.annotate("", (px, py), (qx, qy), arrowprops=dict(arrowstyle="->", color="0.6", shrinkA=18, shrinkB=18))
        ax.text((px + qx) / 2, (py + qy) / 2, f"{slope:.3f}", size=8, color="0.45", ha="center", va="center",
                bbox=dict(facecolor="white", edgecolor="none", pad=1))
for v, name, (px, py) in zip(tape, names, places):
    ax.text(px, py, f"{name} = {v.value:.3f}", ha="center", va="bottom", size=10)
    ax.text(px, py, f"{v.grad:.3f}", ha="center", va="top", size=10, color=ORANGE)
ax.set(xlim=(-0.5, 2.6), ylim=(-0.3, 3.3), title="Values (black), slopes (grey), cotangents (orange)")
ax.axis("off")
plt.show()

# %% [markdown]
# Written out without a tape, the chain rule is a sum over *all paths* from $y$ down to $x$, of the products of the
# slopes along each path. Both must give the same number. Do they cost the same?
#
# **Before you run the next cell**: twenty times $u \leftarrow u \cdot u$. How many links does the tape hold, and how
# many paths lead from the top to the bottom?

# %%
def by_paths(y, x):
    """(dy/dx as a sum over paths, how many paths there are)."""
    if y is x:
        return 1.0, 1
    found = [(slope, by_paths(argument, x)) for argument, slope in y.links]
    return sum(slope * total for slope, (total, _) in found), sum(paths for _, (_, paths) in found)

for steps in (1, 5, 10, 15):
    tape.clear()
    x = u = Number(1.0001)
    for _ in range(steps):
        u = u * u
    backward(u)
    slope_by_paths, paths = by_paths(u, x)
    print(f"{steps:2d} steps: {2 * steps:2d} links, {paths:5d} paths")

claim("sum-over-paths", r"\sum_{\text{paths}} \prod \text{slopes} = \text{one reverse pass}", source="Bauer 1974",
      lhs=slope_by_paths, rhs=x.grad, tol=0, rtol=1e-12)

# %% [markdown]
# Twenty steps: 40 links, a million paths. The reverse pass adds up first and multiplies once. Everything good about
# reverse mode comes from that.
#
# ## 2. From scalars to arrays
#
# A tape entry per scalar is slow. The engine has one entry per *array operation*: `Tensor` holds an array and, unless
# it is a leaf, the node that made it; a node holds the rule and its arguments (read `tensor.py`).

# %%
x = ad.Tensor([[1.0, 2.0, 3.0]], requires_grad=True)
W = ad.Tensor([[0.1], [0.2], [0.3]], requires_grad=True)
hidden = ad.tanh(x @ W)
y = ad.sum(hidden * hidden)
print("made by", y.node.rule.name, "from", [argument.node.rule.name for argument in y.node.args])
print(ad.draw(y, x=x, W=W, hidden=hidden))

# %% [markdown]
# `ad.dot(y)` gives the same tape for Graphviz. A *rule* says how the cotangent $g$ of $y$ flows to each argument. To
# find one, write the change $dy$ that a change of the arguments makes, and move everything but $dx$ to the other side
# of the inner product $\langle g, dy \rangle$:
#
# $$Y = AB:\quad \langle G, dA\, B + A\, dB \rangle = \langle G B^T, dA \rangle + \langle A^T G, dB \rangle .$$
#
# | operation | $dy$ | cotangent of the argument |
# |---|---|---|
# | $y = \exp x$ | $y \odot dx$ | $g \odot y$ |
# | $y = ab$ | $b \odot da + a \odot db$ | $g \odot b$ and $g \odot a$ |
# | $Y = AB$ | $dA\,B + A\,dB$ | $G B^T$ and $A^T G$ |
# | $y = \sum_i x_i$ | $\sum_i dx_i$ | $g$, copied to every $i$ |
# | $x$ copied to every $i$ (broadcasting) | $dx$, copied | $\sum_i g_i$ |
# | $y = x^T$ | $dx^T$ | $g^T$ |
#
# Look at the fourth and fifth row: the transpose of a copy is a sum, the transpose of a sum is a copy. This is why a
# bias that was broadcast over a batch gets a gradient that is summed over the batch.
#
# In the engine a rule is an entry of one table, for most operations a single line: `primitive("exp", np.exp, lambda
# g, y, x: g * y)`. All of them:

# %%
print(textwrap.fill(" ".join(sorted(ad.RULES)), 110))

# %% [markdown]
# Now a loss that matters: a net with one hidden layer that separates two classes $t = \pm 1$,
#
# $$L(W, v) = \frac1N \sum_n \log\bigl(1 + e^{-m_n}\bigr), \qquad m = t \odot (H v), \qquad H = \tanh(X W).$$
#
# By hand, from the outside in: $r = \partial L/\partial (Hv) = -t \odot \sigma(-m)/N$, then $\partial L/\partial v =
# H^T r$ and $\partial L/\partial W = X^T \bigl[(r v^T) \odot (1 - H^2)\bigr]$.

# %%
rng = np.random.default_rng(1)
X, t = rng.normal(size=(50, 4)), rng.choice([-1.0, 1.0], 50)
W, v = rng.normal(size=(4, 6)), rng.normal(size=6)

def loss(W, v):
    return ad.mean(ad.softplus(-t * (ad.tanh(X @ W) @ v)))

H = np.tanh(X @ W)
r = -t / (1 + np.exp(t * (H @ v))) / len(t)
dW_by_hand, dv_by_hand = X.T @ (np.outer(r, v) * (1 - H**2)), H.T @ r
dW, dv = ad.grad(loss, argnums=(0, 1))(W, v)

claim("tape-is-chain-rule", r"\nabla f \text{ by hand} = \nabla f \text{ by the tape}", source="S2:15",
      lhs=np.append(dW_by_hand, dv_by_hand), rhs=np.append(dW, dv), tol=1e-14)

# %% [markdown]
# Your own rule is just as short. `Rule(name, forward, vjps)` outside the table, and `apply` to use it:

# %%
def with_rule(forward, vjp):
    """The operation of one argument with this forward function and this cotangent rule."""
    rule = ad.Rule("my own", forward, (vjp,))
    return lambda x: apply(rule, (x,), {})

cube = with_rule(lambda x: x**3, lambda g, y, x: g * 3 * x**2)
print("x^3 at 3: first derivative", ad.grad(cube)(3.0), "and second", ad.grad(ad.grad(cube))(3.0))

# %% [markdown]
# ## 3. Two products with one Jacobian
#
# For $f: \mathbb{R}^m \to \mathbb{R}^n$ let $J_{ij} = \partial f_i / \partial x_j$: a row for each output, a column
# for each input (S2:15; the lectures on flows live on this matrix). Neither mode of differentiation ever builds it.
#
# * **Reverse mode** maps a cotangent of the output to one of the input, $u \mapsto J^T u$: `vjp`, the transposed
#   product.
# * **Forward mode** maps a direction in the input to one in the output, $v \mapsto J v$: `jvp`.
#
# Forward mode needs no tape. Carry the pair (value, change) through the program:

# %%
class Dual:
    """A value and its change along one direction."""

    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def __add__(self, other):
        return Dual(self.value + other.value, self.tangent + other.tangent)

    def __mul__(self, other):
        return Dual(self.value * other.value, self.tangent * other.value + self.value * other.tangent)

    def __matmul__(self, constant):
        return Dual(self.value @ constant, self.tangent @ constant)

    def tanh(self):
        y = np.tanh(self.value)
        return Dual(y, (1 - y**2) * self.tangent)

A, B = rng.normal(size=(5, 7)), rng.normal(size=(7, 3))

def net(x, tanh):
    """R^5 -> R^3, for Tensors, arrays and Duals alike."""
    hidden = tanh(x @ A)
    return tanh((hidden * hidden + hidden) @ B)

def forward_jvp(x, v):
    """J v by dual numbers: no tape, no cotangent rule."""
    return net(Dual(x, v), Dual.tanh).tangent

def f(x):
    return net(x, ad.tanh)

x, u, v = 0.3 * rng.normal(size=5), rng.normal(size=3), rng.normal(size=5)
y, pullback = ad.vjp(f, x)
claim("vjp-is-transposed-jvp", r"\langle u, J v \rangle = \langle J^T u, v \rangle", source="S2:15",
      lhs=u @ forward_jvp(x, v), rhs=pullback(u)[0] @ v, tol=1e-13)

# %% [markdown]
# **Before you run the next cell**: the engine has no rules for forward mode, only cotangent rules, yet it offers
# `ad.jvp`. How can that be? (A hint: the map $u \mapsto J^T u$ is linear. What is *its* transposed product?)

# %%
claim("forward-from-two-reverses", r"J v = \text{the vjp of } (u \to J^T u)", source="Townsend 2017",
      lhs=ad.jvp(f, (x,), (v,))[1], rhs=forward_jvp(x, v), tol=1e-13)

# %% [markdown]
# The whole matrix, if you want it: $n$ cotangents give its rows, $m$ directions its columns. So take reverse mode for
# few outputs (a loss: one), forward mode for few inputs.

# %%
columns = np.stack([forward_jvp(x, e) for e in np.eye(5)], axis=1)
claim("jacobian-by-rows-and-columns", r"J \text{ by } n \text{ vjps} = J \text{ by } m \text{ jvps}", source="S2:15",
      lhs=ad.jacobian(f)(x), rhs=columns, tol=1e-13)
print("shape of J, outputs by inputs:", columns.shape)

# %% [markdown]
# ## 4. Gradients of gradients
#
# The rules are written in the engine's own operations. On plain arrays they run as NumPy; on Tensors they are
# recorded like anything else. So a gradient has a gradient, and no further rule is needed.

# %%
grid = np.linspace(-3, 3, 121)
curves, derivative = [np.tanh(grid)], ad.tanh
for _ in range(3):
    derivative = ad.grad(derivative)
    curves.append(np.array([derivative(s) for s in grid]))

fig, ax = plt.subplots(figsize=(6, 3.2))
for order, (curve, style) in enumerate(zip(curves, ("-", "--", "-.", ":"))):
    ax.plot(grid, curve, style, color=plt.cm.viridis(order / 4), label=["tanh", "first", "second", "third"][order])
ax.set(title="tanh and its derivatives, by grad of grad of grad", xlabel="x", ylabel="value")
ax.legend(title="derivative", frameon=False)
plt.show()

y = np.tanh(grid)
claim("third-derivative", r"\tanh''' = (1 - y^2)(6 y^2 - 2)", lhs=curves[3], rhs=(1 - y**2) * (6 * y**2 - 2), tol=1e-13)

# %% [markdown]
# A Hessian of $n^2$ numbers is rarely wanted; its product with a vector is, and costs about as much as two gradients:
# $H v = \nabla (\nabla f \cdot v)$ (Pearlmutter 1994). For $f(x) = \sum_i \log\cosh (Ax)_i$ paper gives $\nabla f =
# A^T \tanh(Ax)$ and $H = A^T \,\mathrm{diag}(1 - \tanh^2 Ax)\, A$.

# %%
A3 = rng.normal(size=(8, 5))

def ridge(x):
    return ad.sum(ad.log(ad.cosh(A3 @ x)))

H_by_hand = A3.T @ np.diag(1 - np.tanh(A3 @ x) ** 2) @ A3
claim("gradient-of-gradient", r"H v = \nabla (\nabla f \cdot v)", source="Pearlmutter 1994",
      lhs=ad.hvp(ridge)(x, v), rhs=H_by_hand @ v, tol=1e-13)
claim("hessian-by-hand", r"H = A^T \mathrm{diag}(1 - \tanh^2 Ax) A", lhs=ad.hessian(ridge)(x), rhs=H_by_hand, tol=1e-13)

# %% [markdown]
# ## 5. Is a gradient right?
#
# Rules are written by people. Differences of $f$ know nothing about rules, so they are the referee. Checking all of
# $J$ costs $2m$ evaluations; one number is enough, $\langle u, J v \rangle$: the rule gives $\langle J^T u, v
# \rangle$, differences give $\langle u, f(x + hv) - f(x - hv) \rangle / 2h$.
#
# The usual choice of $u$ is the one that `y.sum().backward()` makes: all ones. Here are three wrong rules.
#
# **Before you run the next cell**: which of them does a cotangent of ones find?

# %%
SLIPS = {
    "softmax with gradient zero": (ad.softmax, with_rule(ad.softmax, lambda g, y, x: g * 0)),
    "reshape in place of transpose": (ad.transpose, with_rule(ad.transpose, lambda g, y, x: ad.reshape(g, x.shape))),
    "exp that forgets its cotangent": (ad.exp, with_rule(ad.exp, lambda g, y, x: y)),
}

def two_routes(right, wrong, x, u, v, h=1e-5):
    """<u, J v>: by differences of the right function, by the wrong rule."""
    return np.sum(u * (right(x + h * v) - right(x - h * v))) / (2 * h), np.sum(ad.vjp(wrong, x)[1](u)[0] * v)

M, direction = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
with_ones, with_random = [], []
print(f"{'cotangent':<33}{'ones':^17}    {'random':^17}\n{'':<33}{'truth':>8} {'rule':>8}    {'truth':>8} {'rule':>8}")
for slip, (right, wrong) in SLIPS.items():
    y = right(M)
    with_ones.append(two_routes(right, wrong, M, np.ones(y.shape), direction))
    with_random.append([two_routes(right, wrong, M, rng.normal(size=y.shape), direction) for _ in range(200)])
    print(f"{slip:<33}" + "    ".join("{:8.5f} {:8.5f}".format(*pair) for pair in (with_ones[-1], with_random[-1][0])))

# %% [markdown]
# None of them. Under ones every wrong rule agrees with the truth. The reasons differ: $\sum_i \mathrm{softmax}(x)_i =
# 1$ never changes, so its gradient *is* zero; $\sum x^T = \sum x$ whatever the order of the entries; and a factor
# that is forgotten does not matter when it is one.

# %%
ones = np.ones((3, 4))
drift = [np.sum(ad.softmax(M + 1e-3 * E) - ad.softmax(M - 1e-3 * E)) / 2e-3 for E in np.eye(12).reshape(12, 3, 4)]
claim("ones-cotangent-is-blind", r"1^T J_{\mathrm{softmax}} = 0",
      lhs=ad.vjp(ad.softmax, M)[1](ones)[0].ravel(), rhs=drift, size=1, tol=1e-11)
with_ones, with_random = np.array(with_ones), np.array(with_random)  # (slip, route), (slip, draw, route)
claim("ones-pass-wrong-rules", r"1^T \hat J v = 1^T J v \text{ for three wrong rules } \hat J",
      lhs=with_ones[:, 1], rhs=with_ones[:, 0], size=1, tol=1e-8)

# %% [markdown]
# A random $u$ cannot be fooled for long. Let $D = J - \hat J$ be the slip and $u, v$ standard normal. Then $u^T D v$
# has mean zero and mean square $\|D\|_F^2$: on average a check sees the whole slip. Over 200 draws the smallest
# relative gap stays far above the tolerance 1e-6 of a gradient check.
#
# The second claim counts by hand: transpose and reshape of a 3 by 4 array are two permutations of 12 numbers that
# agree on the first and the last. The other ten rows of $D$ hold a 1 and a -1, so $\|D\|_F^2 = 20$.

# %%
gap = np.abs(with_random[..., 0] - with_random[..., 1]) / np.abs(with_random).max(-1)
claim("random-cotangent-sees", r"|u^T (J - \hat J)| > 0 \text{ for a wrong rule } \hat J",
      lhs=gap.min(axis=1), rhs=1e-6, kind="at_least", note="smallest gap of 200 draws, against a tolerance")

wrong_transpose = SLIPS["reshape in place of transpose"][1]
seen = np.array([np.sum((ad.vjp(ad.transpose, M)[1](u)[0] - ad.vjp(wrong_transpose, M)[1](u)[0]) * v)
                 for u, v in zip(rng.normal(size=(4000, 4, 3)), rng.normal(size=(4000, 3, 4)))]) ** 2
claim("mean-square-is-the-slip", r"\mathbb{E} (u^T D v)^2 = \|D\|_F^2",
      lhs=seen.mean(), rhs=20, standard_error=seen.std() / np.sqrt(len(seen)))

# %% [markdown]
# `ad.gradcheck` draws $u$ and $v$ at random and compares three routes: vjp, jvp and differences, for the gradient and
# for the gradient of the gradient. It answers with the largest error that it saw, or raises with a report. A slip of
# one part in a thousand is enough:

# %%
seen = ad.gradcheck(ad.tanh, M, rng=np.random.default_rng(0))
print("tanh passes:", seen < 1e-7)
sloppy = with_rule(np.tanh, lambda g, y, x: 1.001 * g * (1 - y * y))
try:
    ad.gradcheck(sloppy, M, rng=np.random.default_rng(0))
except ad.GradcheckError as report:
    print(report)

# %% [markdown]
# ## 6. What it costs
#
# We count, we do not time: a `float` that counts what is done with it runs through the function itself, through the
# scalar tape of section 1 and through the dual numbers of section 3, all three unchanged. The function is the example
# of Speelpenning (1980) with a sum beside it, $f(x) = x_1 x_2 \cdots x_n + \sum_i x_i^2$.

# %%
class Counted(float):
    """A float that counts the operations made with it."""

    total = 0

def counted(name):
    def operation(a, b):
        Counted.total += 1
        return Counted(getattr(float, name)(a, b))
    return operation

for name in ("__add__", "__radd__", "__mul__", "__rmul__"):
    setattr(Counted, name, counted(name))

def operations(run, *args):
    """How many operations a call makes."""
    before = Counted.total
    run(*args)
    return Counted.total - before

# %% [markdown]
# The function, and its gradient by both modes:

# %%
def speelpenning(x):
    product, squares = x[0], x[0] * x[0]
    for xi in x[1:]:
        product, squares = product * xi, squares + xi * xi
    return product + squares

def reverse_gradient(x):
    tape.clear()
    variables = [Number(xi) for xi in x]
    backward(speelpenning(variables), seed=Counted(1.0))
    return [v.grad for v in variables]

def one_forward_pass(x, direction):
    return speelpenning([Dual(xi, Counted(vi)) for xi, vi in zip(x, direction)]).tangent

def forward_gradient(x):
    return [one_forward_pass(x, e) for e in np.eye(len(x))]

# %% [markdown]
# **Before you run the next cell**: $f$ takes $3n$ operations or so. How many does its gradient take, by forward and
# by reverse mode? And when $n$ doubles?

# %%
sizes, cost = 2 ** np.arange(1, 9), {"f": [], "reverse": [], "forward": []}
for n in sizes:
    inputs = [Counted(s) for s in rng.uniform(0.9, 1.1, n)]
    cost["f"].append(operations(speelpenning, inputs))
    cost["reverse"].append(operations(reverse_gradient, inputs))
    cost["forward"].append(operations(forward_gradient, inputs))
cost = {key: np.array(counts) for key, counts in cost.items()}

fig, ax = plt.subplots(figsize=(6, 3.6))
ax.loglog(sizes, cost["forward"] / cost["f"], "o-", color=ORANGE, label="forward mode, n passes")
ax.loglog(sizes, 2.0 * sizes, "^-", color=GREEN, label="central differences, 2n evaluations")
ax.loglog(sizes, cost["reverse"] / cost["f"], "s-", color=BLUE, label="reverse mode, one pass")
ax.axhline(5, color="black", ls="--", lw=1, label="bound for every f: 5")
ax.set(title="Price of a gradient", xlabel="number of inputs n", ylabel="operations / operations of f")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The bound needs two lines. A sum or product is one operation and has two links; the reverse pass spends one product
# and one sum on each link. One becomes $1 + 2 \cdot 2 = 5$, whatever the function and however many inputs. An operation
# of one argument pays less: its value, its slope, one link (Linnainmaa 1976; Baur and Strassen 1983 count more finely).
#
# Could forward mode get by with fewer than $n$ passes? Give it random directions and the best use of what they tell:
# the smallest gradient that agrees with all slopes seen so far.

# %%
def passes_needed(n):
    """After how many forward passes the gradient is known; 0 where it never is."""
    x, directions = rng.uniform(0.9, 1.1, n), rng.normal(size=(n, n))
    slopes = np.array([one_forward_pass(x, v) for v in directions])
    guesses = (np.linalg.lstsq(directions[:k], slopes[:k])[0] for k in range(1, n + 1))
    return next((k for k, guess in enumerate(guesses, 1) if np.allclose(guess, reverse_gradient(x))), 0)

claim("reverse-cost-is-constant", r"\mathrm{cost}(\nabla f) \leq c \, \mathrm{cost}(f) \text{ for every } n",
      source="Baur and Strassen 1983", lhs=cost["reverse"], rhs=5 * cost["f"], kind="at_most", note="c = 5")
claim("forward-cost-is-linear", r"\text{passes of forward mode for } \nabla f = n",
      lhs=[passes_needed(n) for n in sizes[:5]], rhs=sizes[:5], tol=0)
plain = np.array([float(s) for s in inputs])
claim("counting-changes-nothing", r"\partial_i f = \prod_{j \neq i} x_j + 2 x_i",
      lhs=[float(g) for g in reverse_gradient(inputs)], rhs=np.prod(plain) / plain + 2 * plain, tol=1e-12)

# %% [markdown]
# In the engine the expensive operation is the matrix product. A net of $L$ layers makes $L$ of them forward. Going
# back, each layer makes two, one for its weights and one for what came in; but nobody asks for the gradient of the
# data, so the first layer makes one. All in all $3L - 1$. Rules are data, so we can count them at work:

# %%
@contextmanager
def counting_rules():
    """How often each rule computed a value inside the block, forwards or backwards."""
    counts, originals = Counter(), {name: rule.forward for name, rule in ad.RULES.items()}

    def watched(name, forward):
        def run(*args, **kwargs):
            counts[name] += 1
            return forward(*args, **kwargs)
        return run

    try:
        for name, forward in originals.items():
            ad.RULES[name].forward = watched(name, forward)
        yield counts
    finally:
        for name, forward in originals.items():
            ad.RULES[name].forward = forward

def deep(weights, x):
    for W in weights:
        x = ad.tanh(x @ W)
    return ad.sum(x)

depths = [1, 2, 4, 8, 16, 32]
products = []
for L in depths:
    weights = [0.3 * rng.normal(size=(8, 8)) for _ in range(L)]
    with counting_rules() as counts:
        ad.grad(deep)(weights, rng.normal(size=(20, 8)))
    products.append(counts["matmul"])
claim("matrix-products-of-a-gradient", r"\text{matmuls}(\nabla f) = 3L - 1",
      lhs=products, rhs=[3 * L - 1 for L in depths], tol=0)

# %% [markdown]
# And the clock? Times change from run to run, so only what is sure is printed. Print `seconds` to see those of your
# machine.

# %%
W1, w2 = rng.normal(size=(256, 64)) / 16, rng.normal(size=64)

def scalar_net(x):
    return ad.tanh(x @ W1) @ w2

many = rng.normal(size=256)
runs = {
    "reverse": lambda: ad.grad(scalar_net)(many),
    "forward": lambda: [ad.jvp(scalar_net, (many,), (e,))[1] for e in np.eye(256)],
}
seconds = {mode: min(timeit.repeat(run, number=1, repeat=3)) for mode, run in runs.items()}
print("256 inputs: reverse mode is more than 20 times as fast:", seconds["forward"] > 20 * seconds["reverse"])

# %% [markdown]
# The price is memory. The reverse pass needs the values of the forward pass, in the opposite order, so the tape holds
# on to all of them; forward mode forgets as it goes.

# %%
for L in (4, 8, 16):
    weights = [ad.Tensor(0.3 * rng.normal(size=(8, 8)), requires_grad=True) for _ in range(L)]
    y = deep(weights, rng.normal(size=(1000, 8)))
    held = sum(node.y.nbytes for node in reachable(y)[0])
    print(f"{L:2d} layers: the tape holds {held / 1000:5.0f} kB")

# %% [markdown]
# ## 7. Digits
#
# Models train in float32, whose unit roundoff is $\epsilon = 2^{-24}$, seven digits. Every operation of the tape errs
# by about $\epsilon$ relative to its result, forwards and backwards alike, so the gradient keeps nearly all of its
# digits, unless its terms cancel.
#
# **Before you run the next cell**: the loss of section 2 in float32. How many digits of its gradient are right by the
# tape, and how many by differences, with the best step that there is?

# %%
def net_loss(W, v, X, t):
    return ad.mean(ad.softplus(-t * (ad.tanh(X @ W) @ v)))

W32, v32, X32, t32 = inputs32 = [array.astype(np.float32) for array in (
    rng.normal(size=(64, 32)) / 8, rng.normal(size=32), rng.normal(size=(500, 64)), rng.choice([-1, 1], 500))]
inputs64 = [array.astype(np.float64) for array in inputs32]  # the same numbers, so only the arithmetic differs
g32, g64 = ad.grad(net_loss, argnums=1)(*inputs32), ad.grad(net_loss, argnums=1)(*inputs64)

def differences(h):
    """Central differences of the loss in float32, entry by entry of v."""
    moves = np.float32(h) * np.eye(32, dtype=np.float32)
    return np.array([net_loss(W32, v32 + e, X32, t32) - net_loss(W32, v32 - e, X32, t32) for e in moves]) / (2 * h)

def digits(g):
    """How many digits of a gradient agree with float64."""
    return -math.log10(np.linalg.norm(g - g64) / np.linalg.norm(g64))

best = max(digits(differences(h)) for h in np.geomspace(1e-5, 1, 21))
print(f"right digits in float32: {digits(g32):.0f} by the tape, {best:.0f} by differences at their best")
claim("float32-gradient-error", r"|\nabla f_{32} - \nabla f_{64}| \leq c \, 2^{-24} |\nabla f|", source="Higham 2002",
      lhs=np.linalg.norm(g32 - g64), rhs=8 * 2.0**-24 * np.linalg.norm(g64), kind="at_most", note="c = 8")

# %% [markdown]
# Why do differences lose so much? Two errors pull in opposite directions. The Taylor series is cut off: $h^2
# |f'''|/6$. And $f$ itself is only known to within $\epsilon |f|$, which the quotient blows up to $\epsilon |f| / h$
# at worst. Together
#
# $$E(h) = \frac{h^2}{6} |f'''| + \frac{\epsilon |f|}{h}, \qquad E'(h^*) = 0 \;\text{ at }\;
# h^* = \Bigl( \frac{3 \epsilon |f|}{|f'''|} \Bigr)^{1/3}, \qquad E(h^*) \propto \epsilon^{2/3}.$$
#
# Two thirds of the digits stay. One-sided differences err by $h |f''|/2$ more and by twice the rounding, and keep half
# of the digits.
#
# The experiment: $f(x) = 1 + \sin 5x$ at 4000 points near zero, and the *worst* error over them. The theory takes
# $f''$ and $f'''$ from the tape.

# %%
def wave(x, sin=np.sin):
    return 1 + sin(5 * x)

def by_tape(x):
    return wave(x, ad.sin)

d2, d3 = ad.grad(ad.grad(by_tape)), ad.grad(ad.grad(ad.grad(by_tape)))
x0, points = 0.003, rng.uniform(0.002, 0.004, 4000)

def central(x, h):
    return (wave(x + h) - wave(x - h)) / (2 * h)

def one_sided(x, h):
    return (wave(x + h) - wave(x)) / h

def worst_error(derivative, dtype, *step):
    """Over the points, in the arithmetic of dtype; the truth is 5 cos 5x = 5 - 10 sin^2 2.5x, in float64."""
    x = points.astype(dtype)
    return np.max(np.abs(derivative(x, *step).astype(float) - 5 + 10 * np.sin(2.5 * x.astype(float)) ** 2))

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
valleys = []
for ax, dtype, eps in zip(axes, (np.float64, np.float32), (2.0**-53, 2.0**-24)):
    h = np.geomspace(eps**0.8, 0.1, 300).astype(dtype)
    found = np.array([worst_error(central, dtype, step) for step in h])
    ax.loglog(h, [worst_error(one_sided, dtype, step) for step in h], color="tab:purple", label="one-sided differences")
    ax.loglog(h, found, color=GREEN, label="central differences")
    h = h.astype(float)
    ax.loglog(h, h**2 * abs(d3(x0)) / 6 + eps * wave(x0) / h, "k--", lw=1, label="theory")
    ax.loglog(h, h * abs(d2(x0)) / 2 + h**2 * abs(d3(x0)) / 6 + 2 * eps * wave(x0) / h, "k--", lw=1)
    ax.axhline(worst_error(lambda x: ad.vjp(by_tape, x)[1](np.ones(4000))[0], dtype), color=BLUE, label="tape")
    optimum = (3 * eps * wave(x0) / abs(d3(x0))) ** (1 / 3)
    ax.axvline(optimum, color="0.7", lw=1, zorder=0)
    ax.text(optimum, 3e1, " $h^*$", color="0.4")
    ax.set(title=f"{dtype.__name__}, ε = {eps:.1e}", xlabel="step h", ylim=(1e-17, 1e3))
    valleys.append((h, found, optimum))
axes[0].set_ylabel("worst error of the derivative")
axes[1].legend(frameon=False, loc="lower center")
plt.show()

# %% [markdown]
# Where is the bottom of the measured valley? Fit $a h^2 + b/h$ to it; the minimum is at $h^3 = b/2a$.

# %%
measured = []
for h, found, optimum in valleys:
    near = (h > optimum / 20) & (h < optimum * 5)
    scaled = h[near] / optimum
    (a, b), *_ = np.linalg.lstsq(np.stack([scaled**2, 1 / scaled], axis=1) / found[near, None], np.ones(near.sum()))
    measured.append(math.log10(optimum * (b / (2 * a)) ** (1 / 3)))
claim("difference-step-optimum", r"h^* = (3 \epsilon |f| / |f'''|)^{1/3} \text{ for central differences}",
      source="Nocedal and Wright 2006", lhs=measured, rhs=[math.log10(optimum) for *_, optimum in valleys], tol=0.05,
      note="log10 of the step")

# %% [markdown]
# The tape sits at the bottom, on the rounding error of one evaluation, and has no step to choose.
#
# ## 8. Kinks and ties
#
# $\max$, $|x|$ and relu have points without a derivative. A program meets them: a relu unit at exactly zero, two
# equal pixels under a max-pool. The rule must answer something.
#
# **Before you run the next cell**: what would you answer for the gradient of $\max(1, 1, 0)$, of relu and $|x|$ at 0?

# %%
KINKS = [(ad.max, [1.0, 1.0, 0.0]), (ad.relu, [0.0]), (ad.abs, [0.0])]
heights, planes = [], []
for kinked, at in KINKS:
    at = np.array(at)
    _, pull = ad.vjp(kinked, at)
    slope = pull(np.ones(np.shape(kinked(at))))[0]
    print(f"{kinked.__name__:<4} at {at}: {slope}")
    for _ in range(300):
        other = at + rng.normal(size=at.shape)
        heights.append(np.sum(kinked(other)))
        planes.append(np.sum(kinked(at)) + slope @ (other - at))
claim("kink-is-subgradient", r"f(y) \geq f(x) + s^T (y - x) \text{ for every } y", source="Rockafellar 1970",
      lhs=heights, rhs=planes, kind="at_least")

# %% [markdown]
# Ties share the cotangent equally: it is neither lost nor doubled. All three answers are *subgradients*: the plane
# with that slope touches the function from below. Any slope between those of the two sides is one, so the choice is a
# convention; it is stated in `elementwise.py` and tested.
#
# A trap near by: `where` computes *both* branches, and a cotangent of zero times an infinite slope is not a number.
#
# **Before you run the next cell**: the gradient of $\sqrt{x}$ where $x > 0$, else 0, at $x = 0$. Which of the two
# rules for the square root survives?

# %%
naive_sqrt = with_rule(np.sqrt, lambda g, y, x: g * 0.5 / y)
for name, root in (("g / 2y", naive_sqrt), ("the engine's", ad.sqrt)):
    pull = ad.vjp(lambda x, root=root: ad.where(x > 0, root(x), 0.0), np.array([0.0, 4.0]))[1]
    print(f"{name:<13} {pull(np.ones(2))[0]}")

# %% [markdown]
# The engine's rules answer 0 where no cotangent arrives. With rules that do not, make the argument harmless *before*
# the root: `where(x > 0, sqrt(where(x > 0, x, 1)), 0)`.
#
# ## 9. What the tape holds, and when it lets go
#
# The slopes are computed from the arrays that were there in the forward pass. If one of them changed before the
# reverse pass, the gradient would be wrong and nobody would notice. So arrays on a live tape are read-only. After the
# reverse pass they are given back, and the tape is gone.

# %%
def complaint(what, action):
    """Print what an action that must not work says."""
    try:
        action()
    except (TypeError, ValueError, RuntimeError) as error:
        print(f"{what}: {type(error).__name__}: {error}")

data = np.array([1.0, 2.0])
x = ad.Tensor([3.0, 4.0], requires_grad=True)
y = ad.sum(data * x * x)
complaint("write into data", lambda: data.fill(0))
complaint("write into x", lambda: x.__setitem__(0, 9.0))
y.backward()
complaint("backward again", y.backward)
data.fill(7)
print("gradient:", x.grad, "  data, free again:", data)

# %% [markdown]
# Two more habits of the engine. `.backward()` *replaces* `.grad`, so nothing need be zeroed between steps
# (`accumulate=True` adds). And under `ad.no_grad()` nothing is recorded at all, which is the way to evaluate a model:

# %%
with ad.no_grad():
    print("recorded:", ad.sum(x * x).node is not None)

# %% [markdown]
# ## 10. What a compiler does to a tape
#
# Training does the same operations ten thousand times, on other numbers. The tape is written and thrown away each
# time; it does not know what comes next, so it cannot leave anything out. A *compiler* is given the whole list at once.
# `record(f)` runs $f$ one time, writes down every NumPy call in it (the forward pass, the backward pass, whatever else
# is in $f$) and makes a *program* of the list, which can be run again on other numbers of the same shapes.
#
# Here is a training step as one writes it in a hurry. The inputs are blurred by noise; a net 5-16-3 classifies them;
# its weights move downhill. The loss is computed once more for a log, and so is the length of the gradient, for which
# nobody asks in the end.

# %%
def class_loss(weights, X, T):
    """Mean of -log p(class), T has a 1 for the class in each row."""
    W1, b1, W2, b2 = weights
    scores = ad.matmul(ad.tanh(ad.matmul(X, W1) + b1), W2) + b2
    return -ad.mean(ad.sum(ad.log_softmax(scores, axis=1) * T, axis=1))

def step(weights, X, T, rng):
    X = X + 0.1 * rng.standard_normal(X.shape, dtype=X.dtype)
    slopes = ad.grad(class_loss)(weights, X, T)
    log = {"loss": class_loss(weights, X, T), "length": ad.sqrt(sum(ad.sum(s * s) for s in slopes))}
    return [w - 0.5 * s for w, s in zip(weights, slopes)], log["loss"]

draws = np.random.default_rng(10)
weights = [0.5 * draws.normal(size=shape) for shape in [(5, 16), (16,), (16, 3), (3,)]]
X, T = draws.normal(size=(50, 5)), np.eye(3)[draws.integers(3, size=50)]
weights32, X32, T32 = [w.astype(np.float32) for w in weights], X.astype(np.float32), T.astype(np.float32)

# %% [markdown]
# **Before you run the next cell**: what in `step` need not be done twice? What need not be done at all? How many
# matrix products does NumPy do in this step, and how many are needed?

# %%
program = record(step).program(weights32, X32, T32, np.random.default_rng(0))
print(program)

# %% [markdown]
# Read it like this. `%n` is the $n$-th array that the recording met. A step is a matrix product, a draw of random
# numbers, or a loop, which reads some arrays and writes others. Four things happened to the list.
#
# * **Repeated work** was found while recording: the same function of the same arrays has the same result, so it is
#   looked up and not computed (Cocke 1970). The whole second forward pass is gone. This needs arrays that nobody
#   changes in between, one more reason for section 9.
# * **Dead code** went next. Start at the results, mark what they were made from, and what that was made from; strike
#   out the rest. It is the walk of the reverse pass, with marks in the place of cotangents. Here it finds `"length"`.
# * Operations on arrays of one shape were **fused** into loops, and
# * **memory** is handed out by how long a value is needed.
#
# The first two can be counted. A net of $L$ layers and its gradient take $3L - 1$ products (section 6), and computing
# the loss again takes $L$ more; the compiler should get rid of exactly these. `counting_rules` counts what is done
# without it. And a step that never asks for the length should leave as many operations as ours.

# %%
with counting_rules() as counts:
    step(weights, X, T, np.random.default_rng(0))
compiled_products = sum(item.kind == "product" for item in program.plan.items)
claim("compiler-removes-waste", r"\text{matmuls} = 4L - 1 \text{ as written}, \; 3L - 1 \text{ compiled}",
      source="Cocke 1970", lhs=[counts["matmul"], compiled_products], rhs=[4 * 2 - 1, 3 * 2 - 1], tol=0)

def lean(weights, X, T, rng):
    X = X + 0.1 * rng.standard_normal(X.shape, dtype=X.dtype)
    slopes = ad.grad(class_loss)(weights, X, T)
    return [w - 0.5 * s for w, s in zip(weights, slopes)], class_loss(weights, X, T)

claim("dead-code-is-free", r"\text{operations left} = \text{operations without the length}",
      source="Allen and Cocke 1971", lhs=len(program.values),
      rhs=len(record(lean).program(weights32, X32, T32, np.random.default_rng(0)).values), tol=0)

# %% [markdown]
# Now the loops. NumPy computes `tanh(A + b)` in two passes: it writes $A + b$ to memory and reads it again. In the nets
# of this course such passes, and the calls that start them, cost more time than the products. A number that is used
# where it is made need never be stored. Two of the functions that were generated: the hidden layer after its product,
# and the sum of exponentials under the softmax.

# %%
for function in ("tanh(", "exp("):
    print(next(loop for loop in sources(program).split("\n\n") if function in loop), end="\n\n")

# %% [markdown]
# `n0` is a length, `m0` an array in memory, `x0` a number in a register, `a` with a number a running sum. Numba
# compiles this text. The second function adds the bias to the scores, as other loops do once more: a sum is cheaper
# than a trip to memory, so it is made anew where it is needed.
#
# Everything together, from top to bottom. A line at the right is a value, from the step that makes it down to the last
# one that reads it:

# %%
program.draw()

# %% [markdown]
# Look at the long lines: they leave the forward pass at the top and are read in the backward pass at the bottom. That
# is the price of reverse mode from section 6, and no compiler removes it. The short ones are another matter. When the
# last reader is done, the place is free.
#
# **Before you run the next cell**: one value is as large as the hidden layer and needed almost from beginning to end.
# Which is it? Which other large values can share *one* place?

# %%
program.draw_memory()

# %% [markdown]
# The long bar is $H = \tanh(\cdot)$: the rule of tanh needs it, and so does the gradient of $W_2$. What tanh was taken
# of is done with at once, long before cotangents come back to the hidden layer; those could lie in its place. At the
# left each value has a place of its own, at the right places are used again. The dashed line is what the values in
# use at the busiest step add up to. Nobody can do with less, and to come as close as possible is a hard puzzle (Garey
# and Johnson 1979), so a compiler is content with a rule of thumb.
#
# A mistake here would be silent and terrible: two values in one place. So paint it, a cell for each byte and step: how
# many owners has the most crowded cell? And the dashed line follows from the listing alone: alive is what was written
# and will still be read.

# %%
steps = program.plan.items
owners = np.zeros((program.bytes_held, len(steps)), np.uint8)
for value, begin, *_ in program.block:
    uses = [k for k, item in enumerate(steps) if value in program.writes(item) or value in program.reads(item)]
    owners[begin:begin + value.array.nbytes, uses[0]:uses[-1] + 1] += 1
claim("one-owner-at-a-time", r"\max_{\text{byte}, \text{step}} \text{values alive there} = 1", lhs=owners.max(), rhs=1,
      tol=0)
claim("memory-in-use", r"\max_{\text{step}} \sum_{v \text{ alive}} |v| = \text{dashed line}", source="Aho et al. 2006",
      lhs=(owners > 0).sum(axis=0).max(), rhs=program.bytes_live, tol=0, note="bytes")

# %% [markdown]
# ### Is it the same?
#
# A program that is fast and wrong is worth nothing. Calling `record(step)` records at the first call for each set of
# shapes and precisions, and *replays* from then on. Its results lie in the program's own memory, which the next call
# overwrites: copy what should stay.
#
# Noise is no obstacle. A draw is an operation like any other, from the generator that the call hands over.
#
# **Before you run the next cell**: twenty steps on the tape, twenty replayed, generators with the same seed. Which
# numbers agree: the weights? The losses? What the two generators draw next?

# %%
def train(step, weights, rng):
    """(weights after twenty steps, the losses on the way)."""
    losses = []
    for _ in range(20):
        updated, total = step(weights, X, T, rng)
        weights = [np.array(w) for w in updated]
        losses.append(float(total))
    return weights, losses

def flat(weights):
    return np.concatenate([np.ravel(w) for w in weights])

replay, tape_rng, replay_rng = record(step), np.random.default_rng(7), np.random.default_rng(7)
by_tape, tape_losses = train(step, weights, tape_rng)
by_replay, replay_losses = train(replay, weights, replay_rng)
print(f"loss {replay_losses[0]:.6f} -> {replay_losses[-1]:.6f}; programs recorded: {len(replay.programs)}")
claim("replay-is-eager", r"\text{20 steps replayed} = \text{20 steps on the tape}",
      lhs=np.append(flat(by_replay), replay_losses), rhs=np.append(flat(by_tape), tape_losses), tol=1e-12)
claim("replay-draws-the-same-stream", r"\text{next draws after the replay} = \text{next draws after the tape}",
      lhs=replay_rng.random(4), rhs=tape_rng.random(4), tol=0)

# %% [markdown]
# Two more routes. `interpret` goes through the recorded list as it stands, one NumPy call for each operation: it
# shares the recording, but no loop, no memory, no fusing. And differences share nothing at all: the loss in plain
# NumPy, with the same noise, along a random direction $d$. From $w' = w - 0.5\, \nabla L$ follows $\langle \nabla L, d
# \rangle = 2 \langle w - w', d \rangle$.

# %%
compiled = replay.program(weights, X, T, np.random.default_rng(3))
given = [*weights, X, T]
updated, total = compiled.run(given, [np.random.default_rng(3)])
replayed = np.append(flat(updated), total)
updated, total = compiled.interpret(given, [np.random.default_rng(3)])
claim("compiled-is-interpreted", r"\text{fused loops} = \text{one NumPy call for each operation}",
      lhs=replayed, rhs=np.append(flat(updated), total), tol=1e-13)

noisy = X + 0.1 * np.random.default_rng(3).standard_normal(X.shape)
directions = [draws.normal(size=w.shape) for w in weights]

def plain_loss(h):
    """The loss at w + h d, by NumPy alone."""
    W1, b1, W2, b2 = (w + h * d for w, d in zip(weights, directions))
    scores = np.tanh(noisy @ W1 + b1) @ W2 + b2
    return np.mean(np.log(np.exp(scores).sum(axis=1)) - (scores * T).sum(axis=1))

claim("replay-against-differences", r"\langle \nabla L, d \rangle \text{ replayed} = (L(w + hd) - L(w - hd)) / 2h",
      lhs=2 * (flat(weights) - replayed[:-1]) @ flat(directions), rhs=(plain_loss(1e-5) - plain_loss(-1e-5)) / 2e-5,
      tol=1e-8)
claim("replayed-loss-by-hand", r"L \text{ replayed} = L \text{ by hand}", lhs=replayed[-1], rhs=plain_loss(0.0),
      tol=1e-13)

# %% [markdown]
# ### What cannot be compiled
#
# A tape follows the program wherever it goes. A recording is one way through it.
#
# **Before you run the next cell**: `softened` takes one of two ways. What should a recorder do that has seen only one
# of them: go that way for ever, ask again each time, or refuse?

# %%
def softened(x):
    """x^2 near 0, then a straight line: one way or the other."""
    if ad.sum(x * x) < 1:
        return ad.sum(x * x)
    return 2 * ad.sqrt(ad.sum(x * x)) - 1

try:
    record(softened)(np.array([0.3, 0.4]))
except RecordError as refusal:
    print(textwrap.fill(str(refusal), 100))

# %% [markdown]
# It refuses, because the first answer would be wrong in silence and the second is the tape. Do as it says: compute both
# ways and choose by `where`, which is an operation like others and has a gradient rule (mind the trap of section 8:
# the way that is not taken must have a harmless slope).

# %%
def softened_by_where(x):
    square = ad.sum(x * x)
    return ad.where(square < 1, square, 2 * ad.sqrt(ad.maximum(square, 1)) - 1)

both_sides = [np.array([0.3, 0.4]), np.array([3.0, 4.0])]
value_recorded, slope_recorded = record(softened_by_where), record(ad.grad(softened_by_where))
claim("where-takes-both-ways", r"\text{where, recorded once} = \text{if, decided each time}",
      lhs=[value_recorded(x).item() for x in both_sides], rhs=[float(softened(x)) for x in both_sides], tol=1e-15)
claim("where-has-both-slopes", r"\nabla = 2x \text{ inside}, \; 2x/|x| \text{ outside}",
      lhs=[slope_recorded(x).copy() for x in both_sides], rhs=[2 * both_sides[0], 2 * both_sides[1] / 5], tol=1e-15)

# %% [markdown]
# `fit`, which trains the models of the coming lectures, records the step of a model after a while and replays it; where
# a model cannot be recorded, it stays on the tape. You will see the same losses and wait less.
#
# ## What to remember
#
# * A tape lists values and local slopes. Read backwards, it gives the whole gradient for at most five times the price
#   of the value, whatever the number of inputs. It pays with memory.
# * A rule is the transpose of a linear map. Find it by moving $dx$ to one side of $\langle g, dy \rangle$.
# * `vjp` multiplies by $J^T$, `jvp` by $J$. Gradients of gradients come free when rules are written in the engine's
#   terms.
# * Check a gradient with a *random* cotangent, in float64, with central differences.
# * Differences lose a third of the digits at best, the tape next to none.
# * Who sees the whole list of operations can leave out what is repeated or dead, fuse the rest, and use memory again.
#   The price: the way through the list must not depend on values.
#
# ## Exercises
#
# `minigen exercise start 01 FOLDER`, then `pytest` in there. You write
#
# 1. `softmax_vjp`: the cotangent rule of softmax, from $y$ and $g$ alone, along any axis;
# 2. `matmul_vjp`: the rule of $AB$ for stacks of matrices that broadcast against each other;
# 3. `reverse_pass`: the pass of section 1 when nobody numbered the values in order;
# 4. `accepts`: a gradient check of your own. It must reject a slip of 0.1 %, every wrong rule of section 5, and no
#    right one.
# 5. `worth_computing`: what a compiler keeps of a list of operations, when nothing is computed twice or for nothing.
#
# To think about. Change `Number` so that its slopes are Numbers: what can you differentiate then? Why does the tape
# of $\tanh$ need the result to go back, and not the argument? How would you go back through 1000 layers with memory
# for 60 of them (Griewank 1992)?
#
# ## References
#
# * A. V. Aho, M. S. Lam, R. Sethi, J. D. Ullman. *Compilers: Principles, Techniques, and Tools*, 2nd edition,
#   chapter 9. Addison-Wesley, 2006.
# * F. E. Allen, J. Cocke. A catalogue of optimizing transformations. In *Design and Optimization of Compilers*,
#   Prentice-Hall, 1-30, 1971.
# * W. Baur, V. Strassen. The complexity of partial derivatives. *Theoretical Computer Science* 22, 317-330, 1983.
# * F. L. Bauer. Computational graphs and rounding error. *SIAM Journal on Numerical Analysis* 11(1), 87-96, 1974.
# * A. G. Baydin, B. A. Pearlmutter, A. A. Radul, J. M. Siskind. Automatic differentiation in machine learning: a
#   survey. *Journal of Machine Learning Research* 18(153), 1-43, 2018.
# * J. Cocke. Global common subexpression elimination. *SIGPLAN Notices* 5(7), 20-24, 1970.
# * M. R. Garey, D. S. Johnson. *Computers and Intractability*, problem SR2. Freeman, 1979.
# * A. Griewank. Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation.
#   *Optimization Methods and Software* 1(1), 35-54, 1992.
# * A. Griewank, A. Walther. *Evaluating Derivatives*, 2nd edition. SIAM, 2008.
# * N. J. Higham. *Accuracy and Stability of Numerical Algorithms*, 2nd edition. SIAM, 2002.
# * S. Linnainmaa. Taylor expansion of the accumulated rounding error. *BIT* 16, 146-160, 1976.
# * J. Nocedal, S. J. Wright. *Numerical Optimization*, 2nd edition, chapter 8. Springer, 2006.
# * B. A. Pearlmutter. Fast exact multiplication by the Hessian. *Neural Computation* 6(1), 147-160, 1994.
# * R. T. Rockafellar. *Convex Analysis*. Princeton University Press, 1970.
# * B. Speelpenning. *Compiling Fast Partial Derivatives of Functions Given by Algorithms*. PhD thesis, University of
#   Illinois at Urbana-Champaign, 1980.
# * J. Townsend. A new trick for calculating Jacobian vector products. Web note, 2017.
# * R. E. Wengert. A simple automatic derivative evaluation program. *Communications of the ACM* 7(8), 463-464, 1964.
