"""The console's own process: opens its address, serves, and ends with the bot."""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from bot.console.app import make_app
from bot.console.context import Context
from bot.console.guarded_protocol import GuardedProtocol
from bot.console.hosts import is_loopback
from bot.console.stream import StreamHub
from bot.console.topics import topics
from bot.seams.clock import pause

log = logging.getLogger(__name__)

HEADER_BYTES = 8 * 1024
KEEP_ALIVE_SECONDS = 5
STOP_SECONDS = 2
ADDRESS_FILE = "console.json"


class CannotListen(Exception):
    """The address cannot be had; the message says which and what to do."""


@dataclass(frozen=True)
class Listening:
    """An open address."""

    socket: socket.socket
    url: str


def listen(host: str, port: int) -> Listening:
    """Open it. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(128)
    except OSError as error:
        opened.close()
        raise CannotListen(
            f"{host} port {port} cannot be used ({error.strerror}): set console.port to a free one, or to 0 for any"
        ) from error
    shown = f"[{host}]" if ":" in host else "127.0.0.1" if is_loopback(host) else host
    return Listening(opened, f"http://{shown}:{opened.getsockname()[1]}/")


def serve(context: Context, listening: Listening, *, announce: Callable[[str], None]) -> None:
    """Serve until the bot has gone or the process is asked to end. `announce` is told the address once it answers."""
    asyncio.run(_serve(context, listening, announce))


async def _serve(context: Context, listening: Listening, announce: Callable[[str], None]) -> None:
    hub = StreamHub(topics(context))
    server = _Server(_config(make_app(context, hub)), hub)
    looking_after = asyncio.create_task(hub.run())
    ending = asyncio.create_task(_end_with_the_bot(context, server))
    announce(listening.url)
    try:
        await server.serve(sockets=[listening.socket])
    finally:
        for task in (looking_after, ending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _end_with_the_bot(context: Context, server: "_Server") -> None:
    while not context.news.ended.is_set():
        await pause(0.2)
    server.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,  # what strangers send is no news
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )


class _Server(uvicorn.Server):
    """Ends its event streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, hub: StreamHub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)


def write_address(state_dir: Path, url: str) -> None:
    """Where it is, for commands and people, in a file for this user alone. A directory that takes none is no reason
    not to serve."""
    path = state_dir / ADDRESS_FILE
    with contextlib.suppress(OSError):
        temporary = path.with_name(f"{ADDRESS_FILE}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        os.replace(temporary, path)
