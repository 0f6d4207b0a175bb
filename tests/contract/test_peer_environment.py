"""The clients of .venv-peers are part of the checks: without them a test fails and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import peer_process


def test_a_missing_environment_fails_with_the_command_that_makes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peer_process, "PEERS_PYTHON", tmp_path / "python")
    with pytest.raises(AssertionError, match=r"run \./test\.sh"):
        peer_process.run_peer("ccxt_kraken.py")
