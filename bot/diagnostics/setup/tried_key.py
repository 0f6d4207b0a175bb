"""What came of trying a key."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.brokers.credentials import Credentials
from bot.domain.account import AccountRef


@dataclass(frozen=True)
class Tried:
    """`problem` is empty when the key will do. `doubts` are worth a word and hold nothing up."""

    problem: str
    proof: str = ""
    doubts: tuple[str, ...] = ()


TryKey = Callable[[AccountRef, Credentials], Tried]
