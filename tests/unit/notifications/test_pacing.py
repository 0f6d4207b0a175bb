"""When people are told (fault O13): once in a while per cause, so many messages an hour, and nothing kept from them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bot.notifications.pacing import Pacing, pause_seconds
from bot.notifications.wording import Wording
from bot.storage.notifications import Notification, Telling

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PACING = Pacing(page=timedelta(minutes=15), most_per_hour=20)
WORDING = Wording(name="NIJA", mode="paper", installation="0123456789", meaning=lambda cause: f"{cause} means this")


def row(number: int, cause: str = "account_lost", severity: str = "critical", **more: object) -> Notification:
    values: dict[str, object] = {
        "subject": f"account_{number}",
        "text": "failed",
        "channel": "webhook",
        "at": NOW,
        "due_at": NOW,
        "tries": 0,
        "state": Telling.WAITING,
        "ended_at": None,
        "problem": "",
    }
    return Notification(id=number, cause=cause, severity=severity, **(values | more))  # type: ignore[arg-type]


def told(number: int, *, minutes_ago: float, **more: object) -> Notification:
    return row(number, **{"state": Telling.SENT, "ended_at": NOW - timedelta(minutes=minutes_ago), **more})  # type: ignore[arg-type]


def numbers(rows: object) -> list[int]:
    return [one.id for one in rows]  # type: ignore[attr-defined]


def test_what_has_begun_is_told_at_once_and_all_of_a_cause_together() -> None:
    assert numbers(PACING.ready([row(1), row(2)], [], NOW)) == [1, 2]


def test_a_cause_that_was_told_of_waits_until_a_quarter_of_an_hour_has_passed() -> None:
    before = [told(1, minutes_ago=14.9)]
    assert numbers(PACING.ready([row(2), row(3)], before, NOW)) == []
    assert numbers(PACING.ready([row(2), row(3)], before, NOW + timedelta(seconds=7))) == [2, 3]


def test_another_cause_does_not_wait() -> None:
    before = [told(1, minutes_ago=1)]
    assert numbers(PACING.ready([row(2), row(3, "no_cycle")], before, NOW)) == [3]


def test_what_is_more_severe_than_what_was_told_breaks_through() -> None:
    before = [told(1, minutes_ago=1, severity="warning")]
    assert numbers(PACING.ready([row(2, severity="warning")], before, NOW)) == []
    assert numbers(PACING.ready([row(2, severity="warning"), row(3)], before, NOW)) == [3, 2]


def test_a_recovery_is_told_with_the_next_message_or_alone_when_its_cause_has_been_quiet() -> None:
    before = [told(1, minutes_ago=2)]
    over = row(2, severity="over")
    assert numbers(PACING.ready([over], before, NOW)) == []
    assert numbers(PACING.ready([over, row(3, "no_cycle")], before, NOW)) == [3, 2]
    assert numbers(PACING.ready([over], before, NOW + timedelta(minutes=14))) == [2]


def test_a_recovery_does_not_keep_the_next_page_of_its_cause_back() -> None:
    before = [told(1, minutes_ago=1, severity="over")]
    assert numbers(PACING.ready([row(2)], before, NOW)) == [2]


def test_an_hour_has_room_for_so_many_and_a_quarter_is_kept_for_what_is_critical() -> None:
    before = [told(n, minutes_ago=59, cause=f"cause_{n}", severity="info") for n in range(15)]
    assert numbers(PACING.ready([row(99, severity="info")], before, NOW)) == []
    assert numbers(PACING.ready([row(99)], before, NOW)) == [99]
    full = [*before, *(told(n, minutes_ago=58, cause=f"cause_{n}") for n in range(15, 20))]
    assert numbers(PACING.ready([row(99)], full, NOW)) == []
    assert numbers(PACING.ready([row(99)], full, NOW + timedelta(minutes=3))) == [99]


def test_the_last_message_of_an_hour_says_so_and_when_it_goes_on() -> None:
    before = [told(n, minutes_ago=50 - n, cause=f"cause_{n}") for n in range(19)]
    assert PACING.is_last_of_hour([row(99)], before, NOW)
    until = PACING.next_free(before, NOW)
    assert until == NOW + timedelta(minutes=10)
    text = WORDING.message([row(99)], now=NOW, last_until=until).text
    assert "as many messages as an hour may have. More is told together at 2026-01-31 12:10:00 UTC" in text


def test_flapping_for_hours_makes_a_few_messages_an_hour_and_loses_nothing() -> None:
    """An account is lost and back every 20 seconds, for six hours."""
    waiting: list[Notification] = []
    sent: list[Notification] = []
    pages: list[datetime] = []
    now, number = NOW, 0
    while now < NOW + timedelta(hours=6):
        number += 1
        waiting.append(row(number, severity="critical" if number % 2 else "over"))
        recent = [one for one in sent if one.ended_at is not None and one.ended_at > now - PACING.window]
        chosen = PACING.ready(waiting, recent, now)
        if chosen:
            pages += [now] if any(one.severity == "critical" for one in chosen) else []
            states = [Telling.SENT, *([Telling.GROUPED] * (len(chosen) - 1))]
            sent += [
                row(one.id, severity=one.severity, state=state, ended_at=now)
                for one, state in zip(chosen, states, strict=True)
            ]
            waiting = [one for one in waiting if one not in chosen]
        now += timedelta(seconds=20)
    assert 22 <= len(pages) <= 24
    assert all(later - earlier >= timedelta(minutes=15) for earlier, later in pairwise(pages))
    assert {one.id for one in sent} | {one.id for one in waiting} == set(range(1, number + 1))
    assert len(waiting) <= 46


def test_a_way_that_failed_waits_for_all_and_ever_longer_up_to_an_hour() -> None:
    failed = row(1, tries=1, due_at=NOW + timedelta(seconds=30))
    assert numbers(PACING.ready([failed, row(2, "no_cycle")], [], NOW)) == []
    assert numbers(PACING.ready([failed, row(2, "no_cycle")], [], NOW + timedelta(seconds=31))) == [1, 2]
    assert [pause_seconds(tries) for tries in (1, 2, 3, 4, 8, 400)] == [30, 60, 120, 240, 3600, 3600]


def test_a_message_says_what_of_whom_since_when_and_where_to_read_on() -> None:
    rows = [row(3), row(4), row(5, "no_cycle"), row(6, "exit_debt", severity="over", text="after 90 s")]
    message = WORDING.message(rows, now=NOW)
    assert message.title == "NIJA (paper) CRITICAL: account_lost, no_cycle, exit_debt"
    assert "CRITICAL account_lost account_3, since 2026-01-31 12:00:00 UTC: failed" in message.text
    assert "And 1 more: account_4 (failed)" in message.text
    assert "What to do: docs/runbook.md#alert-account_lost" in message.text
    assert "Over: exit_debt account_6: after 90 s" in message.text


def test_an_id_is_that_of_the_same_rows_and_of_no_others() -> None:
    """A receiver that drops what it has had must not drop what came after a try whose answer was lost."""
    alone, more = WORDING.message([row(3)], now=NOW), WORDING.message([row(3), row(4), row(6)], now=NOW)
    assert (alone.id, more.id) == ("01234567-3", "01234567-3-6-3")
    assert WORDING.message([row(6), row(3), row(4)], now=NOW + timedelta(hours=1)).id == more.id
    assert WORDING.message([row(3), row(6)], now=NOW).id != more.id
