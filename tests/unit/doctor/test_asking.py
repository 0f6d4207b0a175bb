"""Whom doctor asks with which key, and what becomes of one that another program uses."""

import json
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest

from bot.diagnostics.doctor import doctor
from bot.diagnostics.doctor.asking import AT_A_TIME, Asking, Question
from bot.diagnostics.doctor.board import Board, Section
from bot.diagnostics.doctor.finding import Finding, bad, ok
from bot.diagnostics.doctor.report import Report, print_report
from bot.diagnostics.doctor.state_directory import examine_state
from bot.diagnostics.doctor.venue_look import CHECK_SECONDS, VenuePlace
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.seams.clock import SystemClock
from bot.storage.marker import InstallMarker
from bot.supervision.key_locks import KeyInUse
from tests.stored_bot import KRAKEN, write_configuration
from tests.unit.doctor import patients


def asked_while_another_holds_the_key() -> Sequence[Finding]:
    def access(_account: AccountRef) -> Any:
        raise KeyInUse("process 4711 on this machine works with the same key")

    with TemporaryDirectory() as directory:
        settings = patients.settings_at(Path(directory))
        board = Board()
        asking = Asking(Question(settings=settings, places=[], accounts=[KRAKEN], access=access), board, SystemClock())
        try:
            asking._account(KRAKEN, [])
        finally:
            asking.close()
        (section,) = board.sections()
        return section.findings


def test_a_key_that_another_program_uses_is_left_alone() -> None:
    (finding,) = asked_while_another_holds_the_key()
    assert "process 4711" in finding.text
    assert "the key was not tried" in finding.text


def test_the_lock_of_the_state_directory_keeps_doctor_from_the_keys(tmp_path: Path) -> None:
    from contextlib import ExitStack

    from bot.diagnostics.doctor.doctor import _Examination, _instance_lock
    from bot.observability.redactor import Redactor

    settings = patients.settings_at(tmp_path)
    board = Board()
    words: Any = SimpleNamespace(live=False, broker=None, offline=False)
    with _instance_lock(settings.state_dir), ExitStack() as stack:
        assert not _Examination(settings, words, board, Redactor())._keys_to_ourselves(stack)
    with ExitStack() as stack:
        assert _Examination(settings, words, board, Redactor())._keys_to_ourselves(stack)
    (section,) = board.sections()
    assert [str(finding.level) for finding in section.findings] == ["warn", "ok"]
    assert {finding.code for finding in section.findings} == {"RUN-02"}


@pytest.mark.parametrize(("entry", "user", "level"), [("10000", "1000", "ok"), ("10000", "60", "warn")])
def test_a_user_hears_below_which_of_the_masters_entries_it_copies_nothing(
    entry: str, user: str, level: str, tmp_path: Path
) -> None:
    """Entries of 500: a tenth is 50, of which the smallest order is 1; with 60 it is 3, too small for one market."""
    (master, copy) = patients.means(tmp_path, master=entry, user=user)
    assert str(master.level) == "ok"
    assert str(copy.level) == level
    assert ("from 10.00 USD on" if level == "ok" else "below 166.67 USD") in copy.text


def test_every_problem_of_an_unreadable_configuration_is_told_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    masters = "masters: [{broker: kraken}]\nmetrics_prot: 1\nlog_level: LOUD\n"
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(write_configuration(tmp_path, masters=masters)))
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    words = SimpleNamespace(live=False, broker=None, offline=True, json=True)
    assert doctor.run(words) == 2  # type: ignore[arg-type]
    found = json.loads(capsys.readouterr().out)
    (section,) = (one for one in found["sections"] if one["title"] == "configuration")
    assert {finding["code"] for finding in section["findings"]} == {"CFG-01"}
    assert len(section["findings"]) == 2
    assert "metrics_port" in section["findings"][0]["text"] + section["findings"][1]["text"]
    assert not (tmp_path / "state").exists()


def test_a_brokerage_where_nobody_is_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(write_configuration(tmp_path)))
    words = SimpleNamespace(live=False, broker="okx", offline=True, json=True)
    assert doctor.run(words) == 2  # type: ignore[arg-type]
    assert "there are coinbase, kraken" in capsys.readouterr().err


def test_a_page_for_people_repeats_at_its_end_what_is_to_be_put_right(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [ok("STA-01", "kraken: well")] * 30 + [bad("KEY-04", "it holds hunter2\x1b[2J", "copy it again")]
    report = Report(sections=[Section("kraken", lines)], mode="live", seconds=1.0)
    print_report(report, lambda text: text.replace("hunter2", "***"))
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert shown.count("KEY-04") == 2
    assert "fix: copy it again (docs/doctor.md#key-04)" in shown
    assert shown.rstrip().endswith("doctor: 1 thing to put right, 30 in order; live mode, 1.0 s")
    assert report.exit_code == 1


def test_a_database_that_is_gone_is_no_first_start(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    marker = InstallMarker(install_id="x", schema="0011", created_at=datetime.now(UTC), marks={"starts": 3})
    marker.write(tmp_path / "state")
    found = examine_state(patients.settings_at(tmp_path), {}, datetime.now(UTC))
    assert [(str(one.level), one.code) for one in found if "is gone" in one.text] == [("bad", "STA-06")]


def test_a_venue_that_hangs_holds_nobody_up_longer_than_the_deadline(tmp_path: Path) -> None:
    """It takes the connection and says nothing; what its thread would say after being cut off is not heard."""
    board, clock = Board(), SystemClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = VenuePlace(BrokerType.KRAKEN, f"http://127.0.0.1:{silent.getsockname()[1]}")
        question = Question(settings=patients.settings_at(tmp_path), places=[place], accounts=[], access=None)
        asking, begun = Asking(question, board, clock), clock.monotonic()
        asking.run(lambda _doing: None, seconds=0.5)
        asking.close()
        assert clock.monotonic() - begun < CHECK_SECONDS
    (section,) = board.sections()
    assert [finding.code for finding in section.findings] == ["VEN-07"]
    assert "no answer about its time within 0.5 s" in section.findings[0].text


def test_accounts_for_whom_the_time_was_too_short_are_named(tmp_path: Path) -> None:
    board, clock, tried = Board(), SystemClock(), threading.Event()

    def access(_account: AccountRef) -> Any:
        tried.set()
        threading.Event().wait(3)
        raise ConfigurationError("too late for this")

    users = [AccountRef.user(BrokerType.ALPACA, f"user{number}") for number in range(AT_A_TIME + 2)]
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = VenuePlace(BrokerType.ALPACA, f"http://127.0.0.1:{server.server_port}")
        settings = patients.settings_at(tmp_path)
        asking = Asking(Question(settings=settings, places=[place], accounts=users, access=access), board, clock)
        asking.run(lambda _doing: None, seconds=2.0)
        asking.close()
        server.shutdown()
    assert tried.is_set()
    said = {section.title: [finding.code for finding in section.findings] for section in board.sections()}
    assert said["user0_alpaca"] == ["VEN-07"]
    assert said["user9_alpaca"] == []
    (left,) = (one for part in board.sections() for one in part.findings if "the time was over" in one.text)
    assert left.text.startswith("2 keys not tried") and left.text.endswith("user8_alpaca, user9_alpaca")


class _Answering(BaseHTTPRequestHandler):
    """A venue that asks everybody for a key."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_words: object) -> None:
        """Nothing: the test's output is for the test."""
