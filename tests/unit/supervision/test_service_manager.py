"""What systemd hears of us, on a real datagram socket."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.supervision.service_manager import ServiceManager


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket like systemd's, and the name that a service is given for it."""
    name = f"@{tmp_path}" if request.param == "abstract" else str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as heard:
        heard.bind(f"\0{tmp_path}" if request.param == "abstract" else name)
        heard.settimeout(10)
        yield heard, name


def test_it_hears_that_we_wait_are_ready_live_and_stop(systemd: tuple[socket.socket, str]) -> None:
    heard, name = systemd
    manager = ServiceManager({"NOTIFY_SOCKET": name})
    manager.waiting("standby: lease held by a/1")
    manager.ready("Trading")
    manager.alive()
    manager.stopping("signal\nREADY=1")
    assert [heard.recv(500).decode() for _ in range(4)] == [
        "EXTEND_TIMEOUT_USEC=900000000\nSTATUS=Waiting: standby: lease held by a/1",
        "READY=1\nSTATUS=Trading",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=Stopping: signal READY=1",
    ]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_without_systemd_nobody_is_told(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager(environ).ready("trading")
    assert not caplog.records


def test_a_socket_that_is_gone_or_full_costs_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    for _ in range(3):
        gone.alive()
    assert len(caplog.records) == 1
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        full = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "deaf")})
        for _ in range(5000):
            full.alive()
    assert len(caplog.records) <= 2
