"""Everything an entry has to pass, in the order in which a person would ask: stopped? ready? within the limits?"""

from collections.abc import Callable

from sqlalchemy import Connection

from bot.domain.veto import Veto, VetoRule
from bot.storage.intents import OrderIntent

Judge = Callable[[Connection, OrderIntent], Veto | None]


class TradingGate:
    """The gate of all accounts of one process (`bot.execution.entry_gate.EntryGate`).

    `halted` and `limits` read rows of the connection they are given; `not_ready` says of an account, by its label and
    from memory, why it may not enter now (an empty text = it may).
    """

    def __init__(self, *, halted: Judge, not_ready: Callable[[str], str], limits: Judge) -> None:
        self._halted = halted
        self._not_ready = not_ready
        self._limits = limits

    def admit(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return self.still(connection, intent) or self._limits(connection, intent)

    def still(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        return self._halted(connection, intent) or self._unready(intent)

    def _unready(self, intent: OrderIntent) -> Veto | None:
        why = self._not_ready(intent.account_id)
        return Veto(VetoRule.NOT_READY, why) if why else None
