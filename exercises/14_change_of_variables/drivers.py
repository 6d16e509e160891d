"""These run in the child, between plain inputs and the student's functions. `student` holds the submission."""
import numpy as np


def chain(student, x, kinds, scales):
    """The student's chain of elementwise maps: kind 0 is e^s x, 1 is sinh(s x), 2 is x^3 + s x, for s = scale > 0."""
    def one(kind, s):
        def apply(x):
            if kind == 0:
                return np.exp(s) * x, np.full(len(x), s * x.shape[1])
            if kind == 1:
                return np.sinh(s * x), np.sum(np.log(s * np.cosh(s * x)), axis=1)
            return x**3 + s * x, np.sum(np.log(3 * x**2 + s), axis=1)
        return apply
    return student.compose([one(int(kind), float(s)) for kind, s in zip(kinds, scales)], x)
