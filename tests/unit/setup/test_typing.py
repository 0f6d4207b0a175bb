"""A secret typed into a real terminal: it is not shown, and a pasted private key arrives whole."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bot_process import ROOT

ASKING = """
import select, sys
from bot.diagnostics.setup.dialogue import at_the_terminal
with at_the_terminal() as dialogue:
    print("ready")
    if sys.argv[1:] == ["busy"]:
        select.select([0], [], [], 60)
    secret = dialogue.secret("secret")
    print("lines", len(secret.splitlines()), "characters", len(secret))
    print("next", dialogue.ask("question", check=str))
print("echo", bool(__import__("termios").tcgetattr(0)[3] & __import__("termios").ECHO))
"""
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIHsecretsecret\noAoGCCqGSM49secret\n-----END EC PRIVATE KEY-----\n"
SECONDS = 60.0


class Terminal:
    """What the program shows, as it comes, and what is typed."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.shown = ""

    def waits_for(self, words: str) -> None:
        while words not in self.shown:
            ready, _, _ = select.select([self._handle], [], [], SECONDS)
            assert ready, f"{words!r} was not shown: {self.shown!r}"
            self.shown += os.read(self._handle, 65536).decode()

    def types(self, text: str) -> None:
        os.write(self._handle, text.encode())


@contextmanager
def asked(*words: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ASKING, *words], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env={"PATH": ""}
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
        child.wait(SECONDS)
    finally:
        child.kill()
        child.wait(SECONDS)
        os.close(ours)


@pytest.mark.parametrize(
    ("typed", "counted"), [("hush-hush-secret\n", "lines 1 characters 16"), (PEM, f"lines 4 characters {len(PEM) - 1}")]
)
def test_a_secret_is_not_shown_and_the_next_question_gets_its_own_answer(typed: str, counted: str) -> None:
    with asked() as terminal:
        terminal.waits_for("secret: ")
        terminal.types(typed)
        terminal.waits_for(counted)
        terminal.waits_for("question: ")
        terminal.types("yes\n")
        terminal.waits_for("next yes")
        terminal.waits_for("echo True")
    shown = terminal.shown.replace("secret: ", "")
    assert not any(line in shown for line in typed.splitlines())


def test_a_key_that_is_pasted_before_it_is_asked_for_is_not_shown_either() -> None:
    with asked("busy") as terminal:
        terminal.waits_for("ready")
        terminal.types("hush-hush\n")
        terminal.waits_for("characters 9")
        terminal.waits_for("question: ")
        terminal.types("yes\n")
        terminal.waits_for("next yes")
    assert "hush-hush" not in terminal.shown


def test_what_is_pasted_behind_a_secret_answers_no_question() -> None:
    with asked() as terminal:
        terminal.waits_for("secret: ")
        terminal.types("one-line\nKRAKEN_MASTER_API_SECRET=other\n")
        terminal.waits_for("question: ")
        terminal.types("mine\n")
        terminal.waits_for("next mine")
