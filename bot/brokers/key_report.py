"""What a venue says of a key: what it may do, and whose account it opens."""

from collections.abc import Collection
from dataclasses import dataclass

from bot.domain.errors import KeyUnfit


@dataclass(frozen=True, kw_only=True)
class KeyReport:
    """`said_by` names the call and what it showed, in words that prove something.

    `withdraw_rights` are those of the key's rights with which money can leave the account, in the venue's names.
    `identity` is the same at each connection with the same key. Where `names_account` it is the same for every key of
    one account, and no other account has it; elsewhere a new key is a new identity, which proves nothing by itself.
    `unbound` says what may become of a key that works from any address; empty where it is bound, or nobody tells.
    """

    said_by: str
    identity: str
    names_account: bool
    withdraw_rights: tuple[str, ...] = ()
    unbound: str = ""


def refuse_without(needed: Collection[str], granted: Collection[str], *, label: str, venue: str, code: str) -> None:
    """Raises `KeyUnfit` with the names of the rights that are missing, in the venue's words."""
    missing = [name for name in needed if name not in granted]
    if missing:
        raise KeyUnfit(
            f"{label}: the API key lacks the right to {', '.join(missing)}; grant it at {venue}", venue_code=code
        )
