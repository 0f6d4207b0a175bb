"""Where it listens, what it says when it cannot, and that a bot without a page still answers for its health."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from bot.console.__main__ import address, main
from bot.console.server import ADDRESS_FILE, CannotListen, listen, write_address
from bot.console_keeper import ConsoleKeeper
from bot.domain.errors import ConfigurationError
from bot.observability.readiness import Readiness
from bot.seams.clock import SystemClock
from bot.settings import Settings, load_settings
from tests.bot_process import wait_until
from tests.stored_bot import write_configuration
from tests.unit.console.test_the_pipe import Said

ELSEWHERE = "127.0.0.2"  # of this machine, but none of the names by which it knows itself


def settings_of(directory: Path, **environ: str) -> Settings:
    return load_settings(environ={"STATE_DIR": str(directory), **environ}, config_dir=write_configuration(directory))


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("127.0.0.1", 8080)),
        ({"PORT": ""}, ("127.0.0.1", 8080)),
        ({"PORT": "9000"}, ("0.0.0.0", 9000)),
        ({"PORT": " 9000 "}, ("0.0.0.0", 9000)),
        ({"PORT": "9000", "NIJA__CONSOLE__HOST": "10.1.2.3"}, ("10.1.2.3", 9000)),
        ({"NIJA__CONSOLE__HOST": "::1", "NIJA__CONSOLE__PORT": "0"}, ("::1", 0)),
    ],
)
def test_a_platforms_port_is_for_everybody_and_all_else_for_this_machine(
    tmp_path: Path, environ: Mapping[str, str], found: tuple[str, int]
) -> None:
    assert address(settings_of(tmp_path, **environ), environ) == found


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80 80", "8080;", "٨٠٨٠", "9" * 5000])
def test_a_port_that_is_none_is_named(tmp_path: Path, port: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a port") as raised:
        address(settings_of(tmp_path), {"PORT": port})
    assert len(str(raised.value)) < 100


def test_an_address_that_is_taken_is_named_with_what_to_do() -> None:
    first = listen("127.0.0.1", 0)
    with closing(first.socket), pytest.raises(CannotListen, match=r"set console\.port to a free one"):
        listen("127.0.0.1", first.socket.getsockname()[1])


def test_where_it_is_stands_in_a_file_for_this_user_alone(tmp_path: Path) -> None:
    write_address(tmp_path, "http://127.0.0.1:1/")
    file = tmp_path / ADDRESS_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text(encoding="utf-8"))["url"] == "http://127.0.0.1:1/"
    write_address(tmp_path / "nowhere", "http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--db", "/nowhere/nija.db"), "there is no file"),
        (("--db", "x", "--state-dir", "y"), "not allowed with"),
        (("--port", "much"), "invalid int"),
    ],
)
def test_what_it_cannot_open_is_said_in_a_sentence(
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(write_configuration(tmp_path)))
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    try:
        code: object = main(words)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert said in capsys.readouterr().err


# -- the bot's side ---------------------------------------------------------------------------------------------------
@pytest.fixture
def port() -> int:
    with socket.socket() as opened:
        opened.bind((ELSEWHERE, 0))
        return int(opened.getsockname()[1])


@pytest.fixture
def keeper(tmp_path: Path, port: int) -> Iterator[ConsoleKeeper]:
    """Of a console that cannot start: what it is told to read is no configuration."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "nija.yaml").write_text("console: {port: everywhere}", encoding="utf-8")
    made = ConsoleKeeper(
        settings_of(tmp_path, NIJA__CONSOLE__HOST=ELSEWHERE),
        environ={"PATH": "/usr/bin:/bin", "PORT": str(port)},
        config_dir=str(tmp_path / "broken"),
        clock=SystemClock(),
        readiness=cast(Readiness, Said()),
        metrics_url=lambda: "",
        markets=dict,
    )
    made.start()
    yield made
    made.stop(20)


def status_of(port: int, path: str) -> int:
    try:
        with closing(http.client.HTTPConnection(ELSEWHERE, port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status
    except OSError:
        return 0


def test_while_the_console_cannot_be_kept_up_the_bot_answers_for_its_health(
    keeper: ConsoleKeeper, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    wait_until(lambda: status_of(port, "/live") == 200, seconds=60, what="the bot answers itself")
    tried = [record for record in caplog.records if "The console has ended" in record.getMessage()]
    wait_until(lambda: keeper.child_pid is not None or len(tried) > 1, seconds=60, what="it is started again")
    assert status_of(port, "/live") == 200, "also while it is tried again"
    said = [record.getMessage() for record in caplog.records if "The console has ended" in record.getMessage()]
    assert "console.port" in said[0]
    assert "trading goes on" in said[0]


SPEAKS_AT_ONCE = """
import sys
sys.stdout.write('{"listening_soon": 1}\\n{"url": "http://127.0.0.1:1/"}\\n')
sys.stdout.flush()
sys.stdin.read()
"""


class _SpeaksAtOnce(ConsoleKeeper):
    """Of a console that says two things in one breath."""

    def _launch(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", SPEAKS_AT_ONCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
        )


def test_an_address_that_comes_together_with_what_is_said_before_it_is_heard(tmp_path: Path) -> None:
    made = _SpeaksAtOnce(
        settings_of(tmp_path),
        environ={},
        config_dir=str(tmp_path),
        clock=SystemClock(),
        readiness=cast(Readiness, Said()),
        metrics_url=lambda: "",
        markets=dict,
    )
    made.start()
    try:
        wait_until(lambda: made.url == "http://127.0.0.1:1/", seconds=15, what="the address is heard")
    finally:
        made.stop(20)
