"""The benchmark of a private call times every client against one exchange, with the distance that it was given."""

import json

import pytest

from benchmarks.private_call import by_peer, in_turns, main
from tests.exchange_process import PaperAccount


def test_a_tiny_run_times_each_client(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--calls", "2", "--rtt-ms", "20", "--json"])
    said = {one["client"]: one for one in json.loads(capsys.readouterr().out)["rows"]}
    assert set(said) == {"ours", "krakenex", "bare", "ccxt", "python-kraken-sdk"}
    assert all(one["call ms"] >= 20 for one in said.values())
    assert said["krakenex"]["more than krakenex ms"] == 0


def test_clients_take_turns_and_the_first_call_of_each_is_not_counted() -> None:
    calls = list[str]()
    times = in_turns({name: lambda name=name: calls.append(name) for name in "ab"}, 2)  # type: ignore[misc]
    assert calls == ["a", "b"] * 3
    assert [len(values) for values in times.values()] == [2, 2]


def test_a_peer_that_fails_is_not_taken_for_a_fast_one() -> None:
    with pytest.raises(RuntimeError, match="ccxt ended with 1"):
        by_peer("ccxt", "http://127.0.0.1:1", PaperAccount("kraken", "x", "key", "c2VjcmV0"), 1)
