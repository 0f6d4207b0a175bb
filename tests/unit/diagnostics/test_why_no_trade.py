"""why-no-trade: the sums of the last scans, what waited, and what stood most in the way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app import main
from bot.diagnostics.why_no_trade_funnel import STAGES, funnel_of, obstacle
from bot.domain.signal import CopyReason, CopyStatus
from bot.storage.scan_cycles import ScanCycle, add_scan
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Answer, Ask
from tests.unit.diagnostics.test_copies import answer as answered
from tests.unit.diagnostics.test_copies import plan, trade

Say = Callable[..., Answer]


@pytest.fixture
def say(ask: Ask) -> Say:
    return lambda *words: ask(main, "why-no-trade", *words)


def scan(seconds_ago: float = 0.0, **counts: dict[str, int]) -> ScanCycle:
    """As the funnel makes it: everything follows from where each market ended."""
    total = {stage: sum(counts.get(stage, {}).values()) for stage in (*STAGES, "ordered")}
    signals_made = total["vetoed"] + total["ordered"]
    ready = total["no_entry"] + signals_made
    passed = total["missing"] + ready
    return ScanCycle(
        account_id="kraken",
        at=now() - timedelta(seconds=seconds_ago),
        strategy="rsi",
        listed=total["filtered"] + total["held"] + passed,
        passed=passed,
        ready=ready,
        signals=signals_made,
        ordered=total["ordered"],
        counts={stage: counts[stage] for stage in STAGES if stage in counts},
    )


def copied(bot: StoredBot, signal_id: str, status: CopyStatus, reason: CopyReason) -> None:
    """The user's answer to one entry of the master."""
    trade(bot, signal_id)
    plan(bot, signal_id)
    answered(bot, signal_id, status, reason)


def write(bot: StoredBot, *scans: ScanCycle) -> None:
    bot.runs()
    bot.accounts([KRAKEN, DAIVON])
    for each in scans:
        bot.store.write(lambda connection, each=each: add_scan(connection, each))  # type: ignore[misc]


def test_the_funnel_adds_up_and_names_the_biggest_obstacle(bot: StoredBot, say: Say) -> None:
    one = scan(20, filtered={"spread": 620, "volume": 590}, missing={"too_few": 3}, no_entry={"no_signal": 90})
    two = scan(5, filtered={"spread": 600}, vetoed={"order_rate": 2, "below_minimum": 1}, ordered={"": 1})
    write(bot, one, two)
    answer = say("kraken")
    assert answer.code == 0
    assert (
        "The strategy wanted to buy 4 times, and 3 of them were vetoed: mostly by order rate (2 of 3)." in answer.text
    )
    for line in (
        "listed                     1,907",
        "filtered: spread       1,220",
        "signals                        4",
    ):
        assert line in answer.text
    found = say("kraken", "--json").json
    assert found["funnel"]["filtered"] == {"spread": 1220, "volume": 590}
    sums = found["funnel"]
    assert sums["listed"] == sum(sums["filtered"].values()) + sum(sums["held"].values()) + sums["passed"]
    assert sums["passed"] == sum(sums["missing"].values()) + sums["asked"]
    assert sums["asked"] == sum(sums["no_entry"].values()) + sums["signals"]
    assert sums["signals"] == sum(sums["vetoed"].values()) + sums["ordered"]


def test_a_scan_whose_sums_do_not_match_is_an_error(bot: StoredBot, say: Say) -> None:
    write(bot, replace(scan(5, no_entry={"no_signal": 9}), listed=10))
    answer = say("kraken")
    assert answer.code == 1
    assert "ERROR: the sums do not match: scan 1" in answer.text
    assert "listed 10, but filtered + held + passed are 9" in answer.text


def test_time_spent_waiting_is_what_is_said_first_when_it_is_most_of_the_time(bot: StoredBot, say: Say) -> None:
    halted = ScanCycle(account_id="kraken", at=now() - timedelta(seconds=90), waiting="entries are off")
    write(bot, scan(100, no_entry={"no_signal": 5}), halted)
    answer = say("kraken")
    assert "90 % of the time it did not look for entries, mostly (90 %): entries are off." in answer.text
    assert say("kraken", "--json").json["waited"][0]["why"] == "entries are off"


def test_reasons_that_differ_in_numbers_alone_are_one(bot: StoredBot, say: Say) -> None:
    waits = [
        ScanCycle(account_id="kraken", at=now() - timedelta(seconds=each), waiting=f"balance stale: {each} s old")
        for each in (30, 20, 10)
    ]
    write(bot, *waits)
    (waited,) = say("kraken", "--json").json["waited"]
    assert waited["why"] == "balance stale: 10 s old" and waited["share"] == pytest.approx(1.0)


def test_only_so_many_cycles_or_since_a_time(bot: StoredBot, say: Say) -> None:
    write(bot, scan(500, no_entry={"no_signal": 7}), scan(50, no_entry={"no_signal": 5}))
    assert say("kraken", "--cycles", "1", "--json").json["funnel"]["listed"] == 5
    since = (now() - timedelta(seconds=100)).isoformat()
    assert say("kraken", "--since", since, "--json").json["funnel"]["listed"] == 5
    assert say("kraken", "--json").json["funnel"]["listed"] == 12


def test_a_user_sees_what_was_copied_and_what_was_not_by_reason(bot: StoredBot, say: Say) -> None:
    write(bot)
    copied(bot, "s1", CopyStatus.COPIED, CopyReason.NONE)
    copied(bot, "s2", CopyStatus.SKIPPED, CopyReason.BELOW_MINIMUM)
    copied(bot, "s3", CopyStatus.SKIPPED, CopyReason.TOO_OLD)
    answer = say(DAIVON.label)
    assert "1 of 3 entries were copied; of 2 that were not, most (1) for" in answer.text
    funnel = say(DAIVON.label, "--json").json["funnel"]
    assert funnel == {
        "signals": 3, "copied": 1, "under_way": 0, "not_copied": {"too_old": 1, "below_minimum": 1}
    }  # fmt: skip


def test_a_name_that_nobody_has_is_answered_with_the_nearest(bot: StoredBot, say: Say) -> None:
    write(bot)
    answer = say("krakn")
    assert (answer.code, "Did you mean kraken" in answer.errors) == (2, True)
    assert say("krakn", "--json").json["funnel"] is None


def test_nothing_was_scanned_yet_and_the_bot_does_not_run(bot: StoredBot, say: Say) -> None:
    bot.accounts([KRAKEN])
    answer = say("kraken")
    assert answer.code == 3
    assert "it has not looked for entries yet" in answer.text


COUNTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 900), max_size=3)
SCANS = st.lists(st.fixed_dictionaries(dict.fromkeys((*STAGES, "ordered"), COUNTS)), max_size=6)


@given(SCANS)
def test_whatever_was_scanned_the_sums_of_all_scans_match_and_there_is_a_sentence(
    made: list[dict[str, dict[str, int]]],
) -> None:
    rows = [scan(number, **counts) for number, counts in enumerate(made)]
    funnel = funnel_of(rows, until=now())
    assert funnel.mismatches == []
    assert funnel.listed == funnel.loss("filtered").total + funnel.loss("held").total + funnel.passed
    assert funnel.signals == funnel.loss("vetoed").total + funnel.ordered
    assert obstacle(funnel)
