"""The real bot as a child: `python bot.py` in a drill's surroundings, stopped by its own process id."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.settings.loading import PROJECT_DIR

STOP_SECONDS = 20.0
COMMAND_SECONDS = 90.0
# Should the drill be killed, the bot it started ends by itself.
LONGEST_SECONDS = 240.0


class DrillBot:
    """One run. A context manager that ends it, however it is left."""

    def __init__(self, environ: Mapping[str, str], log: Path, *, longest_seconds: float = LONGEST_SECONDS) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "bot.py", "--for", f"{longest_seconds:g}"],
                cwd=PROJECT_DIR,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the drill, which ends the bot itself
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended_with(self) -> int | None:
        """Its exit code, minus the signal's number if one ended it; None while it runs."""
        return self.process.poll()

    def stop(self) -> int:
        """SIGTERM, and kill -9 if that takes too long; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """kill -9."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait(STOP_SECONDS)


def run_command(environ: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """`python bot.py WORDS` as an operator would type it, beside a drill's bot."""
    return subprocess.run(
        [sys.executable, "bot.py", *words],
        cwd=PROJECT_DIR,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        start_new_session=True,
    )
