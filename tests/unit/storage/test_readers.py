"""Any number of threads read at once, over the few connections that there are."""

import threading
from pathlib import Path

from sqlalchemy import event, text

from bot.storage import migrations
from bot.storage.store import READERS, Store, sqlite_url

THREADS = 200


def test_many_threads_that_read_at_once_take_turns_and_open_no_further_connections(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    store, opened, answers, go = Store(url), list[object](), list[int](), threading.Event()
    event.listen(store._reader, "connect", lambda connection, _record: opened.append(connection))

    def read() -> None:
        go.wait()
        for _ in range(5):
            with store.read() as connection:
                answers.append(connection.execute(text("SELECT count(*) FROM account")).scalar_one())

    threads = [threading.Thread(target=read) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(60)
    store.close()
    assert answers == [0] * (5 * THREADS)
    assert len(opened) <= READERS
