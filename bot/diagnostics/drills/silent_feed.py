"""Every stream falls silent while its connection stays open: is it noticed, and do exits go on over REST?"""

from bot.diagnostics.drills.copied import all_answered, bought_once, buy, sell_all
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage

# The longest silence that a stream of any brokerage is allowed is 45 s, and a busy machine is late.
DETECTION_SECONDS = 75.0
SILENT_SECONDS = 60.0
CONNECT = "ws/connect"


def run(stage: Stage) -> None:
    stage.start()
    symbol, finding = stage.symbol(), stage.finding
    buy(stage, symbol)
    all_answered(stage, symbol, 1, "while the streams speak")
    since, began = stage.exchange.seq(), stage.clock.monotonic()
    match = {"brokerage": str(stage.brokerage), "endpoint": "ws/*"}
    fault = stage.exchange.fault("silence", times=None, match=match, seconds=SILENT_SECONDS)
    finding.tell(f"{finding.name}: nothing more is heard of {stage.brokerage}'s streams, and no connection ends")
    # At once, before anybody can know: the orders of some may be on the way of an answer that does not come.
    sold = sell_all(stage, symbol)
    stage.wait(lambda: _new_connections(stage, since) > 0, DETECTION_SECONDS)
    again = _new_connections(stage, since)
    finding.check(
        "the silence is noticed: silent connections are given up and made anew",
        again > 0 and stage.exchange.struck([fault]) > 0,
        f"{again} new connections so far",
        seconds=(noticed := stage.clock.monotonic() - began),
        headline=f"noticed after {noticed:.1f} s" + ("" if sold is None else f"; sold {sold:.1f} s after the master"),
    )
    finding.check("no order was taken twice", not stage.witness().taken_twice(), "by the exchange's journal")
    stage.exchange.clear_faults([fault])
    _heals(stage, symbol)


def _new_connections(stage: Stage, since: int) -> int:
    return sum(
        line["brokerage"] == str(stage.brokerage) and line["type"] == "request" and line["endpoint"] == CONNECT
        for line in stage.exchange.journal(since)
    )


def _heals(stage: Stage, symbol: str) -> None:
    ready = stage.wait(stage.ready, ANSWER_SECONDS)
    stage.finding.check(
        "every account trades once the streams speak again",
        ready is not None,
        "all of them" if ready is not None else "not all of them",
        seconds=ready,
    )
    buy(stage, symbol)
    all_answered(stage, symbol, 3, "after the silence")
    bought_once(stage, symbol)
