"""What an account still has to do, whoever its owner is by now: the reasons not to forget it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.position import Position
from bot.storage import copies, intents, positions
from bot.storage.schema import account


@dataclass(frozen=True)
class Duties:
    """Open positions, and how many copies without an answer and orders without an end there are."""

    positions: Sequence[Position]
    unanswered: int
    unended: int

    @property
    def under_way(self) -> bool:
        """Whether something that was begun has no end yet."""
        return bool(self.unanswered or self.unended)

    @property
    def any(self) -> bool:
        return self.under_way or bool(self.positions)

    def __str__(self) -> str:
        """`0.5 BTC/USD, 3 ETH/USD, 1 copy without an answer`."""
        parts = [f"{held.quantity.normalize():f} {held.symbol}" for held in self.positions]
        if self.unanswered:
            parts.append(f"{self.unanswered} {'copy' if self.unanswered == 1 else 'copies'} without an answer")
        if self.unended:
            parts.append(f"{self.unended} {'order' if self.unended == 1 else 'orders'} without an end")
        return ", ".join(parts) or "nothing"


def duties_of(connection: Connection, account_id: str) -> Duties:
    return Duties(
        positions.positions_of(connection, account_id),
        len(copies.planned_copies(connection, account_id)),
        len(intents.unfinished(connection, account_id)),
    )


def orphans(connection: Connection, configured: Collection[AccountRef]) -> dict[AccountRef, Duties]:
    """Users whom no file names any more, and what they have left behind. Those who left nothing are not in it."""
    query = select(account).where(account.c.account_type == str(AccountType.USER)).order_by(account.c.account_id)
    users = [AccountRef.user(BrokerType(row.broker), row.user_id) for row in connection.execute(query)]
    found = {user: duties_of(connection, user.label) for user in users if user not in configured}
    return {user: duties for user, duties in found.items() if duties.any}


def what_to_do(duties: Duties) -> str:
    """About an orphan, for whoever can help it."""
    return (
        f"no file in config/users names this user any more, and it has {duties}. Nothing is sold for it. Put it back "
        "with enabled: false and when_disabled: close_now, close_only or keep, and restart"
    )
