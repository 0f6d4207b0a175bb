"""Asking a person, one short question at a time: Enter takes the answer in brackets, a wrong one is asked again."""

import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
# A private key has a handful of lines; whoever pastes more pastes something else.
MOST_LINES = 60


class WrongAnswer(Exception):
    """An answer that cannot be taken, with the reason."""


class Abandoned(Exception):
    """There will be no more answers: the input has ended."""


@dataclass(frozen=True)
class Dialogue:
    """`read` and `read_secret` show a prompt and return a line, or raise `EOFError`; `say` shows a line."""

    read: Callable[[str], str]
    read_secret: Callable[[str], str]
    say: Callable[[str], None]

    def ask(self, question: str, *, default: str = "", check: Callable[[str], T]) -> T:
        """What `check` makes of the answer; it raises `WrongAnswer` for what it cannot take."""
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._line(self.read, prompt) or default
            try:
                return check(answer)
            except WrongAnswer as error:
                self.say(f"  {error}")

    def choose(self, question: str, choices: Sequence[str], *, default: str = "") -> str:
        """One of `choices`; its beginning is enough where only one begins so."""
        return self.ask(f"{question} ({', '.join(choices)})", default=default, check=lambda text: one_of(text, choices))

    def agrees(self, question: str, *, default: bool) -> bool:
        answer = self.choose(question, ("yes", "no"), default="yes" if default else "no")
        return answer == "yes"

    def secret(self, question: str) -> str:
        """What is typed is not shown."""
        return self._line(self.read_secret, f"{question}: ")

    @staticmethod
    def _line(read: Callable[[str], str], prompt: str) -> str:
        try:
            return read(prompt).strip()
        except EOFError as error:
            raise Abandoned from error


def one_of(text: str, choices: Sequence[str]) -> str:
    """The choice that is meant. Raises `WrongAnswer`."""
    word = text.strip().lower()
    found = [choice for choice in choices if choice == word] or [
        choice for choice in choices if word and choice.startswith(word)
    ]
    if len(found) != 1:
        raise WrongAnswer(f"please answer {' or '.join(choices)}")
    return found[0]


def at_the_terminal(say: Callable[[str], None] = print) -> Dialogue:
    """A dialogue with whoever sits before this process's terminal."""
    return Dialogue(read=input, read_secret=_hidden, say=say)


def _hidden(prompt: str) -> str:
    """A secret, not echoed; a PEM may be pasted with its line breaks.

    `getpass` reads one line and throws away what was pasted behind it: half a private key.
    """
    sys.stdout.write(prompt)
    sys.stdout.flush()
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
        return _whole(sys.stdin.readline)
    finally:
        # What was pasted beyond must not become the answer to the next question.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        sys.stdout.write("\n")


def _whole(read_line: Callable[[], str]) -> str:
    lines = [read_line()]
    if not lines[0]:
        raise EOFError
    ends = _end_of(lines[0])
    while ends and ends not in lines[-1] and len(lines) < MOST_LINES:
        line = read_line()
        if not line:
            break
        lines.append(line)
    return "".join(lines).strip()


def _end_of(first: str) -> str:
    """What ends a secret that begins with this line and does not end in it; empty = the line is all of it."""
    if "-----BEGIN" in first and "-----END" not in first:
        return "-----END"
    return "}" if first.strip() == "{" else ""
