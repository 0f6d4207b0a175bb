"""Everything an entry has to pass, in the order in which a person would ask: stopped? ready? within the limits?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from bot.domain.veto import Veto, VetoRule
from bot.storage.intents import OrderIntent


class Judge(Protocol):
    """Says why entries may not leave, by rows of the connection it is given."""

    def veto(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """Why this one may not leave, or None."""

    def veto_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """The same for many, in their order, by client order id: what is let out counts for those behind it."""


class NothingHalted:
    """A judge that lets everything out."""

    def veto(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return None

    def veto_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        return {}


class TradingGate:
    """The gate of all accounts of one process (`bot.execution.entry_gate.EntryGate`).

    `not_ready` says of an account, by its label and from memory, why it may not enter now (an empty text = it may);
    `market_closed` the same of an account and a market.
    """

    def __init__(
        self,
        *,
        halted: Judge,
        not_ready: Callable[[str], str],
        limits: Judge,
        market_closed: Callable[[str, str], str] = lambda _account, _symbol: "",
    ) -> None:
        self._halted = halted
        self._not_ready = not_ready
        self._market_closed = market_closed
        self._limits = limits

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return self.still(connection, intent) or self._limits.veto(connection, intent)

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return self._halted.veto(connection, intent) or self._unready(intent)

    def admit_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        # What is stopped takes no place of those who are not.
        stopped = self.still_all(connection, intents)
        left = [each for each in intents if each.client_order_id not in stopped] if stopped else intents
        return {**stopped, **self._limits.veto_all(connection, left)}

    def still_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        vetoes = dict(self._halted.veto_all(connection, intents))
        for each in intents:
            if each.client_order_id not in vetoes:
                veto = self._unready(each)
                if veto is not None:
                    vetoes[each.client_order_id] = veto
        return vetoes

    def _unready(self, intent: OrderIntent) -> Veto | None:
        why = self._not_ready(intent.account_id)
        if why:
            return Veto(VetoRule.NOT_READY, why)
        closed = self._market_closed(intent.account_id, intent.symbol)
        return Veto(VetoRule.MARKET_CLOSED, closed) if closed else None
