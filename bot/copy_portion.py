"""Which users' answers this process plans, where several processes share the users of a brokerage."""

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Connection

from bot.domain.account import BrokerType
from bot.domain.signal import TradeSignal
from bot.storage import portions
from bot.storage.portions import Missing


class CopyPortion:
    """The accounts that this process holds by the rows; of those in memory, who had its chance to connect.

    An account is planned for signal by signal: while an earlier one waits, so do the later ones. `strangers` are
    accounts with a membership that no settings name any more; `had_its_chance` says whether an account (by label) is
    connected here or has failed to.
    """

    def __init__(self, *, process_id: str, strangers: Collection[str], had_its_chance: Callable[[str], bool]) -> None:
        self._process_id = process_id
        self._strangers = frozenset(strangers)
        self._had_its_chance = had_its_chance

    def of(self, connection: Connection, signal: TradeSignal) -> frozenset[str]:
        """The users (labels) whose answer to this signal can be planned here and now."""
        first: dict[str, str] = {}
        for one in self._missing(connection, signal.broker):
            first.setdefault(one.account_id, one.signal_id)
        return frozenset(label for label, signal_id in first.items() if signal_id == signal.signal_id)

    def waiting(self, connection: Connection, broker: BrokerType) -> Sequence[TradeSignal]:
        """Signals of which something can be planned or marked here, in the order of their making."""
        ids = {one.signal_id for one in self._missing(connection, broker)}
        to_plan = portions.signals_by_id(connection, ids) if ids else ()
        return [*to_plan, *portions.complete_and_open(connection, broker)]

    def _missing(self, connection: Connection, broker: BrokerType) -> Sequence[Missing]:
        return [
            one
            for one in portions.missing(connection, broker, owner=self._process_id, strangers=self._strangers)
            if one.account_id in self._strangers or self._had_its_chance(one.account_id)
        ]
