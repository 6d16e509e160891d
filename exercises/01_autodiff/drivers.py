"""These run in the child: they turn plain inputs into what `accepts` takes. `student` holds the submission."""
import numpy as np


def judge_tanh(student, A, candidates, x, scale, size, rng):
    """f(x) = size tanh(x A / scale); the pullback is that of f with B in the place of A, for every candidate B."""
    def f(x):
        return size * np.tanh(x @ A / scale)

    slope = size * (1 - np.tanh(x @ A / scale) ** 2) / scale
    return [student.accepts(f, lambda g, B=B: (g * slope) @ B.T, x, rng) for B in candidates]


def judge_linear(student, P, candidates, x, shape, rng):
    """f(x) = the vector P x in another shape; the pullback is that of Q x, for every candidate Q."""
    def f(x):
        return (P @ x.ravel()).reshape(shape)

    return [student.accepts(f, lambda g, Q=Q: (Q.T @ g.ravel()).reshape(x.shape), x, rng) for Q in candidates]


def judge_softmax(student, candidates, x, rng):
    """f = softmax of the whole vector x; the pullback of candidate (a, b) is y (a g - b <g, y>)."""
    def f(x):
        e = np.exp(x - x.max())
        return e / e.sum()

    y = f(x)
    return [student.accepts(f, lambda g, a=a, b=b: y * (a * g - b * (g @ y)), x, rng) for a, b in candidates]
