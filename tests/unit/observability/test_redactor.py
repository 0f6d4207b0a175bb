"""No secret gets into the log, in whatever form it turns up."""

import base64
import html
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from bot.observability.log_lines import TextLines
from bot.observability.redactor import Redactor

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
PASSWORD = "gé'heim\"<&> wort\\42"
FORMS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: quote(text),
    lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    lambda text: repr(text)[1:-1],
    html.escape,
    lambda text: text.encode().hex(),
    lambda text: text.encode().hex().upper(),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
]


def record(message: object, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("test", logging.ERROR, "file", 1, message, args, info)


def text_of(line: logging.LogRecord, redactor: Redactor) -> str:
    assert redactor.filter(line)
    return TextLines().format(line)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [SECRET, PASSWORD])
def test_a_secret_is_blanked_in_messages_arguments_and_tracebacks(form: Callable[[str], str], secret: str) -> None:
    shown = form(secret)
    try:
        raise RuntimeError(f"https://example/?key={shown}&more")
    except RuntimeError as error:
        text = text_of(record("sent %s and %s", shown, [f"x{shown}y"], error=error), Redactor([secret]))
    assert shown not in text
    assert shown[3:-3] not in text
    assert "***" in text


@pytest.mark.parametrize("name", ["", "k", "ke", "key", "a longer name"])
def test_a_secret_within_a_basic_authorization_is_blanked(name: str) -> None:
    header = base64.b64encode(f"{name}:{SECRET}:more".encode()).decode()
    shown = Redactor([SECRET]).clean(f"Authorization: Basic {header}")
    assert "***" in shown
    left = shown.removeprefix("Authorization: Basic ").replace("***", "")
    # The name, and at most a byte at either end of the secret.
    assert len(left) <= len(base64.b64encode(f"{name}::more".encode())) + 4


def test_the_lines_of_a_pasted_key_are_blanked_however_they_are_broken() -> None:
    pem = "-----BEGIN X-----\nMHcCAQEEIAvErySecretLine\nAnotherSecretLine1234\n-----END X-----\n"
    redactor = Redactor([pem])
    assert redactor.clean("x AnotherSecretLine1234 y") == "x *** y"
    for text in (pem, repr(pem), json.dumps(pem), pem.replace("\n", ""), pem.replace("\n", "\\\\n")):
        assert "SecretLine" not in redactor.clean(text)


@pytest.mark.parametrize("cut", [f"{SECRET[:20]} ... ", f"...{SECRET[-20:]}", f"'{SECRET[:25]}...{SECRET[-25:]}'"])
def test_the_beginning_and_the_end_of_a_secret_that_was_cut_are_blanked(cut: str) -> None:
    shown = Redactor([SECRET]).clean(f"input_value={cut} [type=int]")
    assert shown.replace("...", "").replace("'", "").split() in (
        ["input_value=***", "[type=int]"],
        ["input_value=******", "[type=int]"],
    )


def test_what_all_keys_of_a_brokerage_begin_with_stays_readable() -> None:
    key = "organizations/0b8f2c4e-7a51-4c1e-9a51-0123456789ab/apiKeys/5d6e7f80-1111-2222-3333-444455556666"
    text = "its full name is organizations/…/apiKeys/…"
    assert Redactor([key]).clean(text) == text


def test_short_words_are_left_alone() -> None:
    assert Redactor(["abc"]).clean("abcdef YWJj 616263") == "abcdef YWJj 616263"


def test_of_secrets_that_begin_alike_or_lie_in_one_another_nothing_is_left() -> None:
    redactor = Redactor(["abcdefgh1111", "abcdefgh11112222", "xxabcdefgh1111yy"])
    assert redactor.clean("a abcdefgh11112222 b abcdefgh1111 c xxabcdefgh1111yy d") == "a *** b *** c *** d"
    assert redactor.clean("abcdefgh1111abcdefgh1111") == "******"
    assert redactor.clean("abcdefgh") == "abcdefgh"


def test_a_message_whose_values_do_not_fit_is_told_without_them_and_stops_nobody() -> None:
    text = text_of(record("%d of %s", SECRET), Redactor([SECRET]))
    assert "%d of %s" in text
    assert SECRET not in text
    assert "TypeError" in text


def test_secrets_are_added_while_other_threads_write_lines() -> None:
    redactor, stop, cleaned = Redactor([SECRET]), threading.Event(), list[str]()

    def write() -> None:
        while not stop.is_set():
            cleaned.append(redactor.clean(f"key={SECRET} and more"))

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        for number in range(500):
            redactor.add(f"another-secret-{number}")
        stop.set()
        for writer in writers:
            writer.result(30)
    assert set(cleaned) == {"key=*** and more"}
    assert redactor.clean("another-secret-499") == "***"


def test_an_address_keeps_its_secret_part_and_others_of_the_same_machine_keep_their_beginning() -> None:
    redactor = Redactor(["http://127.0.0.1:43763/hooks/secret-part-of-it"])
    assert redactor.clean("Console at http://127.0.0.1:48000/") == "Console at http://127.0.0.1:48000/"
    assert redactor.clean("Metrics at http://127.0.0.1:43763/metrics") == "Metrics at http://127.0.0.1:43763/metrics"
    for told in (
        "http://127.0.0.1:43763/hooks/secret-part-of-it",
        "http://127.0.0.1:43763/hooks/secr",
        "secret-part-of-it",
    ):
        assert "secr" not in redactor.clean(f"cannot reach {told}")
