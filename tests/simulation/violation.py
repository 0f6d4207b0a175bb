"""A broken promise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """`rule` begins with the invariant's number where it has one."""

    rule: str
    detail: str
