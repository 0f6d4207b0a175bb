"""What is read of a history of years is found by an index, whatever its length."""

import pytest
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from bot.storage import fidelity_rows, master_trades
from bot.storage.chain_links import KINDS
from bot.storage.store import Store

QUERIES: dict[str, Executable] = {
    "copies": fidelity_rows._COPIES,
    "fills of copies": fidelity_rows._FILLS,
    "fills of the master": fidelity_rows._FILLS_OF_MASTER,
    "trades by hand": fidelity_rows._BY_HAND,
    "trades of the master": master_trades._TRADES,
    **{f"unsealed: {kind.name}": kind.rows(after=5).limit(200) for kind in KINDS if kind.ordered},
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_table_that_grows_is_read_as_a_whole(store: Store, name: str) -> None:
    statement = str(QUERIES[name].compile(dialect=sqlite.dialect()))  # type: ignore[attr-defined]
    with store.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).all()
    steps = [row[3] for row in plan]
    assert [step for step in steps if step.startswith("SCAN")] == []
    assert any(step.startswith("SEARCH") for step in steps)
