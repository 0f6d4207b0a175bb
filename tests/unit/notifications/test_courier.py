"""What is written down is told: at least once, by each way by itself, however often it fails and the process ends."""

from datetime import timedelta

import pytest

from bot.domain.errors import StoreUnavailable
from bot.notifications.announcing import Announcer
from bot.notifications.courier import Courier
from bot.notifications.pacing import Pacing
from bot.notifications.wording import Wording
from bot.storage import notifications
from bot.storage.alerts import AlertNow, begin_alert, open_alerts
from bot.storage.notifications import Notification, Telling
from bot.storage.store import Store
from tests.unit.notifications.conftest import MovedClock, Way

PACING = Pacing(page=timedelta(minutes=15), most_per_hour=20)


class Desk:
    """Alerts begin and end, and couriers carry them."""

    def __init__(self, store: Store, clock: MovedClock, wording: Wording, *ways: Way) -> None:
        self.store, self.clock, self.ways = store, clock, ways
        self.counted: list[tuple[str, str]] = []
        self.announcer = Announcer(channels=[way.name for way in ways], clean=wording.clean)
        self.wording = wording
        self.courier = self.new_courier()

    def new_courier(self) -> Courier:
        return Courier(
            "all",
            self.ways,
            store=self.store,
            clock=self.clock,
            pacing=PACING,
            wording=self.wording,
            counted=lambda kind, result: self.counted.append((kind, result)),
        )

    def begins(self, cause: str = "account_lost", subject: str = "kraken", severity: str = "critical") -> None:
        one, now = AlertNow(cause, subject, severity, "it failed"), self.clock.now()

        def work(connection: object) -> None:
            begin_alert(connection, one, now=now)  # type: ignore[arg-type]
            self.announcer.begun(connection, one, now=now)  # type: ignore[arg-type]

        self.store.write(work)

    def ends(self, cause: str = "account_lost", subject: str = "kraken") -> None:
        with self.store.read() as connection:
            row = open_alerts(connection)[cause, subject]
        self.store.write(lambda connection: self.announcer.over(connection, row, now=self.clock.now()))

    def rows(self) -> list[Notification]:
        with self.store.read() as connection:
            return list(notifications.latest_notifications(connection, limit=100))[::-1]

    def states(self) -> list[str]:
        return [str(row.state) for row in self.rows()]

    def later(self, **span: float) -> None:
        self.clock.later += timedelta(**span)
        self.courier.turn()


def test_an_alert_is_told_once_by_each_way(store: Store, clock: MovedClock, wording: Wording) -> None:
    desk = Desk(store, clock, wording, Way("webhook"), Way("telegram:42"))
    desk.begins()
    for _ in range(3):
        desk.courier.turn()
    assert [len(way.had) for way in desk.ways] == [1, 1]
    assert "CRITICAL account_lost kraken" in desk.ways[0].had[0].text
    assert desk.states() == ["sent", "sent"]
    assert desk.counted == [("webhook", "sent"), ("telegram", "sent")]


def test_later_ones_of_a_cause_come_together_with_what_is_over(
    store: Store, clock: MovedClock, wording: Wording
) -> None:
    desk = Desk(store, clock, wording, Way())
    desk.begins(subject="kraken")
    desk.courier.turn()
    desk.begins(subject="coinbase")
    desk.begins(subject="okx")
    desk.ends(subject="kraken")
    desk.later(minutes=14)
    assert len(desk.ways[0].had) == 1
    desk.later(minutes=2)
    desk.later(minutes=20)
    first, second = desk.ways[0].had
    assert "And 1 more: okx (it failed)" in second.text and "Over: account_lost kraken: after" in second.text
    assert first.id != second.id
    assert desk.states() == ["sent", "sent", "grouped", "grouped"]


def test_a_way_that_fails_is_tried_again_ever_later_and_the_others_do_not_wait(
    store: Store, clock: MovedClock, wording: Wording
) -> None:
    broken, good = Way("webhook", problem="it answered 500"), Way("telegram:42")
    desk = Desk(store, clock, wording, broken, good)
    desk.begins()
    desk.courier.turn()
    assert (broken.tries, len(good.had)) == (1, 1)
    desk.later(seconds=29)
    assert broken.tries == 1
    desk.later(seconds=2)
    assert broken.tries == 2
    desk.later(seconds=59)
    assert broken.tries == 2
    broken.problem = ""
    desk.later(seconds=5)
    assert len(broken.had) == 1
    assert desk.states() == ["sent", "sent"]


def test_a_way_that_names_a_time_is_not_tried_before(store: Store, clock: MovedClock, wording: Wording) -> None:
    way = Way(problem="too many", retry_after_seconds=300)
    desk = Desk(store, clock, wording, way)
    desk.begins()
    desk.courier.turn()
    desk.later(seconds=290)
    assert way.tries == 1
    desk.later(seconds=11)
    assert way.tries == 2


def test_what_cannot_be_told_for_a_day_is_given_up_aloud(
    store: Store, clock: MovedClock, wording: Wording, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, clock, wording, Way(problem="it answered 500"))
    desk.begins()
    desk.courier.turn()
    desk.later(hours=23.9)
    assert desk.states() == ["waiting"]
    desk.later(hours=0.2)
    assert desk.states() == ["given_up"]
    assert (
        "1 messages for webhook were given up, because webhook has not worked for 24 h: it answered 500" in caplog.text
    )
    assert ("webhook", "given_up") in desk.counted


def test_what_only_waited_for_room_is_not_said_to_be_the_fault_of_its_way(
    store: Store, clock: MovedClock, wording: Wording, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(store, clock, wording, Way())
    desk.begins()
    desk.later(hours=24.1)
    assert desk.states() == ["given_up"]
    assert "1 messages for webhook were given up, because there was no room" in caplog.text
    assert "not worked" not in caplog.text + desk.rows()[0].problem and "no room" in desk.rows()[0].problem


def test_a_message_that_one_of_several_receivers_refuses_is_told_and_holds_nothing_up(
    store: Store, clock: MovedClock, wording: Wording, caplog: pytest.LogCaptureFixture
) -> None:
    way = Way("email", missed="mail.example.org refused 1 of 2 addresses")
    desk = Desk(store, clock, wording, way)
    desk.begins()
    desk.courier.turn()
    desk.begins("needs_person", "order")
    desk.later(seconds=1)
    desk.later(hours=1)
    assert [message.title.rpartition(" ")[2] for message in way.had] == ["account_lost", "needs_person"]
    assert [(row.state, row.problem) for row in desk.rows()] == [(Telling.SENT, way.missed)] * 2
    assert f"not everybody was told by email, and it is not sent again: {way.missed}" in caplog.text


def test_a_way_with_a_defect_of_its_own_counts_as_one_that_failed(
    store: Store, clock: MovedClock, wording: Wording, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = Way("apprise"), Way("webhook")
    monkeypatch.setattr(broken, "send", lambda _message: [][1])
    desk = Desk(store, clock, wording, broken, good)
    desk.begins()
    desk.courier.turn()
    assert len(good.had) == 1 and desk.states() == ["waiting", "sent"]
    assert desk.rows()[0].problem == "unexpected: IndexError"
    assert "nobody thought of" in caplog.text


def test_another_process_tells_what_this_one_did_not(store: Store, clock: MovedClock, wording: Wording) -> None:
    way = Way(problem="down")
    desk = Desk(store, clock, wording, way)
    desk.begins()
    desk.courier.turn()
    way.problem = ""
    desk.courier = desk.new_courier()
    desk.later(seconds=31)
    desk.courier = desk.new_courier()
    desk.later(seconds=1)
    assert len(way.had) == 1


def test_a_store_that_does_not_take_the_note_makes_no_second_message(
    store: Store, clock: MovedClock, wording: Wording, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(store, clock, wording, Way())
    desk.begins()

    def refuse(*_words: object, **_named: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "write", refuse)
        for _ in range(3):
            desk.later(seconds=1)
    assert len(desk.ways[0].had) == 1
    desk.later(seconds=1)
    desk.later(seconds=1)
    assert len(desk.ways[0].had) == 1
    assert desk.states() == ["sent"]


def test_a_process_that_does_not_lead_tells_nobody(store: Store, clock: MovedClock, wording: Wording) -> None:
    desk = Desk(store, clock, wording, Way())
    desk.begins()
    other = Courier("all", desk.ways, store=store, clock=clock, pacing=PACING, wording=wording, leads=lambda: False)
    other.turn()
    assert desk.states() == ["waiting"]


def test_what_nobody_was_told_of_has_no_end_either_and_less_than_the_least_is_not_told(
    store: Store, clock: MovedClock, wording: Wording
) -> None:
    desk = Desk(store, clock, wording, Way())
    desk.announcer = Announcer(channels=["webhook"], least="warning")
    desk.begins(severity="info")
    desk.ends()
    assert desk.rows() == []


def test_a_text_that_has_a_secret_in_it_is_written_and_told_without_it(store: Store, clock: MovedClock) -> None:
    clean = lambda text: text.replace("canary", "***")  # noqa: E731
    wording = Wording(name="NIJA", mode="live", installation="0" * 32, meaning=lambda _cause: "", clean=clean)
    desk = Desk(store, clock, wording, Way())
    desk.begins(subject="canary")
    desk.courier.turn()
    message = desk.ways[0].had[0]
    assert "canary" not in f"{message} {desk.rows()}"
    assert message.title.startswith("NIJA (live)")


def test_what_waits_for_a_way_that_is_gone_is_given_up(store: Store, clock: MovedClock, wording: Wording) -> None:
    desk = Desk(store, clock, wording, Way("telegram:1"), Way("webhook"))
    desk.begins()
    given_up = store.write(
        lambda connection: notifications.give_up_other_channels(
            connection, ["webhook"], now=clock.now(), problem="gone"
        )
    )
    assert given_up == 1
    assert [(row.channel, row.state) for row in desk.rows()] == [
        ("telegram:1", Telling.GIVEN_UP),
        ("webhook", Telling.WAITING),
    ]


def test_what_is_critical_is_told_however_much_else_waits(store: Store, clock: MovedClock, wording: Wording) -> None:
    """A venue that is down degrades hundreds of accounts, whose rows wait for their cause's next message."""
    desk = Desk(store, clock, wording, Way())
    desk.begins("account_degraded", "first", "warning")
    desk.courier.turn()
    for number in range(501):
        desk.begins("account_degraded", f"account_{number}", "warning")
    desk.begins("needs_person", "order", "critical")
    desk.courier.turn()
    assert desk.ways[0].had[-1].title.endswith("CRITICAL: needs_person")
