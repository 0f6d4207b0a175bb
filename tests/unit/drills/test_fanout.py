"""The fan-out benchmark measures the real program, the naive design and bare sends, and checks who got an order."""

import json

import pytest

from benchmarks.fanout_drill.command import main
from benchmarks.fanout_drill.figures import Round, row


def a_round(**changes: float | int | None) -> Round:
    values: dict[str, float | int | None] = {"users": 2, "orders": 2, "doubles": 0, "last_accept": 60, "last_ack": 60}
    return Round(**{**values, **changes})  # type: ignore[arg-type]


def test_a_row_holds_medians_and_what_they_are_in_round_trips() -> None:
    rounds = [a_round(last_ack=ack, last_answer=ack + 40) for ack in (55, 60, 90)]
    said = row("websocket", rounds, rtt_milliseconds=50, floor_trips=1)
    assert (said["last ack ms"], said["ack / RTT"], said["last answer ms"]) == (60, 1.2, 100)
    assert row("rest", rounds, rtt_milliseconds=50, floor_trips=2)["ack / floor"] == 0.6
    assert said["fill to signal ms"] is None


@pytest.mark.parametrize("wrong", [{"orders": 1}, {"orders": 3}, {"doubles": 1}])
def test_a_missing_or_a_second_order_is_said(wrong: dict[str, int]) -> None:
    assert row("rest", [a_round()], rtt_milliseconds=50, floor_trips=1)["one order each"] == "yes"
    assert row("rest", [a_round(), a_round(**wrong)], rtt_milliseconds=50, floor_trips=1)["one order each"] == "NO"


def test_a_tiny_run_measures_the_anchors(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--users", "2", "--rtt-ms", "20", "--mode", "naive", "bare", "--rounds", "1", "--json"])
    said = {one["way"]: one for one in json.loads(capsys.readouterr().out)["rows"]}
    assert code == 0
    # Four calls, 200 ms apart, and each orders only after its balance.
    assert said["naive"]["last ack ms"] >= 3 * 200 + 20
    assert 20 <= said["bare"]["last ack ms"] < said["naive"]["last ack ms"]


@pytest.mark.parametrize("mode", ["websocket", "rest", "polled", "coinbase", "okx", "binance", "alpaca"])
def test_a_tiny_run_measures_the_program(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--users", "2", "--rtt-ms", "20", "--mode", mode, "--rounds", "1", "--json"])
    (said,) = json.loads(capsys.readouterr().out)["rows"]
    assert code == 0
    assert said["one order each"] == "yes"
    assert 20 <= said["last ack ms"] <= said["last answer ms"]
