"""Controls over HTTP and what they leave in the store; no bot runs here, so what holds is what the rows say."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.console.routes_control import CODE_GOOD_FOR_SECONDS
from bot.storage import alerts
from bot.storage.alerts import AlertNow
from bot.storage.kill_file import read_kill_file
from bot.storage.sqlite import SQLITE_SETTINGS
from tests.stored_bot import StoredBot, now
from tests.unit.console.served import CONTROL_TOKEN, VIEW_PASSWORD, WITH_PASSWORDS, Answer, Browser, Served
from tests.unit.diagnostics.books import member, order, stored

SOMEBODY = ("page:local", "control", "127.0.0.1")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a bot has left: made once, and each test has its own copy."""
    directory = tmp_path_factory.mktemp("written")
    with StoredBot(directory) as made:
        made.runs()
        made.accounts()
        made.ended()
    return directory / "nija.db"


@pytest.fixture
def stopped(tmp_path: Path, written: Path) -> Iterator[StoredBot]:
    shutil.copy(written, tmp_path / "nija.db")
    with StoredBot(tmp_path) as made:
        yield made


@pytest.fixture
def served(stopped: StoredBot) -> Iterator[Served]:
    with Served(stopped.directory) as made:
        yield made


@pytest.fixture
def page(served: Served) -> Browser:
    return served.open_page()


def wish(action: str, target: Any = "all", *, nonce: str = "", **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "target": target,
        "nonce": nonce or f"nonce-of-{action}-{target}"[:60].ljust(20, "x").replace(":", "-"),
        **more,
    }


def say(page: Browser, body: dict[str, Any]) -> Answer:
    return page.post("/api/v1/controls", body)


def do(page: Browser, body: dict[str, Any]) -> Any:
    """Both steps, as the page goes them."""
    shown = say(page, body)
    assert shown.status == 200, shown.text
    assert shown.json["preview"]
    done = say(page, {**body, "code": shown.json["code"]})
    assert done.status == 202, done.text
    return done.json


def rows(stopped: StoredBot, query: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(stopped.directory / "nija.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def in_force(stopped: StoredBot) -> list[tuple[str, str, str]]:
    found = rows(stopped, "SELECT scope, target, strength FROM halt WHERE lifted_at IS NULL ORDER BY id")
    return [(row["scope"], row["target"], row["strength"]) for row in found]


# -- two steps --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "target", "halt"),
    [
        ("kill", "all", ("all", "", "entries_off")),
        ("pause", "account:kraken", ("account", "kraken", "entries_off")),
        ("pause", "kraken", ("broker", "kraken", "entries_off")),
        ("close_only", "daivon_frazier_kraken", ("account", "daivon_frazier_kraken", "entries_off")),
        ("flatten", "all", ("all", "", "flatten")),
    ],
)
def test_what_stops_is_shown_first_done_then_and_lifted_in_two_steps_again(
    stopped: StoredBot, page: Browser, action: str, target: str, halt: tuple[str, str, str]
) -> None:
    body = wish(action, target, reason="drill", by="Anna")
    assert say(page, body).json["code"]
    assert in_force(stopped) == [], "looking changes nothing"
    done = do(page, body)
    assert in_force(stopped) == [halt]
    assert (done["actor"], done["reason"], done["running"]) == ("Anna (page:local)", "drill", False)
    assert "not running" in done["lines"][-1]
    do(page, wish("resume", target, reason="over"))
    assert in_force(stopped) == []
    listed = page.get("/api/v1/controls").json["controls"]
    assert [one["action"] for one in listed] == ["resume", action]
    assert {(one["role"], one["address"]) for one in listed} == {SOMEBODY[1:]}


def test_the_same_nonce_twice_is_one_request(stopped: StoredBot, page: Browser) -> None:
    body = wish("kill")
    first, again = do(page, body), say(page, body)
    assert again.status == 202
    assert again.json["id"] == first["id"]
    assert len(rows(stopped, "SELECT * FROM halt")) == len(rows(stopped, "SELECT * FROM control_request")) == 1


def test_two_operators_at_once_stop_it_once_and_both_are_written_down(stopped: StoredBot, served: Served) -> None:
    pages = [served.open_page() for _ in range(4)]
    said: list[Any] = []

    def stop(number: int) -> None:
        said.append(do(pages[number], wish("kill", nonce=f"operator-number-{number:04}", by=f"operator {number}")))

    threads = [threading.Thread(target=stop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(said) == 4
    assert in_force(stopped) == [("all", "", "entries_off")]
    assert len({row["actor"] for row in rows(stopped, "SELECT actor FROM control_request")}) == 4


@pytest.mark.parametrize(
    "changed",
    [
        *({"target": "kraken"}, {"action": "flatten"}, {"nonce": "another-nonce-altogether"}, {"details": {"sure": 1}}),
        *({"code": ""}, {"code": "x"}, {"code": "99999999999." + "0" * 32}, {"code": 7}, {"code": "é"}, {"code": {}}),
    ],
)
def test_a_code_is_good_for_what_was_shown_and_nothing_else(
    stopped: StoredBot, page: Browser, changed: dict[str, Any]
) -> None:
    body = wish("kill")
    code = say(page, body).json["code"]
    assert say(page, {**body, "code": code, **changed}).status == 409
    assert in_force(stopped) == []


def test_a_code_is_good_for_two_minutes(served: Served, page: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    body = wish("kill")
    code = say(page, body).json["code"]
    real, later = served.context.clock.wall_ns, (CODE_GOOD_FOR_SECONDS + 2) * 1_000_000_000
    monkeypatch.setattr(served.context.clock, "wall_ns", lambda: real() + later)
    assert "took too long" in say(page, {**body, "code": code}).json["error"]


@pytest.mark.parametrize(
    "body",
    [
        *(
            {},
            [],
            "kill",
            None,
            {"action": "sell everything"},
            {"action": "kill"},
            {"action": "kill", "nonce": "short"},
        ),
        *(wish("kill", nonce="x" * 65), wish("kill", nonce="<script>alert(1)</script>"), wish("kill", target=["all"])),
        *(wish("kill", reason=5), wish("kill", details="x"), wish("pause", "nobody_there"), wish("pause", "x" * 5000)),
        *(wish("resolve", "none"), wish("resolve", "x", details={"accepted_as": "a b"}), wish("ack_alert", "9" * 100)),
        *(wish("ack_alert", "1"), wish("ack_alert", "-1"), wish("add_favourite", "nowhere", details={"symbol": "A/B"})),
        *(wish("add_favourite", "kraken"), wish("pause_user_symbol", "kraken", details={"symbol": "BTC/USD"})),
        *(wish("add_favourite", "kraken", details={"symbol": {}}), wish("resume")),
    ],
    ids=str,
)
def test_a_wish_that_makes_no_sense_changes_nothing_and_is_told_why(local: Served, body: Any) -> None:
    page = local.open_page()
    answer = say(page, body)
    assert answer.status in (400, 404, 409), answer.text
    assert len(answer.json["error"].split()) >= 4
    assert page.get("/api/v1/controls").json["controls"] == []


def test_odd_letters_in_a_reason_are_kept_as_text(stopped: StoredBot, page: Browser) -> None:
    reason = "<img src=x onerror=alert(1)> \u202e'; DROP TABLE halt; --"
    do(page, wish("kill", reason=f"{reason}\n\r\tend"))
    assert page.get("/api/v1/controls").json["controls"][0]["reason"] == f"{reason} end"
    surrogate = page.post(
        "/api/v1/controls",
        b'{"action": "kill", "reason": "\\ud800", "nonce": "nnnnnnnnnnnnnnnnnnnn"}',
        **{"Content-Type": "application/json"},
    )
    assert surrogate.status in (200, 400)


# -- the others -------------------------------------------------------------------------------------------------------
def test_a_favourite_comes_and_goes_in_one_step(stopped: StoredBot, page: Browser) -> None:
    details = {"symbol": "btc/usd"}
    assert say(page, wish("add_favourite", "kraken", details=details)).status == 202
    assert [row["symbol"] for row in rows(stopped, "SELECT symbol FROM favourite")] == ["BTC/USD"]
    assert say(page, wish("remove_favourite", "kraken", details=details)).status == 202
    assert rows(stopped, "SELECT * FROM favourite") == []


def test_a_market_of_a_user_is_paused_and_copied_again(stopped: StoredBot, page: Browser) -> None:
    details = {"symbol": "BTC/USD"}
    say(page, wish("pause_user_symbol", "daivon_frazier_kraken", details=details))
    assert page.get("/api/v1/accounts/daivon_frazier_kraken").json["pauses"][0]["symbol"] == "BTC/USD"
    say(page, wish("resume_user_symbol", "daivon_frazier_kraken", details=details))
    assert page.get("/api/v1/accounts/daivon_frazier_kraken").json["pauses"] == []


def test_an_alert_is_seen_by_somebody(stopped: StoredBot, page: Browser) -> None:
    one = AlertNow("health", "kraken", "critical", "<b>lost</b>")
    stopped.store.write(lambda connection: alerts.begin_alert(connection, one, now=now()))
    (listed,) = page.get("/api/v1/alerts").json["alerts"]
    assert say(page, wish("ack_alert", str(listed["id"]), by="Anna")).status == 202
    (listed,) = page.get("/api/v1/alerts").json["alerts"]
    assert listed["acked_by"] == "Anna (page:local)"


def test_a_word_about_an_order_is_taken_in_two_steps_and_written_for_its_account(
    stopped: StoredBot, page: Browser
) -> None:
    member(stopped)
    name = order(stopped, "e1aa77", ago=240, needs_person="the venue's order is another one")
    shown = do(page, wish("resolve", name, details={"not_accepted": True}, by="Anna", reason="seen there"))
    assert shown["state"] == "asked"
    after = stored(stopped, name)
    assert (after.resolution, after.resolved_by) == ("absent", "Anna (page:local)")


def test_who_may_look_may_not_do_and_a_token_may(stopped: StoredBot) -> None:
    with Served(stopped.directory, bind="0.0.0.0", environ=WITH_PASSWORDS) as public:
        viewer = public.sign_in(VIEW_PASSWORD)
        assert say(viewer, wish("kill")).status == 403
        token = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
        code = public.ask("POST", "/api/v1/controls", body=wish("kill"), **token).json["code"]
        assert public.ask("POST", "/api/v1/controls", body={**wish("kill"), "code": code}, **token).status == 202
        assert viewer.get("/api/v1/controls").json["controls"][0]["actor"] == "page:token"


# -- a store that does not work ---------------------------------------------------------------------------------------
@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the store waits a moment."""
    monkeypatch.setitem(SQLITE_SETTINGS, "busy_timeout", 100)


@pytest.mark.usefixtures("_impatient")
def test_a_store_that_takes_no_write_does_not_keep_a_stop_from_being_made(stopped: StoredBot, page: Browser) -> None:
    with closing(sqlite3.connect(stopped.directory / "nija.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = say(page, {**(body := wish("pause", "kraken")), "code": say(page, body).json["code"]})
        assert refused.status == 503, "one account cannot be stopped by a file"
        done = do(page, wish("kill", reason="now", by="Anna"))
        other.execute("ROLLBACK")
    assert done["id"] == 0
    assert "KILL" in done["lines"][-1]
    file = read_kill_file(stopped.directory)
    assert file is not None
    assert (file.reason, file.flatten) == ("now (Anna (page:local))", False)


@pytest.mark.parametrize(("action", "flatten"), [("kill", False), ("flatten", True)])
def test_a_store_that_cannot_even_be_read_does_not_either(tmp_path: Path, action: str, flatten: bool) -> None:
    (tmp_path / "nija.db").write_bytes(b"this is no database at all" * 100)
    with Served(tmp_path) as served:
        page = served.open_page()
        assert say(page, wish("pause", "kraken")).status == 503
        assert do(page, wish(action))["state"] == "done"
    file = read_kill_file(tmp_path)
    assert file is not None
    assert file.flatten is flatten


def test_books_that_were_opened_by_name_are_only_read_and_nothing_is_left_beside_them(stopped: StoredBot) -> None:
    before = {path.name for path in stopped.directory.iterdir()}
    with Served(stopped.directory, kept=False) as served:
        page = served.open_page()
        assert page.session["can_write"] is False
        assert page.get("/api/v1/overview").status == 200
        assert say(page, wish("kill")).status == 409
    after = {path.name for path in stopped.directory.iterdir()}
    assert after - before <= {"config", "nija.db-wal", "nija.db-shm"}
