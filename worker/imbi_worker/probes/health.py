"""What a probe answers: some checks, and whether all that count are passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. *counts* is false for what is only reported."""

    name: str
    is_ok: bool
    detail: str
    counts: bool = True

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Check":
        """:raises KeyError: a part is missing"""
        return cls(str(told["name"]), bool(told["ok"]), str(told["detail"]), bool(told["counts"]))

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.is_ok,
            "detail": self.detail,
            "counts": self.counts,
        }


@dataclass(frozen=True, slots=True)
class Health:
    """The checks of one probe, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        return all(check.is_ok for check in self.checks if check.counts)

    @classmethod
    def from_json(cls, told: Sequence[Mapping[str, Any]]) -> "Health":
        """:raises KeyError: a part is missing"""
        return cls(tuple(Check.from_json(one) for one in told))

    def to_json(self) -> list[dict[str, Any]]:
        return [check.to_json() for check in self.checks]
