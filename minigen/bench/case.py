"""What a case of the bench says about itself, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Absent(Exception):
    """A peer that cannot take part; the message says why."""


@dataclass(frozen=True)
class Target:
    """Under a BLAS setting, the time of `ours` over the time of `peer` is to be at most `at_most`."""

    setting: str
    ours: str
    peer: str
    at_most: float


def targets(ours: str, **settings: Mapping[str, float]) -> tuple[Target, ...]:
    """Targets of one step of ours. settings: A={peer: at most, ...}, B={...}."""
    return tuple(Target(setting, ours, peer, at_most)
                 for setting, row in settings.items() for peer, at_most in row.items())


@dataclass(frozen=True)
class Case:
    """A race. `module` holds one function per peer, named as the peer, that returns a step: a function of nothing.

    races: each step of ours, and the peers whose time it is divided by. passes: of a peer whose step is one of
    several like passes, how many make a whole. A step of a case that `times_itself` returns its own seconds. A
    builder raises ModuleNotFoundError, or Absent with a reason, where its peer cannot run.
    """

    name: str
    title: str
    module: str
    races: Mapping[str, tuple[str, ...]]
    targets: tuple[Target, ...] = ()
    passes: Mapping[str, int] = field(default_factory=dict)
    times_itself: bool = False

    def __post_init__(self) -> None:
        for target in self.targets:
            if target.peer not in self.races.get(target.ours, ()):
                raise ValueError(f"Case {self.name!r}: a target of {target.ours} over {target.peer}, no race of it")
        if strange := set(self.passes) - set(self.peers):
            raise ValueError(f"Case {self.name!r}: passes of {', '.join(sorted(strange))}, which do not race")

    @property
    def peers(self) -> list[str]:
        """Everything that is timed: ours first."""
        return list(dict.fromkeys([*self.races, *(peer for row in self.races.values() for peer in row)]))

    def at_most(self, setting: str, ours: str, peer: str) -> float | None:
        """The target of this pair, if it has one."""
        return next((t.at_most for t in self.targets if (t.setting, t.ours, t.peer) == (setting, ours, peer)), None)
