"""Nonces of API keys: each must exceed the highest seen from that key, apart from an optional window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

HIGHEST_POSSIBLE = 2**64 - 1


def read_nonce(text: str | None) -> int | None:
    """The nonce as a number, or None if it isn't an unsigned 64-bit integer in plain ASCII digits."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 20:
        return None
    nonce = int(text)
    return nonce if nonce <= HIGHEST_POSSIBLE else None


class NonceBook:
    """The highest nonce of every key. ``remember`` is called with each one accepted, before it counts."""

    def __init__(self, remember: Callable[[str, int], None] = lambda _key, _nonce: None) -> None:
        self._highest: dict[str, int] = {}
        self._used: dict[str, set[int]] = {}
        self._remember = remember

    def accept(self, api_key: str, nonce: int, *, window: int = 0) -> bool:
        """Use ``nonce``; False if it is not above the highest seen.

        With a ``window`` a nonce not yet used is also accepted down to ``highest - window``.
        """
        highest = self._highest.get(api_key, -1)
        if nonce <= highest and (nonce < highest - window or nonce in self._recent(api_key, highest)):
            return False
        self._remember(api_key, nonce)
        self._highest[api_key] = max(highest, nonce)
        if window:
            recent = self._recent(api_key, highest) | {nonce}
            self._used[api_key] = {used for used in recent if used >= self._highest[api_key] - window}
        return True

    def highest(self, api_key: str) -> int | None:
        return self._highest.get(api_key)

    def snapshot(self) -> dict[str, int]:
        return dict(self._highest)

    def restore(self, highest: Mapping[str, int]) -> None:
        self._highest.update(highest)

    def _recent(self, api_key: str, highest: int) -> set[int]:
        return self._used.get(api_key, set()) | {highest}
