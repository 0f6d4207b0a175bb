"""A first run on paper beside whatever runs on the machine."""

import socket
from pathlib import Path

import pytest

from bot.diagnostics.setup.paper_run import _environment
from bot.observability.readiness import Readiness
from bot.platform_port import PlatformPort
from bot.seams.clock import SystemClock
from bot.settings import load_settings


def test_a_first_run_leaves_the_port_of_the_platform_to_the_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    monkeypatch.setenv("PORT", str(number))
    environ = _environment(tmp_path)
    port = PlatformPort(load_settings(environ=environ), environ, Readiness(), SystemClock())
    port.open()
    try:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), 5)
    finally:
        port.close()
