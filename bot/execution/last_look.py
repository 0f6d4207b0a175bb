"""The last look at a batch before it leaves: one reading for all of it, and what has come between since the mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.veto import Veto
from bot.execution.entry_gate import EntryGate
from bot.execution.lane_passenger import Passenger
from bot.storage import boardings
from bot.storage import signals as signal_rows

# What memory said of an account when its order was marked stands for so long.
FIT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class LastLook:
    """`committed` are the batch's orders that are marked in the store; `in_force` those of them whose account has not
    been opened anew since. The others are orders by id (`vetoed`) and accounts by label (`paused`)."""

    committed: frozenset[str]
    in_force: frozenset[str]
    vetoed: Mapping[str, Veto]
    paused: frozenset[str]
    master_sold: bool

    @classmethod
    def read(cls, connection: Connection, passengers: Sequence[Passenger], gate: EntryGate) -> "LastLook":
        """All passengers follow one signal. A plan that was rolled back has left nothing to read."""
        signal_id, symbol = passengers[0].signal.signal_id, passengers[0].intent.symbol
        epochs = boardings.may_leave(connection, signal_id)
        in_force = frozenset(one.order_id for one in passengers if epochs.get(one.order_id) == one.seat.epoch)
        complete = all(one.order_id in in_force for one in passengers)
        committed = in_force if complete else boardings.committed(connection, signal_id)
        if not committed:
            return cls(committed=committed, in_force=in_force, vetoed={}, paused=frozenset(), master_sold=False)
        sequence = signal_rows.sequence_of(connection, signal_id)
        return cls(
            committed=committed,
            in_force=in_force,
            vetoed=gate.still_all(connection, [one.intent for one in passengers]),
            paused=boardings.paused_for(connection, symbol),
            master_sold=boardings.sold_since(connection, symbol, sequence=sequence),
        )

    def why_not(self, one: Passenger, now: float) -> str:
        """Why this order stays behind (empty = it leaves); its own thread judges what follows from it."""
        if one.order_id not in self.in_force:
            return "the account was opened anew"
        if one.order_id in self.vetoed:
            return str(self.vetoed[one.order_id])
        if one.seat.account.label in self.paused:
            return f"{one.intent.symbol} was paused"
        if self.master_sold:
            return "the master has sold again"
        if now >= one.leave_before:
            return "its time was over before its batch left"
        fit = now - one.marked_at < FIT_SECONDS or one.seat.fit(one.signal)
        return "" if fit else "the account may not enter any more"
