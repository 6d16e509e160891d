"""What follows from the timings of a race: the ratio of every pair, and whether it is what it is to be."""

from __future__ import annotations

from dataclasses import dataclass

from .harness import Race, Spread


@dataclass(frozen=True)
class Verdict:
    """The time of `ours` over that of `peer`: a spread, or None and why; and its target where it has one."""

    case: str
    setting: str
    ours: str
    peer: str
    ratio: Spread | None
    at_most: float | None
    absent: str = ""

    @property
    def word(self) -> str:
        """met, missed, not measured; empty where there is no target."""
        if self.at_most is None:
            return ""
        if self.ratio is None:
            return "not measured"
        return "met" if self.ratio.median <= self.at_most else "missed"


def verdicts(race: Race) -> list[Verdict]:
    """Every pair of a race, in its order."""
    return [_verdict(race, ours, peer) for ours, peers in race.case.races.items() for peer in peers]


def _verdict(race: Race, ours: str, peer: str) -> Verdict:
    a, b = race.timings[ours], race.timings[peer]
    absent = next((f"{t.peer}: {t.absent}" for t in (a, b) if t.absent), "")
    return Verdict(race.case.name, race.setting, ours, peer, None if absent else a.ratio(b),
                   race.case.at_most(race.setting, ours, peer), absent)
