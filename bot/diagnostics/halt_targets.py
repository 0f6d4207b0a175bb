"""What a person means by TARGET: everything, a brokerage, an account or a symbol."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from bot.domain.halt import Halt, HaltScope
from bot.domain.symbol import normalise_symbol
from bot.storage.accounts import states
from bot.storage.traded_symbols import traded_symbols


class Refused(Exception):
    """A word that cannot be taken; the message says why and what would be."""


@dataclass(frozen=True)
class Target:
    """What is to be stopped or resumed; `target` is "" for everything."""

    scope: HaltScope
    target: str = ""

    @property
    def word(self) -> str:
        """As it is typed. A master's label is its brokerage's name, so an account says that it is one."""
        if self.scope is HaltScope.ALL:
            return "all"
        return f"account:{self.target}" if self._is_master else self.target

    @property
    def _is_master(self) -> bool:
        """A user's label has the user before the brokerage."""
        return self.scope is HaltScope.ACCOUNT and "_" not in self.target

    def is_of(self, halt: Halt) -> bool:
        """Whether the halt was set for exactly this."""
        return (halt.scope, halt.target) == (self.scope, self.target)


def target_of(connection: Connection, text: str, *, sure: bool = False) -> Target:
    """`all`, `kraken`, `anna_kraken`, `BTC/USD`; `broker:`, `account:` or `symbol:` before it leaves no doubt.

    A brokerage's bare name is the brokerage with all its accounts. A symbol that nobody here ever traded needs `sure`:
    a typing error would stop nothing and look like a stop. Raises `Refused`.
    """
    kind, separator, name = text.strip().partition(":")
    if not separator:
        kind, name = "", kind
    known = states(connection)
    if kind in ("", "all") and name.lower() == "all":
        return Target(HaltScope.ALL)
    if kind in ("", "broker") and name.lower() in {row.broker for row in known}:
        return Target(HaltScope.BROKER, name.lower())
    if kind in ("", "account") and name in {row.account_id for row in known}:
        return Target(HaltScope.ACCOUNT, name)
    if kind == "symbol" or (not kind and ("/" in name or "-" in name)):
        return Target(HaltScope.SYMBOL, _symbol(connection, name, sure=sure))
    raise Refused(_unknown(text, kind, known))


def covered(connection: Connection, target: Target | Halt) -> Sequence[Row[Any]]:
    """The accounts that it touches; those of a symbol are all."""
    rows = [row for row in states(connection) if row.health is not None]
    if target.scope is HaltScope.BROKER:
        return [row for row in rows if row.broker == target.target]
    if target.scope is HaltScope.ACCOUNT:
        return [row for row in rows if row.account_id == target.target]
    return rows


def _symbol(connection: Connection, text: str, *, sure: bool) -> str:
    try:
        symbol = normalise_symbol(text)
    except ValueError as error:
        raise Refused(str(error)) from error
    known = traded_symbols(connection)
    if symbol not in known and not sure:
        near = _closest(symbol, known)
        raise Refused(f"No account here ever traded {symbol}{near}. If it is meant all the same, add --yes")
    return symbol


def _unknown(text: str, kind: str, known: Sequence[Row[Any]]) -> str:
    brokers = sorted({row.broker for row in known})
    labels = [row.account_id for row in known]
    if not labels:
        return f"There is nothing called {text!r}: no account was ever seen here. all stops everything"
    what = {"broker": "brokerage", "account": "account"}.get(kind, "brokerage, account or symbol")
    words = [f"There is no {what} {text!r}{_closest(text, ['all', *brokers, *labels])}"]
    words += [f"Brokerages: {', '.join(brokers)}", f"accounts: {', '.join(labels[:8])}{', …' if labels[8:] else ''}"]
    return f"{words[0]}. {words[1]}; {words[2]}; symbols as BTC/USD; or all"


def _closest(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=0.6)
    return f". Did you mean {near[0]}?" if near and near[0] != text else ""
