"""Identifiers and chance."""

import hashlib
import random
import secrets
from typing import Protocol


class IdSource(Protocol):
    """Fresh identifiers and jitter."""

    def token(self) -> str:
        """32 lower-case hex characters that nobody else has."""

    def fraction(self) -> float:
        """A number in [0, 1), for jitter."""


class SystemIds:
    """The operating system's randomness."""

    def token(self) -> str:
        return secrets.token_hex(16)

    def fraction(self) -> float:
        return random.random()


class SeededIds:
    """The same sequence for the same seed: for simulations."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def token(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def fraction(self) -> float:
        return self._random.random()


def client_order_id(*, install_id: str, decision_id: str, account_id: str, leg: str, attempt: int) -> str:
    """The id an order carries at the venue: 32 lower-case hex characters, legal at all five brokerages.

    Derived, not drawn: whoever plans the same leg of the same decision for the same account again gets the same id, so
    that a crash between planning and sending cannot make a second one. The first four characters tag the installation
    (orders without our tag are never touched); the digits that make it a well-formed UUID are set.
    """
    raw = hashlib.sha256("|".join(("copy/1", install_id, decision_id, account_id, leg, str(attempt))).encode())
    digits = list(raw.hexdigest()[:32])
    digits[:4] = order_tag(install_id)
    digits[12] = "4"
    digits[16] = "89ab"[int(digits[16], 16) % 4]
    return "".join(digits)


def order_tag(install_id: str) -> str:
    """The four hex characters that begin every client order id of this installation."""
    return hashlib.sha256(install_id.encode()).hexdigest()[:4]


def derived_id(*parts: str) -> str:
    """32 hex characters that depend on the parts alone."""
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
