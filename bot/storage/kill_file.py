"""The file that stops everything: `KILL` in the state directory, for whoever has nothing but a shell."""

import os
from dataclasses import dataclass
from pathlib import Path

KILL_FILE = "KILL"
_LONGEST_REASON = 200
_FLATTEN = "flatten"


@dataclass(frozen=True)
class KillFile:
    """It is there, or (`unreadable`) nobody can say. The first line is the reason; beginning with FLATTEN, it sells."""

    path: Path
    owner: str = ""
    reason: str = ""
    flatten: bool = False
    unreadable: str = ""


def read_kill_file(state_dir: Path) -> KillFile | None:
    """None when there is none. What is there counts, whatever it is: an empty file, a directory, a dead link."""
    path = state_dir / KILL_FILE
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return KillFile(path, unreadable=error.strerror or str(error))
    line = _first_line(path)
    word, _, rest = line.partition(" ")
    flatten = word.strip(":,.;-").lower() == _FLATTEN
    return KillFile(path, _owner_of(status), rest.strip() if flatten else line, flatten)


def _first_line(path: Path) -> str:
    """Its printable beginning; a file that cannot be read has none, and stops everything all the same."""
    try:
        # Not blocking: somebody may have made a pipe of that name.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        beginning = os.read(descriptor, 4 * _LONGEST_REASON)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    lines = beginning.decode("utf-8", errors="replace").splitlines()
    line = "".join(letter for letter in (lines or [""])[0] if letter.isprintable())
    return line.strip()[:_LONGEST_REASON]


def _owner_of(status: os.stat_result) -> str:
    try:
        import pwd

        return pwd.getpwuid(status.st_uid).pw_name
    except (ImportError, KeyError):
        return f"user {status.st_uid}"


def write_kill_file(state_dir: Path, *, reason: str, flatten: bool) -> Path:
    """Make the file; one that is there is kept, unless it is to become stronger. Raises OSError."""
    path = state_dir / KILL_FILE
    word = f"{_FLATTEN.upper()} " if flatten else ""
    there = read_kill_file(state_dir)
    if there is not None and (there.flatten or not flatten):
        return path
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(f"{word}{reason}\n", encoding="utf-8")
    return path
