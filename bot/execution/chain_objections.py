"""What else goes on in an account, and what it means for its resting orders: halts, a flatten, a master's exit."""

from bot.brokers.base import BaseBroker
from bot.domain.halt import HaltScope
from bot.domain.leaving import WhenDisabled
from bot.domain.order import OrderKind
from bot.domain.veto import VetoRule
from bot.execution.chain_steps import Steps, enters, filled_of
from bot.execution.order_executor import OrderExecutor
from bot.execution.repositioner import Cancel, GiveUp
from bot.storage import copies, halts
from bot.storage.store import Store


class ChainObjections:
    """Of one account. Reads rows, asks no venue."""

    def __init__(
        self, *, broker: BaseBroker, store: Store, executor: OrderExecutor, leaving: WhenDisabled | None
    ) -> None:
        self._account = broker.account
        self._store = store
        self._executor = executor
        self._leaving = leaving

    def to_going_on(self, steps: Steps) -> GiveUp | None:
        """Why nothing of the chain may be left in the book, nor anything be placed anew."""
        if self._leaving is WhenDisabled.KEEP:
            return GiveUp("the user left, and keeps what it has")
        if not enters(steps):
            return GiveUp("a flatten sells it") if self._is_flattened(steps[0].symbol) else None
        veto = self._executor.vetoed_now(steps[-1])
        # Only a person's word: what is not ready now may be so in a moment.
        return GiveUp(str(veto)) if veto is not None and veto.rule is VetoRule.HALTED else None

    def to_placing(self, steps: Steps) -> bool:
        """Whether the rest of an entry would not be let out at this moment, such as before the account is compared."""
        return enters(steps) and self._executor.vetoed_now(steps[-1]) is not None

    def to_its_size(self, steps: Steps) -> Cancel | None:
        """A trade that came to light late has left less to be traded than the live order is of."""
        if steps[-1].quantity > steps[0].quantity - filled_of(steps[:-1]):
            return Cancel("an order before it has filled more than was known")
        return None

    def to_resting(self, steps: Steps) -> bool:
        """Whether an exit of the master waits for these lots: its users do not wait for a better price."""
        if enters(steps) or self._account.is_master:
            return False
        with self._store.read() as connection:
            waiting = copies.planned_copies(connection, self._account.label)
        return any(row.symbol == steps[0].symbol and row.kind == str(OrderKind.EXIT) for row in waiting)

    def _is_flattened(self, symbol: str) -> bool:
        with self._store.read() as connection:
            campaigns = halts.flattens_of(connection, self._account.label)
        return any(halt.scope is not HaltScope.SYMBOL or halt.target == symbol for halt in campaigns)
