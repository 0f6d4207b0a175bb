"""Runs a client that can't live in this environment as a process of .venv-peers, and reads its report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.exchange_process import ROOT

PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SCRIPTS = Path(__file__).resolve().parent / "peers"
RUN_SECONDS = 90.0


def run_peer(script: str, **options: Any) -> dict[str, Any]:
    """What each call of ``peers/<script>`` gave, by name. Fails, saying what to do, without the environment."""
    if not PEERS_PYTHON.exists():
        raise AssertionError(f"{PEERS_PYTHON} is missing: run ./test.sh, which makes it from requirements-peers.txt")
    finished = subprocess.run(
        [str(PEERS_PYTHON), str(SCRIPTS / script)],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        env={"NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if finished.returncode != 0:
        raise AssertionError(f"{script} ended with {finished.returncode}: {finished.stderr[-3000:]}")
    report: dict[str, Any] = json.loads(finished.stdout)
    return report
