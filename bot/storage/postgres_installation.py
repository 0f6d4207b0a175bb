"""Opening a database on PostgreSQL: in turn with other processes, and only if it is ours and of a version we know.

The server keeps the rows safe, so nothing is copied or checked for damage here. What can go wrong is that it is another
database than before: the marker in the state directory knows the id of the one that belongs to it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.storage import instance_lease, migrations, process, processes
from bot.storage.installation import Installation, Look, found_marker, refuse_newer, settle
from bot.storage.instance_lease import Holder
from bot.storage.marker import MARKER_FILE, InstallMarker
from bot.storage.postgres import describe
from bot.storage.schema import order_intent
from bot.storage.store import open_engine

log = logging.getLogger(__name__)


# Since when many processes may share a database.
MANY_PROCESSES = "0008"


@dataclass(frozen=True)
class Sharing:
    """What one process of many says of itself: a digest of the accounts it knows, and how many it takes at most."""

    accounts_sha256: str
    share: int | None = None


class PostgresOpening:
    """First `prepare`, then take the lease, then `open`: only who has the lease changes tables that hold rows.

    All three raise `StoreUnavailable` while the server cannot be reached, and `ConfigurationError` for a database that
    must not be used. With `sharing` the process becomes one of many, as soon as nobody works with the database alone.
    """

    def __init__(
        self,
        url: URL,
        state_dir: Path,
        *,
        now: Callable[[], datetime],
        fresh_id: Callable[[], str],
        sharing: Sharing | None = None,
    ) -> None:
        self._url = url
        self._sharing = sharing
        self._state_dir = state_dir
        self._now = now
        self._fresh_id = fresh_id
        self._name = describe(url)

    def prepare(self) -> None:
        """Look at the database, and make the tables in one that has none: the lease is a row of them."""
        look = self._judged_look()
        if look.revision is None:
            migrations.upgrade(self._url)

    def take_lease(self, *, owner: str, pid: int, lease_seconds: float) -> tuple[bool, Holder]:
        """Whether the lease is ours now (of the database, or of one of its processes), and who has it."""
        if self._sharing is not None:
            self._bring_up_to_date_alone(owner, pid, lease_seconds)
        engine = open_engine(self._url, writer=True)
        try:
            with engine.begin() as connection:
                take = self._take_alone if self._sharing is None else self._join
                mine = take(connection, owner, pid, lease_seconds)
                holder = mine or self._in_the_way(connection) or instance_lease.holder_of(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        finally:
            engine.dispose()
        assert holder is not None  # nobody else had it, or we would
        return mine is not None, holder

    def _take_alone(self, connection: Connection, owner: str, pid: int, lease_seconds: float) -> Holder | None:
        if self._knows_many(connection):
            processes.declare_gone(connection, now=self._now())
            if processes.not_ended(connection):
                return None
        return instance_lease.take(connection, owner=owner, pid=pid, lease_seconds=lease_seconds, now=self._now())

    def _join(self, connection: Connection, owner: str, pid: int, lease_seconds: float) -> Holder | None:
        assert self._sharing is not None
        joined = processes.join(
            connection,
            process_id=owner,
            pid=pid,
            accounts_sha256=self._sharing.accounts_sha256,
            share=self._sharing.share,
            lease_seconds=lease_seconds,
            now=self._now(),
        )
        return None if joined is None else joined.as_holder()

    def _in_the_way(self, connection: Connection) -> Holder | None:
        """Of one that wants to work alone; the tables of earlier versions knew no other way."""
        if self._sharing is not None or not self._knows_many(connection):
            return None
        first = next(iter(processes.not_ended(connection)), None)
        return None if first is None else first.as_holder()

    def _knows_many(self, connection: Connection) -> bool:
        revision = migrations.revision_of(connection)
        return revision is not None and revision >= MANY_PROCESSES

    def _bring_up_to_date_alone(self, owner: str, pid: int, lease_seconds: float) -> None:
        """Tables of an earlier version are changed by one process that has the database to itself for so long."""
        if self._judged_look().revision == migrations.head():
            return
        engine = open_engine(self._url, writer=True)
        try:
            with engine.begin() as connection:
                alone = self._take_alone_to_migrate(connection, owner, pid, lease_seconds)
            migrations.upgrade(self._url)
            with engine.begin() as connection:
                instance_lease.give_back(connection, epoch=alone.epoch, now=self._now())
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        finally:
            engine.dispose()

    def _take_alone_to_migrate(self, connection: Connection, owner: str, pid: int, lease_seconds: float) -> Holder:
        if self._knows_many(connection):
            processes.declare_gone(connection, now=self._now())
        if self._knows_many(connection) and processes.not_ended(connection):
            raise StoreUnavailable("processes of an earlier version work with it, and its tables must be changed")
        alone = instance_lease.take(connection, owner=owner, pid=pid, lease_seconds=lease_seconds, now=self._now())
        if alone is None:
            raise StoreUnavailable("a process works with it, and its tables must be changed")
        return alone

    def open(self) -> Installation:
        """With the lease in hand: bring the tables up to date, count the start, write the marker."""
        look = self._judged_look()
        if look.revision != migrations.head():
            log.info("%s gets a new schema: %s, was %s", self._name, migrations.head(), look.revision)
            migrations.upgrade(self._url)
        marker = found_marker(self._state_dir)
        try:
            alone = self._is_alone()
            return settle(
                self._url, self._state_dir, look, marker, now=self._now(), fresh_id=self._fresh_id, alone=alone
            )
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def _is_alone(self) -> bool:
        """Whether no other process is at work, so that a run that did not end cleanly is one that crashed."""
        engine = open_engine(self._url, writer=False)
        try:
            with engine.connect() as connection:
                return len(processes.living(connection, now=self._now())) <= 1
        finally:
            engine.dispose()

    def _judged_look(self) -> Look:
        look = self._look()
        refuse_newer(look, self._name)
        marker = found_marker(self._state_dir)
        if isinstance(marker, InstallMarker) and look.install_id != marker.install_id:
            belongs = "has no installation" if look.install_id is None else "belongs to another installation"
            raise ConfigurationError(
                f"{self._name} {belongs} ({(look.install_id or 'empty')[:8]}), and {MARKER_FILE} in {self._state_dir} "
                f"says that {marker.install_id[:8]} lives here: its orders and positions are not in that database. Set "
                "DATABASE_URL to the right one, or give the new one a directory of its own with STATE_DIR"
            )
        if look.install_id is None and look.has_orders:
            raise ConfigurationError(f"{self._name} has orders but no install id. It was not made by NIJA alone")
        return look

    def _look(self) -> Look:
        engine = open_engine(self._url, writer=False)
        try:
            with engine.connect() as connection:
                revision = migrations.revision_of(connection)
                if revision is None:
                    return Look()
                orders = connection.execute(select(func.count()).select_from(order_intent)).scalar_one()
                return Look(revision, process.get_meta(connection, process.INSTALL_ID), bool(orders))
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        finally:
            engine.dispose()


def _unavailable(error: SQLAlchemyError) -> StoreUnavailable:
    return StoreUnavailable(" ".join(str(error.__cause__ or error).split()))
