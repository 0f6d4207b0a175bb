"""Of several processes on one database one tells people: the oldest that is there."""

from datetime import timedelta

from bot.notifications.post_office import LEADER_SECONDS, Leadership
from bot.storage import processes
from bot.storage.store import Store
from tests.unit.notifications.conftest import MovedClock


def join(store: Store, clock: MovedClock, process_id: str) -> None:
    store.write(
        lambda connection: processes.join(
            connection,
            process_id=process_id,
            pid=1,
            accounts_sha256="0",
            share=None,
            lease_seconds=600,
            now=clock.now(),
        )
    )


def test_the_oldest_process_leads_and_the_next_one_when_it_has_gone(store: Store, clock: MovedClock) -> None:
    for name in ("first", "second"):
        join(store, clock, name)
    one, two = (Leadership(store, clock, name) for name in ("first", "second"))
    assert (one(), two()) == (True, False)
    store.write(lambda connection: processes.leave(connection, "first", reason="asked to", now=clock.now()))
    clock.later += timedelta(seconds=LEADER_SECONDS)
    assert (one(), two()) == (False, True)


def test_a_process_that_works_alone_leads(store: Store, clock: MovedClock) -> None:
    assert Leadership(store, clock, None)()
