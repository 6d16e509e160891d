"""check_conditionals: claimed conditionals of binary variables against the enumerated joint."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minigen.checks.oracles import binary_chunks, enumerate_binary, evaluate
from minigen.checks.result import CheckResult, Report, fail


class Conditional(NamedTuple):
    """p(targets | given) = prod_j Bernoulli(probability_j(given)).

    targets, given: places of the variables in a row of the joint. probability maps values of the given variables
    (m, len(given)) to P(target_j = 1 | given), shape (m, len(targets)).
    """

    targets: Sequence[int]
    given: Sequence[int]
    probability: Callable


def check_conditionals(
    log_joint: Callable,
    d: int,
    conditionals: dict[str, Conditional],
    *,
    tol: float = 1e-9,
    reveal: bool = False,
    name: str = "check_conditionals",
) -> CheckResult:
    """Each claimed conditional = the one of the joint p(x) = exp log_joint(x) / Z over {0,1}^d, by enumeration.

    log_joint maps (n, d) to (n,), up to a constant. A conditional of several targets claims that they are
    independent given the rest, and is compared as a whole table over their states. Variables that are neither
    target nor given are summed out. d <= 20, tol bounds the largest difference of probabilities.
    reveal: print the joint's probability as well.
    Raises CheckError naming the conditional; ValueError for places that overlap or lie outside.
    """
    logs = np.concatenate([evaluate(log_joint, x) for x in binary_chunks(d)])
    if not (logs < np.inf).all() or not np.isfinite(logs.max()):
        fail(name, np.nan, tol, "log_joint has NaN or +inf, or no state of positive probability")
    joint = np.exp(logs - logs.max())
    joint = (joint / joint.sum()).reshape((2,) * d)
    report = Report(name)
    for title, (targets, given, probability) in conditionals.items():
        targets, given = [int(t) for t in targets], [int(g) for g in given]
        if sorted({*targets, *given}) != sorted(targets + given) or not {*targets, *given} <= set(range(d)):
            raise ValueError(f"{name}: {title} has targets {targets} and given {given}; expected different places "
                             f"in 0..{d - 1}")  # fmt: skip
        exact, weight = _table(joint, targets, given)
        claimed = _claimed(title, probability, len(targets), len(given), name)
        off = np.where(weight[:, None] > 0, np.abs(claimed - exact), 0.0)
        i, j = np.unravel_index(np.argmax(off), off.shape)
        states = [enumerate_binary(len(places), int)[k].tolist() for places, k in ((targets, j), (given, i))]
        shown = f"; claimed {claimed[i, j]:.8g}, joint {exact[i, j]:.8g}" if reveal else ""
        report.compare(off[i, j], tol, title, f"{title}: the probability of targets = {states[0]} given {states[1]} "
                       f"is off by {off[i, j]:.1e} (tolerance {tol:.0e}): it is not the joint's{shown}")  # fmt: skip
    return report.result()


def _table(joint: np.ndarray, targets: list[int], given: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """p(targets | given) as (2^given, 2^targets), and p(given)."""
    rest = [k for k in range(joint.ndim) if k not in targets and k not in given]
    both = joint.transpose(given + targets + rest).reshape(2 ** len(given), 2 ** len(targets), -1).sum(axis=2)
    weight = both.sum(axis=1)
    return both / np.where(weight > 0, weight, 1.0)[:, None], weight


def _claimed(title: str, probability: Callable, targets: int, given: int, name: str) -> np.ndarray:
    """The claimed table: a product of Bernoulli probabilities for every state of the given variables."""
    p = evaluate(probability, enumerate_binary(given))
    if p.shape != (2**given, targets):
        fail(name, np.nan, 0, f"{title} gave shape {p.shape} for {2**given} states; expected {(2**given, targets)}")
    if not ((p >= 0) & (p <= 1)).all():
        fail(name, np.nan, 0, f"{title} gave {p[~((p >= 0) & (p <= 1))][0]}; expected probabilities in [0, 1]")
    states = enumerate_binary(targets)
    return np.prod(np.where(states[None] == 1, p[:, None], 1 - p[:, None]), axis=2)
