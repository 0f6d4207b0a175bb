"""Rows of nonces: up to where those of a key may have been used, whichever process has worked with it.

A nonce file says so for one state directory. Where an account moves from process to process, and from host to host, its
next holder begins above everything that the ones before it may have used.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection, bindparam, insert, select, update

from bot.domain.errors import StoreUnavailable
from bot.seams.clock import Clock
from bot.storage import processes
from bot.storage.schema import nonce_ceiling
from bot.storage.store import Store

_BY_KEY = select(nonce_ceiling).where(nonce_ceiling.c.key_fingerprint == bindparam("key"))
_CHANGE = update(nonce_ceiling).where(nonce_ceiling.c.key_fingerprint == bindparam("the_key"))


class Unused(Protocol):
    """Of the nonces of a key that were reserved below `held`, none from `used_below` on was used."""

    @property
    def key(self) -> str: ...
    @property
    def used_below(self) -> int: ...
    @property
    def held(self) -> int: ...


class NonceCeilings:
    """The rows as one process of many uses them. Both calls wait for the commit, and raise `StoreUnavailable`."""

    def __init__(self, store: Store, clock: Clock, *, process_id: str) -> None:
        self._store = store
        self._clock = clock
        self._process_id = process_id

    def reserve(self, key: str, *, wanted: int, ahead: int, held: int) -> tuple[int, int]:
        """(the lowest nonce that may be used, the ceiling below which all from `wanted` on may be).

        `held` is the ceiling of this process's own reservation, 0 = it has none: below anybody else's, nonces may have
        been used. The new ceiling is `ahead` above the lowest.
        """
        return self._store.write(lambda connection: self._reserve(connection, key, wanted, ahead, held))

    def give_back(self, unused: Sequence[Unused]) -> None:
        """Nothing at or above `used_below` was used, and this process uses no more: the next one begins there."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            for one in unused:
                connection.execute(
                    _CHANGE.where(nonce_ceiling.c.ceiling == one.held, nonce_ceiling.c.process_id == self._process_id),
                    {"the_key": one.key, "ceiling": one.used_below, "process_id": "", "written_at": now},
                )

        self._store.write(work)

    def _reserve(self, connection: Connection, key: str, wanted: int, ahead: int, held: int) -> tuple[int, int]:
        if processes.epoch_of(connection, self._process_id) is None:
            raise StoreUnavailable("this process was declared gone; whoever has its accounts goes on with their nonces")
        row = connection.execute(_BY_KEY, {"key": key}).first()
        ours = row is not None and row.process_id == self._process_id and row.ceiling == held
        lowest = wanted if row is None or ours else max(wanted, row.ceiling)
        ceiling = max(lowest + ahead, 0 if row is None else row.ceiling)
        values = {"ceiling": ceiling, "process_id": self._process_id, "written_at": self._clock.now()}
        if row is None:
            connection.execute(insert(nonce_ceiling).values(key_fingerprint=key, **values))
        else:
            connection.execute(_CHANGE, {"the_key": key, **values})
        return lowest, ceiling
