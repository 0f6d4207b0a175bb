"""The lines of the log that name one of several ids, from the newest files, without reading all of them."""

import re
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from bot.observability.logs import LOG_FILE

# A file holds 10 MB: this is a second's work at most.
FILES_READ = 2
LINES_SHOWN = 40


def lines_naming(state_dir: Path, ids: Collection[str]) -> list[str]:
    """The last ones, oldest first. A file that is not there, or cannot be read, has none."""
    if not ids:
        return []
    named = re.compile("|".join(re.escape(one) for one in sorted(ids, key=len, reverse=True)).encode())
    found: deque[bytes] = deque(maxlen=LINES_SHOWN)
    for path in _files(state_dir):
        found.extend(line for line in _lines(path) if named.search(line))
    return [line.decode("utf-8", errors="replace").rstrip() for line in found]


def _files(state_dir: Path) -> Iterator[Path]:
    """`nija.log.1` is the one before `nija.log`."""
    for number in range(FILES_READ - 1, 0, -1):
        yield state_dir / f"{LOG_FILE}.{number}"
    yield state_dir / LOG_FILE


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError:
        return
