import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.market.funnel import Funnel, Stage, Word
from bot.storage.scan_cycles import ScanCycle
from tests.memory_broker import START

STAGES = st.sampled_from(list(Stage))
RULES = st.sampled_from(["status", "spread", "busy", "no_fresh_cross"])


def row_of(funnel: Funnel) -> ScanCycle:
    tally = funnel.tally()
    return ScanCycle(
        account_id="kraken",
        at=START,
        listed=tally.listed,
        passed=tally.passed,
        ready=tally.asked,
        signals=tally.signals,
        ordered=tally.ordered,
        counts=tally.counts,
    )


@given(st.dictionaries(st.text("ABCD", min_size=1), st.tuples(STAGES, RULES)), st.sets(st.text("EFGH", min_size=1)))
def test_whatever_becomes_of_the_markets_every_step_adds_up_to_the_one_above(
    said: dict[str, tuple[Stage, str]], unsaid: set[str]
) -> None:
    funnel = Funnel([*said, *unsaid])
    for symbol, (stage, rule) in said.items():
        funnel.say(symbol, Word(stage, rule))
    assert set(funnel.open) == unsaid
    funnel.end("the program stops")
    assert not funnel.open
    assert funnel.tally().listed == len(said) + len(unsaid) == len(funnel.words)
    assert row_of(funnel).mismatch == ""
    assert json.loads(json.dumps(funnel.counts())) == funnel.counts()


def test_a_market_gets_one_word_and_strangers_get_none() -> None:
    funnel = Funnel(["BTC/USD"])
    funnel.say("BTC/USD", Word(Stage.HELD, "held"))
    with pytest.raises(ValueError, match="no second one"):
        funnel.say("BTC/USD", Word(Stage.ORDERED, "ordered"))
    with pytest.raises(ValueError, match="not in this look"):
        funnel.say("ETH/USD", Word(Stage.ORDERED, "ordered"))


def test_a_look_is_told_in_one_sentence() -> None:
    words = {
        "A": Word(Stage.FILTERED, "spread"),
        "B": Word(Stage.FILTERED, "status"),
        "C": Word(Stage.FILTERED, "spread"),
        "D": Word(Stage.MISSING, "candles_not_read_yet"),
        "E": Word(Stage.NO_ENTRY, "no_fresh_cross"),
        "F": Word(Stage.VETOED, "busy"),
        "G": Word(Stage.ORDERED, "ordered"),
        "H": Word(Stage.HELD, "held"),
    }
    funnel = Funnel(words)
    for symbol, word in words.items():
        funnel.say(symbol, word)
    assert str(funnel.tally()) == (
        "scanned 8: 3 filtered (spread 2, status 1), 1 held, 3 ready of 4 (candles_not_read_yet 1), 2 signals, "
        "1 vetoed (busy 1), 1 ordered"
    )
    assert funnel.tally().ready_percent == 75.0


def test_where_nothing_passes_the_filters_coverage_is_not_full_but_unknown() -> None:
    funnel = Funnel(["A"])
    funnel.say("A", Word(Stage.FILTERED, "status"))
    assert funnel.tally().ready_percent is None
