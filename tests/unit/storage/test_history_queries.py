"""What is read of a history of years is found by an index, whatever its length."""

from typing import Any

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from bot.storage import fidelity_rows, master_trades
from bot.storage.book_entries import EVER, NEVER
from bot.storage.chain_links import KINDS
from bot.storage.store import Store

QUERIES: dict[str, Select[Any]] = {
    "copies": fidelity_rows._COPIES,
    "fills of copies": fidelity_rows._FILLS,
    "fills of the master": fidelity_rows._FILLS_OF_MASTER,
    "trades by hand": fidelity_rows._BY_HAND,
    "signals of a time": master_trades._SIGNALS,
    "when a signal was made": master_trades._MADE_AT,
    "whether a market was traded": master_trades._TRADED_BEFORE,
    **{f"unsealed: {kind.name}": kind.rows(after=5).limit(200) for kind in KINDS if kind.ordered},
}


@pytest.mark.sqlite_only("a plan of PostgreSQL needs rows: benchmarks/store.py looks at them")
@pytest.mark.parametrize("name", QUERIES)
def test_no_table_that_grows_is_read_as_a_whole(store: Store, name: str) -> None:
    query = QUERIES[name].params(ids=["a", "b"], account_id="a", since=EVER, until=NEVER, first=1, symbol="s")
    statement = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}))
    with store.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).all()
    steps = [row[3] for row in plan]
    assert [step for step in steps if step.startswith("SCAN")] == []
    assert any(step.startswith("SEARCH") for step in steps)
