from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from paper_exchange import journal as journal_module
from paper_exchange.journal import Journal, JournalEntry

NOON_NS = 1_767_268_800_123_456_789
KEYS = {
    "seq", "time", "brokerage", "account", "type", "endpoint", "nonce", "client_order_id", "order_id", "trade_id",
    "symbol", "side", "quantity", "price", "fee", "fee_asset", "error", "payload_sha256", "verdict",
}  # fmt: skip


def lines(journal: Journal, since: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.since(since)]


def test_every_line_has_every_key_and_absent_ones_are_null() -> None:
    journal = Journal()
    journal.write(JournalEntry(type="request", brokerage="kraken"), time_ns=NOON_NS)
    (line,) = lines(journal)
    assert set(line) == KEYS
    assert line["account"] is None
    assert line["time"] == "2026-01-01T12:00:00.123456Z"


def test_amounts_are_plain_text_even_when_tiny() -> None:
    journal = Journal()
    entry = JournalEntry(type="fill", brokerage="kraken", quantity=Decimal("1E-8"), price=Decimal("3E+4"))
    journal.write(entry, time_ns=NOON_NS)
    (line,) = lines(journal)
    assert (line["quantity"], line["price"], line["fee"]) == ("0.00000001", "30000", None)


def test_lines_after_a_number_come_in_order_though_requests_are_kept_apart() -> None:
    journal = Journal()
    for kind in ("request", "accept", "request", "fill"):
        journal.write(JournalEntry(type=kind, brokerage="kraken"), time_ns=NOON_NS)
    assert [(line["seq"], line["type"]) for line in lines(journal, since=1)] == [
        (2, "accept"),
        (3, "request"),
        (4, "fill"),
    ]


def test_polls_of_market_data_do_not_push_orders_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "REQUEST_LINES_KEPT", 3)
    journal = Journal()
    journal.write(JournalEntry(type="accept", brokerage="kraken"), time_ns=NOON_NS)
    for _ in range(10):
        journal.write(JournalEntry(type="request", brokerage="kraken"), time_ns=NOON_NS)
    assert [line["seq"] for line in lines(journal)] == [1, 9, 10, 11]


def test_a_journal_on_disk_goes_on_after_a_kill_that_tore_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    for _ in range(3):
        first.write(JournalEntry(type="request", brokerage="kraken"), time_ns=NOON_NS)
    first.close()
    path.write_bytes(path.read_bytes()[:-10])
    second = Journal(path)
    assert second.write(JournalEntry(type="request", brokerage="kraken"), time_ns=NOON_NS) == 3
    second.close()
    assert [json.loads(line)["seq"] for line in path.read_bytes().splitlines()] == [1, 2, 3]


def test_a_full_file_is_turned_over_and_both_parts_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "FILE_BYTES", 1000)
    path = tmp_path / "journal"
    first = Journal(path)
    for _ in range(5):
        first.write(JournalEntry(type="request", brokerage="kraken"), time_ns=NOON_NS)
    first.close()
    assert path.stat().st_size < 1500
    second = Journal(path)
    assert [line["seq"] for line in lines(second)][-2:] == [4, 5]
    assert second.last_seq == 5
    second.close()
