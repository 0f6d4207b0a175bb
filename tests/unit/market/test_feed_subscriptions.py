"""A socket listens to exactly what is wanted, whatever the venue answers, forgets or breaks."""

import json
from typing import Any

from bot.brokers.kraken.public_messages import read_envelope
from bot.brokers.kraken.subscriptions import REFUSED_SECONDS, State, Subscriptions
from tests.unit.brokers.clocks import TurnedClock


class Socket:
    """The venue's side of one connection, in memory."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.subscriptions = Subscriptions(self.clock, options={"book": {"depth": 10}})
        self.sent: list[dict[str, Any]] = []

    def turn(self) -> list[dict[str, Any]]:
        frames = [json.loads(text) for text in self.subscriptions.due()]
        self.sent += frames
        return frames

    def answer(self, frame: dict[str, Any], *, error: str = "") -> None:
        for symbol in frame["params"].get("symbol", [None]):
            said: dict[str, Any] = {"method": frame["method"], "req_id": frame["req_id"], "success": not error}
            if error:
                said |= {"error": error, "symbol": symbol}
            else:
                said["result"] = {"channel": frame["params"]["channel"], "symbol": symbol}
            self.subscriptions.answered(read_envelope(json.dumps(said)))

    def settle(self) -> None:
        for frame in self.turn():
            self.answer(frame)


def names(count: int) -> list[str]:
    return [f"C{number}/USD" for number in range(count)]


def test_many_symbols_are_asked_for_in_chunks_of_a_hundred() -> None:
    socket = Socket()
    socket.subscriptions.want("ticker", names(250))
    frames = socket.turn()
    assert [len(frame["params"]["symbol"]) for frame in frames] == [100, 100, 50]
    for frame in frames:
        socket.answer(frame)
    assert socket.subscriptions.count("ticker") == 250
    assert socket.turn() == []


def test_what_is_not_wanted_any_more_is_ended_and_the_rest_left_alone() -> None:
    socket = Socket()
    socket.subscriptions.want("book", names(3))
    socket.settle()
    socket.subscriptions.want("book", names(2))
    (frame,) = socket.turn()
    assert (frame["method"], frame["params"]["symbol"], frame["params"]["depth"]) == ("unsubscribe", ["C2/USD"], 10)
    socket.answer(frame)
    assert socket.subscriptions.count("book") == 2
    assert socket.turn() == []


def test_a_damaged_market_alone_is_ended_and_begun_anew() -> None:
    socket = Socket()
    socket.subscriptions.want("book", names(3))
    socket.settle()
    socket.subscriptions.damaged("book", "C1/USD")
    socket.clock.advance(0.2)
    (ending,) = socket.turn()
    assert (ending["method"], ending["params"]["symbol"]) == ("unsubscribe", ["C1/USD"])
    assert not socket.subscriptions.is_live("book", "C1/USD")
    socket.answer(ending)
    (anew,) = socket.turn()
    assert (anew["method"], anew["params"]["symbol"]) == ("subscribe", ["C1/USD"])
    socket.answer(anew)
    assert socket.subscriptions.is_live("book", "C1/USD")


def test_what_stays_damaged_is_begun_anew_ever_more_rarely() -> None:
    socket = Socket()
    socket.subscriptions.want("book", ["C/USD"])
    socket.settle()
    waits = []
    for _ in range(8):
        socket.subscriptions.damaged("book", "C/USD")
        waited = 0.0
        while not (frames := socket.turn()):
            socket.clock.advance(0.1)
            waited += 0.1
        socket.answer(frames[0])
        socket.settle()
        waits.append(waited)
    assert waits == sorted(waits)
    assert waits[-1] > 5


def test_an_unanswered_request_is_made_again() -> None:
    socket = Socket()
    socket.subscriptions.want("ticker", names(1))
    assert socket.turn()
    assert socket.turn() == []
    socket.clock.advance(11)
    (again,) = socket.turn()
    socket.answer(again)
    assert socket.subscriptions.is_live("ticker", "C0/USD")


def test_a_lost_answer_that_hides_a_subscription_is_mended_by_a_fresh_snapshot() -> None:
    socket = Socket()
    socket.subscriptions.want("book", names(1))
    socket.turn()
    socket.clock.advance(11)
    socket.answer(socket.turn()[0], error="Already subscribed to book on this symbol")
    (ending,) = socket.turn()
    assert ending["method"] == "unsubscribe"
    socket.answer(ending)
    socket.settle()
    assert socket.subscriptions.is_live("book", "C0/USD")


def test_a_refused_market_costs_the_others_nothing_and_is_asked_for_much_later() -> None:
    socket = Socket()
    socket.subscriptions.want("ticker", ["OK/USD", "NO/USD"])
    (frame,) = socket.turn()
    socket.answer({**frame, "params": {"channel": "ticker", "symbol": ["OK/USD"]}})
    refusal = {**frame, "params": {"channel": "ticker", "symbol": ["NO/USD"]}}
    socket.answer(refusal, error="Currency pair not supported NO/USD")
    assert socket.subscriptions.count("ticker") == 1
    assert socket.subscriptions.count("ticker", State.REFUSED) == 1
    assert socket.turn() == []
    socket.clock.advance(REFUSED_SECONDS + 1)
    assert [frame["params"]["symbol"] for frame in socket.turn()] == [["NO/USD"]]


def test_a_new_connection_asks_for_everything_again() -> None:
    socket = Socket()
    socket.subscriptions.want("instrument")
    socket.subscriptions.want("ticker", names(2))
    socket.settle()
    socket.subscriptions.want("ticker", names(1))
    socket.subscriptions.connection_began()
    frames = socket.turn()
    assert [(frame["method"], frame["params"].get("symbol")) for frame in frames] == [
        ("subscribe", None),
        ("subscribe", ["C0/USD"]),
    ]


def test_a_market_wanted_again_while_it_is_being_ended_comes_back() -> None:
    socket = Socket()
    socket.subscriptions.want("ticker", names(1))
    socket.settle()
    socket.subscriptions.want("ticker", [])
    (ending,) = socket.turn()
    socket.subscriptions.want("ticker", names(1))
    assert socket.turn() == []
    socket.answer(ending)
    socket.settle()
    assert socket.subscriptions.is_live("ticker", "C0/USD")
