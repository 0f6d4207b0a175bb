"""The benchmark of market data times the feed on messages whose books are the venue's, and would notice a wrong one."""

import json

import pytest

from benchmarks.market_data import Feed, Ours, Plain, main


def test_a_tiny_run_times_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--markets", "3", "--messages", "60", "--rounds", "1", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert {row["way"].partition(":")[0] for row in said["rows"]} >= {"json, parse alone", "the feed"}
    assert all(float(row["µs each"]) > 0 for row in said["rows"])


def test_the_feed_and_the_plain_books_agree_on_every_checksum() -> None:
    feed = Feed(3, 90)
    made = Ours(feed.snapshots)
    made.take_all(feed.books)
    made.prove()
    Plain(feed.snapshots).take_all(feed.books)


def test_a_lost_update_would_end_the_benchmark() -> None:
    feed = Feed(1, 20)
    made = Ours(feed.snapshots)
    made.take_all(feed.books[:5] + feed.books[8:])
    with pytest.raises(SystemExit, match="wrong books"):
        made.prove()
