"""Running one drill from its empty directory to its word, whatever happens on the way."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bot import exit_codes
from bot.diagnostics.drills.catalogue import Drill
from bot.diagnostics.drills.finding import CutShort, Finding
from bot.diagnostics.drills.stage import Stage
from bot.domain.account import BrokerType
from bot.domain.errors import UnreadableReply, VenueError
from bot.seams.clock import SystemClock


def run_drill(
    drill: Drill,
    *,
    brokerage: BrokerType,
    config_dir: Path,
    variables: Mapping[str, str],
    keep: bool,
    tell: Callable[[str], None],
) -> Finding:
    """Raises `ConfigurationError` and `NotPossible` when it cannot begin; what goes wrong later is a failed step."""
    finding, clock = Finding(drill.name, tell), SystemClock()
    began = clock.monotonic()
    tell(f"{drill.name}: {drill.text}")
    with ExitStack() as stack:
        directory = stack.enter_context(_directory(drill.name, keep=keep))
        finding.kept_in = str(directory) if keep else ""
        stage = Stage(
            stack,
            directory,
            finding,
            brokerage=brokerage,
            config_dir=config_dir,
            variables=variables,
            changes=drill.changes,
        )
        try:
            drill.load()(stage)
        except (CutShort, UnreadableReply, VenueError) as error:
            finding.check("the drill comes to its end", False, str(error))
    finding.seconds = clock.monotonic() - began
    return finding


@contextmanager
def _directory(name: str, *, keep: bool) -> Iterator[Path]:
    prefix = f"nija-drill-{name}-"
    if keep:
        yield Path(tempfile.mkdtemp(prefix=prefix))
        return
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Inside, SIGTERM ends this program as Ctrl-C does: after what it started has been ended and removed.

    Ctrl-C is heard also where a shell has started this in the background, with the signal ignored.
    """
    before = signal.signal(signal.SIGTERM, _end)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(exit_codes.UNCLEAN_STOP)
