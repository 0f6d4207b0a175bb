"""Which users there are: those who copy, those who left and are not done, and those whom no file names any more."""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from bot.copy_trade_engine import Follower
from bot.domain.account import AccountRef
from bot.domain.leaving import WhenDisabled
from bot.position_sizer import rules_of
from bot.settings.users import UserSettings
from bot.storage import memberships
from bot.storage.duties import Duties, duties_of, orphans, what_to_do
from bot.storage.store import Store

log = logging.getLogger(__name__)


class Roster:
    """Made once at the start, from the user files and what the store knows of each user.

    `followers` are the users to be connected. A user who is switched off is among them as long as its duties need a
    connection (`leaving` says which they are); one that has none left is not.
    """

    def __init__(self, store: Store, users: Sequence[UserSettings]) -> None:
        self._store = store
        self._users = tuple(users)
        self.followers = [_follower(user) for user in self._users if user.enabled or self._has_to_end(user)]

    def enter(self) -> None:
        """Say loudly who is an orphan, and write down who is owed which signals from now on."""
        with self._store.read() as connection:
            orphaned = orphans(connection, {user.account for user in self._users})
        for account, duties in orphaned.items():
            log.critical("ORPHANED_POSITION %s: %s", account.label, what_to_do(duties))
        self._store.write(lambda connection: self._open_memberships(connection, orphaned))

    def leaving(self, account: AccountRef) -> WhenDisabled | None:
        """What a user who is switched off wants to become of what it holds; None for everybody else."""
        return next((each.leaving for each in self.followers if each.account == account), None)

    def has_duties(self, account: AccountRef) -> bool:
        """Whether the account needs its thread whatever its balance says."""
        duties = self._duties(account)
        return duties.under_way if self.leaving(account) is WhenDisabled.KEEP else duties.any

    def see_off(self, account: AccountRef) -> str:
        """A user who left is done, so it is owed nothing more; returns how it stands in words."""
        self._store.write(lambda connection: memberships.close_membership(connection, account.label))
        kept = self._duties(account)
        return f"switched off; it keeps {kept}" if kept.any else "switched off; nothing copied is held any more"

    def _has_to_end(self, user: UserSettings) -> bool:
        duties = self._duties(user.account)
        return duties.under_way if user.when_disabled is WhenDisabled.KEEP else duties.any

    def _duties(self, account: AccountRef) -> Duties:
        with self._store.read() as connection:
            return duties_of(connection, account.label)

    def _open_memberships(self, connection: Connection, orphaned: Mapping[AccountRef, Duties]) -> None:
        active = {each.account.label: each.account for each in self.followers if each.leaving is None}
        mirroring = [each.account for each in self.followers if each.leaving is WhenDisabled.CLOSE_ONLY]
        exits_only = {account.label: account for account in (*mirroring, *orphaned)}
        memberships.set_active(connection, active, exits_only)


def _follower(user: UserSettings) -> Follower:
    return Follower(
        account=user.account,
        name=user.name,
        shadow=user.shadow,
        paper_balance=user.paper_balance,
        leaving=None if user.enabled else user.when_disabled,
        rules=rules_of(user.copy_rules),
    )
