"""No secret gets into the log, in whatever form it turns up."""

import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.observability.logs import JsonLines, Redactor, set_up_logging

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("test", logging.ERROR, "file", 1, message, args, info)


@pytest.mark.parametrize("form", [SECRET, SECRET.replace("/", "%2F").replace("=", "%3D"), json.dumps(SECRET)[1:-1]])
def test_a_secret_is_blanked_in_messages_arguments_and_tracebacks(form: str) -> None:
    redactor = Redactor([SECRET])
    try:
        raise RuntimeError(f"https://example/?key={form}")
    except RuntimeError as error:
        line = record("sent %s and %s", form, {"key": form}, error=error)
    redactor.filter(line)
    text = logging.Formatter().format(line)
    assert form not in text
    assert "***" in text


def test_the_lines_of_a_pasted_key_are_blanked_one_by_one() -> None:
    pem = "-----BEGIN X-----\nMHcCAQEEIAvErySecretLine\nAnotherSecretLine1234\n-----END X-----\n"
    assert Redactor([pem]).clean("x AnotherSecretLine1234 y") == "x *** y"


def test_short_words_are_left_alone() -> None:
    assert Redactor(["abc"]).clean("abcdef") == "abcdef"


def test_json_lines_are_json() -> None:
    line = json.loads(JsonLines().format(record('said "%s"', "x")))
    assert line["message"] == 'said "x"'


def test_the_log_goes_to_the_file_and_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        set_up_logging(tmp_path, level="INFO", as_json=False, redactor=Redactor([SECRET]))
        logging.getLogger("x").info("hello %s", SECRET)
        sys.stdout.flush()
    finally:
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
    assert "hello ***" in (tmp_path / "nija.log").read_text()
    assert SECRET not in (tmp_path / "nija.log").read_text()


def test_of_secrets_that_begin_alike_or_lie_in_one_another_nothing_is_left() -> None:
    redactor = Redactor(["abcdefgh1111", "abcdefgh11112222", "xxabcdefgh1111yy"])
    assert redactor.clean("a abcdefgh11112222 b abcdefgh1111 c xxabcdefgh1111yy d") == "a *** b *** c *** d"
    assert redactor.clean("abcdefgh1111abcdefgh1111") == "******"
    assert redactor.clean("abcdefgh") == "abcdefgh"


def test_secrets_are_added_while_other_threads_write_lines() -> None:
    redactor, stop, cleaned = Redactor([SECRET]), threading.Event(), list[str]()

    def write() -> None:
        while not stop.is_set():
            cleaned.append(redactor.clean(f"key={SECRET} and more"))

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        for number in range(3000):
            redactor.add(f"another-secret-{number}")
        stop.set()
        for writer in writers:
            writer.result(30)
    assert set(cleaned) == {"key=*** and more"}
    assert redactor.clean("another-secret-2999") == "***"
