"""What the process needs to know of a brokerage to run a front for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paper_exchange.orders import LedgerKind

if TYPE_CHECKING:
    from paper_exchange.exchange import Exchange
    from paper_exchange.http import Front


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new API key: what the client gets (``api_key``, ``api_secret``) and what the exchange verifies with.

    ``public_key`` is None where both sides share the secret (HMAC). ``passphrase`` is a third thing the client must
    know, empty where there is none.
    """

    api_key: str
    api_secret: str
    public_key: str | None = None
    passphrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokerage:
    """``permissions`` are all the names a key may carry, ``default_permissions`` those of a key made without a word
    about them, ``tiers`` the rate-limit tiers, the default first, ``port_offset`` the place from ``--port-base``. With
    ``has_funding`` accounts keep deposits apart from what they trade with, until they are transferred. ``movements``
    are the kinds that have a form of their own at the front."""

    name: str
    port_offset: int
    new_key_pair: Callable[[], KeyPair]
    permissions: frozenset[str]
    default_permissions: frozenset[str]
    front: Callable[[Exchange], Front]
    tiers: tuple[str, ...] = ("intermediate",)
    has_funding: bool = False
    movements: frozenset[LedgerKind] = frozenset()
