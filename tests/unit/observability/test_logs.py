"""Where lines go, in which form, and that nobody else's text can make one."""

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.console.api_log import read_lines
from bot.observability.correlation import current_work, working_on
from bot.observability.log_lines import JsonLines, TextLines
from bot.observability.logs import LOG_FILE, log_the_uncaught, log_to_stderr, set_up_logging
from bot.observability.redactor import Redactor

SECRET = "a secret of the tests, 1234"
SIGNAL = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
log = logging.getLogger("tests")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(state: Path, stdout: io.StringIO, as_json: object) -> Iterator[None]:
    """The program's own set-up, taken back afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        try:
            set_up_logging(state, level="INFO", as_json=as_json, redactor=Redactor([SECRET]))  # type: ignore[arg-type]
            yield
        finally:
            for handler in set(root.handlers) - set(before):
                root.removeHandler(handler)
                handler.close()
            root.setLevel(level)


def is_json(text: str) -> bool:
    return all(line.startswith("{") and json.loads(line) for line in text.splitlines())


@pytest.mark.parametrize(
    ("as_json", "stdout", "on_stdout", "in_file"),
    [
        ("auto", _Terminal, False, False),
        ("auto", io.StringIO, True, False),
        (True, _Terminal, True, True),
        (False, io.StringIO, False, False),
    ],
)
def test_lines_are_json_where_it_is_wanted(
    as_json: object, stdout: type[io.StringIO], on_stdout: bool, in_file: bool, tmp_path: Path
) -> None:
    out = stdout()
    with logging_to(tmp_path, out, as_json):
        log.info("hello %s", SECRET)
    file = (tmp_path / LOG_FILE).read_text()
    assert (is_json(out.getvalue()), is_json(file)) == (on_stdout, in_file)
    for text in (out.getvalue(), file):
        assert "hello ***" in text
        assert SECRET not in text
    # The page of the log reads both.
    assert [line["message"] for line in read_lines(tmp_path / LOG_FILE)] == ["hello ***"]


FORGED = "2026-01-01 00:00:00,000 INFO    [Trader-kraken] kraken sold everything"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_text_of_others_makes_no_line_of_its_own(end: str, as_json: bool, tmp_path: Path) -> None:
    out = io.StringIO()
    with logging_to(tmp_path, out, as_json):
        log.warning("the venue says: %s", f"no{end}{FORGED}")
        try:
            raise ValueError(f"no{end}{FORGED}")
        except ValueError:
            log.exception("refused")
    lines = read_lines(tmp_path / LOG_FILE)
    assert [line["level"] for line in lines] == ["WARNING", "ERROR"]
    assert all(not line.startswith("2026-01-01") for line in out.getvalue().splitlines())
    assert FORGED in lines[0]["message"]


def test_colours_directions_and_halves_of_characters_are_shown_and_not_done() -> None:
    line = logging.LogRecord("x", logging.INFO, "f", 1, "a \x1b[31mred\x07 \u202etxt.exe \ud83d \x00 é 東", (), None)
    Redactor().filter(line)
    assert line.getMessage() == r"a \x1b[31mred\x07 \u202etxt.exe \ud83d \x00 é 東"
    TextLines().format(line).encode()


def said(form: logging.Formatter, message: str) -> str:
    line = logging.LogRecord("x", logging.INFO, "f", 1, message, (), None)
    Redactor().filter(line)
    return form.format(line)


def test_a_line_names_the_account_the_signal_and_the_order_it_is_about() -> None:
    with working_on(account="ann_kraken", signal=SIGNAL), working_on(order="order-1"):
        line = json.loads(said(JsonLines(), "asked"))
        assert said(TextLines(), "asked").endswith("asked [0f1e2d3c]")
        assert said(TextLines(), "asked about 0f1e2d3c").endswith("0f1e2d3c")
    assert (line["account"], line["correlation"], line["order"]) == ("ann_kraken", SIGNAL, "order-1")
    assert not {"account", "correlation", "order"} & json.loads(said(JsonLines(), "asked")).keys()


def test_an_order_correlates_by_its_own_id_until_it_has_become_a_signal() -> None:
    with working_on(account="kraken"):
        with working_on(order="order-1"):
            assert current_work().correlation == "order-1"
            with working_on(signal=SIGNAL):
                assert current_work().correlation == SIGNAL
            assert current_work().correlation == "order-1"
        assert current_work().correlation == ""


def test_another_order_within_the_work_on_a_signal_is_not_the_signals() -> None:
    with working_on(signal=SIGNAL, order="order-1"):
        with working_on(order="order-2", signal=None):
            assert current_work().correlation == "order-2"
        with working_on(order="order-1", signal=None):
            assert current_work().correlation == SIGNAL


def test_what_a_thread_sets_going_elsewhere_is_not_about_its_work() -> None:
    async def told() -> str:
        return current_work().correlation

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with working_on(signal=SIGNAL):
            assert asyncio.run_coroutine_threadsafe(told(), loop).result(30) == ""
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def test_each_thread_has_work_of_its_own() -> None:
    seen = list[str]()
    with working_on(signal=SIGNAL):
        other = threading.Thread(target=lambda: seen.append(current_work().correlation))
        other.start()
        other.join(30)
    assert seen == [""]


def test_what_nobody_has_caught_goes_through_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    out = io.StringIO()

    def fail() -> None:
        raise RuntimeError(SECRET)

    with logging_to(tmp_path, out, False):
        try:
            log_the_uncaught()
            thread = threading.Thread(target=fail, name="Unlucky")
            thread.start()
            thread.join(30)
        finally:
            logging.captureWarnings(capture=False)
    assert "nobody has caught an error of Unlucky: RuntimeError" in out.getvalue()
    assert "RuntimeError: ***" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_a_process_beside_the_bot_keeps_its_secrets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    err, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(sys, "stderr", err)
    before, level = list(root.handlers), root.level
    try:
        log_to_stderr(Redactor([SECRET]))
        log.warning("signed in with %s\n%s", SECRET, FORGED)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert SECRET not in err.getvalue()
    assert len(err.getvalue().splitlines()) == 1
