"""Whose figures there are: every account ever seen, or those that were named."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from bot.domain.account import BrokerType
from bot.settings import Settings
from bot.storage.accounts import states


@dataclass(frozen=True, kw_only=True)
class ListedAccount:
    """Whose figures these are. `currency` is the account's own; every amount of it is in that."""

    account_id: str
    name: str
    broker: str
    user_id: str | None
    currency: str

    @property
    def title(self) -> str:
        """As a heading: the label, and who that is."""
        return f"{self.account_id} ({self.name})" if self.user_id else f"{self.account_id} (master)"


class UnknownName(Exception):
    """There is no such account or user. The message says which there are."""


def listed_accounts(connection: Connection, settings: Settings, only: str | None = None) -> Sequence[ListedAccount]:
    """Every account ever seen, masters first; or the one with this label. Raises `UnknownName`."""
    known = [_listed(row, settings) for row in states(connection)]
    if only is None:
        return known
    found = [account for account in known if account.account_id == only]
    if not found:
        raise UnknownName(_no_such("account", only, [account.account_id for account in known]))
    return found


def accounts_of_user(connection: Connection, settings: Settings, user_id: str) -> Sequence[ListedAccount]:
    """A user's accounts, one per brokerage. Raises `UnknownName`."""
    known = listed_accounts(connection, settings)
    found = [account for account in known if account.user_id == user_id]
    if not found:
        users = sorted({account.user_id for account in known if account.user_id})
        raise UnknownName(_no_such("user", user_id, users))
    return found


def _listed(row: Row[Any], settings: Settings) -> ListedAccount:
    return ListedAccount(
        account_id=row.account_id,
        name=row.name,
        broker=row.broker,
        user_id=row.user_id,
        currency=row.quote_currency or settings.quote_currency_of(BrokerType(row.broker)),
    )


def _no_such(what: str, wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"There is no {what} {wanted!r}. There are: {', '.join(known) or 'none yet'}.{meant}"
