"""The process: sockets, event loop, housekeeping, and an orderly end.

One loop and one thread serve every front. uvicorn's protocol is used without uvicorn's server, whose ten ticks a
second for each port would keep an idle exchange busy.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvicorn
from uvicorn.server import ServerState

from paper_exchange.clock import steady_seconds
from paper_exchange.control import control_app
from paper_exchange.garbage import Garbage
from paper_exchange.http import front_app
from paper_exchange.saver import Saver
from paper_exchange.sockets.service import SocketService
from paper_exchange.state import StateStore
from paper_exchange.wire import AsgiApp, PaperProtocol
from paper_exchange.wiring import BROKERAGES, SOCKETS, Opened, open_exchange
from paper_exchange.write_ahead import WriteAhead

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_SECONDS = 300
"""Long, because a connection closed just as a client sends an order again would look like a fault of the network."""
HOUSEKEEPING_SECONDS = 0.5
"""How often resting orders are looked at, and expired, while no request comes in."""
LINES_A_TICK = 200
"""Journal lines written out in one go: a few milliseconds during which nobody is answered."""
SHUTDOWN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The command line, read. ``port_base`` None means free ports; ``seed`` None means that of the state, or 1."""

    seed: int | None = None
    port_base: int | None = None
    latency_seconds: float = 0.0
    state: Path | None = None
    csv: Path | None = None
    exit_with_stdin: bool = False
    write_ahead_database: Path | None = None
    connects_per_10_minutes: int | None = None
    stock_session: str | None = None
    """Sets the session of the stock markets at the start; None leaves it as it was, at first by the calendar."""


class CannotStart(Exception):
    """The process can't serve; the message is a sentence for the operator."""


async def serve(options: ServerOptions) -> None:
    """Run until SIGTERM, SIGINT or (with ``exit_with_stdin`` instead of SIGINT) the end of stdin.

    Raises CannotStart, StateUnusable or BadReplayFile.
    """
    store = StateStore(options.state) if options.state is not None else None
    try:
        opened = open_exchange(store, seed=options.seed, csv=options.csv)
        listeners = _bind_all(options.port_base, store.last_ports() if store is not None else {})
        if store is not None:
            store.note_ports({name: listener.getsockname()[1] for name, listener in listeners.items()})
        await Server(opened, store, options, listeners).run()
    finally:
        if store is not None:
            store.close()


class Server:
    """Everything that runs while the exchange is up."""

    def __init__(
        self,
        opened: Opened,
        store: StateStore | None,
        options: ServerOptions,
        listeners: dict[str, socket.socket],
    ) -> None:
        self._exchange = opened.exchange
        self._token = opened.token
        self._options = options
        self._listeners = listeners
        self._connections = ServerState()
        self._stop = asyncio.Event()
        self._garbage = Garbage()
        opened.exchange.latency.seconds = options.latency_seconds
        if options.write_ahead_database is not None:
            opened.exchange.write_ahead = WriteAhead(options.write_ahead_database)
        self._saver = Saver(opened, store) if store is not None else None
        registry = opened.exchange.registry
        self._fronts = {name: venue.front(opened.exchange) for name, venue in registry.brokerages.items()}
        # Not before the fronts are there: one of them ends the orders of days that have passed meanwhile.
        if options.stock_session is not None:
            opened.exchange.set_session(options.stock_session)
        self._sockets = {
            sockets.brokerage: SocketService(
                opened.exchange,
                sockets.hub(opened.exchange, self._fronts[sockets.brokerage], options.connects_per_10_minutes),
            )
            for sockets in SOCKETS
        }

    async def run(self) -> None:
        self._stop_on_signals()
        servers = [await self._listen(name, listener) for name, listener in self._listeners.items()]
        if self._saver is not None:
            await self._saver.save()
        self._garbage.start(steady_seconds())
        self._announce()
        duties = [asyncio.create_task(self._housekeeping())]
        duties += [asyncio.create_task(service.run()) for service in self._sockets.values()]
        if self._saver is not None:
            duties.append(asyncio.create_task(self._saver.run()))
        await self._stop.wait()
        for server in servers:
            server.close()
        await _cancel(duties)
        for service in self._sockets.values():
            service.close()
        await self._end_connections()
        if self._saver is not None:
            await self._saver.save()
        self._exchange.journal.close()

    async def _listen(self, name: str, listener: socket.socket) -> asyncio.Server:
        for sockets in SOCKETS:
            if name in sockets.ports:
                return await self._sockets[sockets.brokerage].listen(name, listener)
        config = _protocol_config(self._app(name))
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return PaperProtocol(config=config, server_state=self._connections, app_state={}, _loop=loop)

        return await loop.create_server(protocol, sock=listener, backlog=512)

    def _app(self, name: str) -> AsgiApp:
        if name == "control":
            return cast(AsgiApp, control_app(self._exchange, token=self._token, addresses=self._addresses()))
        return front_app(self._exchange, self._fronts[name])

    def _announce(self) -> None:
        """The one line this program writes to stdout."""
        line = {"control": {"url": self._url("control"), "token": self._token}, **self._addresses()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def _addresses(self) -> dict[str, dict[str, str | None]]:
        """Where each brokerage listens."""
        addresses: dict[str, dict[str, str | None]] = {name: {"rest": self._url(name)} for name in self._fronts}
        for sockets in SOCKETS:
            for port, name in sockets.ports.items():
                addresses[sockets.brokerage][name] = self._url(port, scheme="ws")
        return addresses

    def _url(self, name: str, *, scheme: str = "http") -> str:
        return f"{scheme}://{LOOPBACK}:{self._listeners[name].getsockname()[1]}"

    def _stop_on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        if self._options.exit_with_stdin:
            _watch_stdin(lambda: loop.call_soon_threadsafe(self._stop.set))

    def _interrupted(self) -> None:
        """Ctrl-C goes to parent and child alike; a child stays until its parent has put its own things in order."""
        if not self._options.exit_with_stdin:
            self._stop.set()

    async def _housekeeping(self) -> None:
        parent = os.getppid()
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._exchange.tick()
            self._garbage.tidy(steady_seconds(), self._exchange.journal.last_seq)
            self._exchange.journal.settle(LINES_A_TICK)
            # Should stdin be held open by another process, a changed parent still tells that ours has ended.
            if self._options.exit_with_stdin and os.getppid() != parent:
                self._stop.set()

    async def _end_connections(self) -> None:
        """Let answers in progress finish for a moment, then close what is left (calls that hang by order)."""
        for connection in list(self._connections.connections):
            connection.shutdown()
        tasks = list(self._connections.tasks)
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS)
            await _cancel(list(unfinished))


def _bind_all(port_base: int | None, last_ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """Sockets of all fronts: on the ports asked for, or where it listened last, or on free ones."""
    offsets = {"control": 0, **{brokerage.name: brokerage.port_offset for brokerage in BROKERAGES}}
    ports = [port for sockets in SOCKETS for port in sockets.ports]
    offsets |= {port: max(offsets.values()) + number for number, port in enumerate(ports, start=1)}
    if port_base is not None:
        return {name: _bind(name, port_base + offset) for name, offset in offsets.items()}
    return {name: _bind_again(name, last_ports.get(name, 0)) for name in offsets}


def _bind_again(name: str, last_port: int) -> socket.socket:
    try:
        return _bind(name, last_port)
    except CannotStart:
        return _bind(name, 0)


def _bind(name: str, port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off (40 ms an answer) only where it is.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as problem:
        listener.close()
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"can't be used ({problem})"
        raise CannotStart(
            f"Port {port} of {LOOPBACK}, wanted for {name}, {reason}. Use another --port-base, or none for free ports."
        ) from problem
    listener.setblocking(False)
    return listener


def _protocol_config(app: AsgiApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=PaperProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        proxy_headers=False,
        server_header=False,
    )
    config.load()
    return config


def _watch_stdin(ended: Callable[[], object]) -> None:
    """Call ``ended`` when stdin reaches its end, which the kernel sees to even if the parent is killed."""

    def wait_for_end() -> None:
        # os.read, not sys.stdin: a thread inside a buffered read would make the interpreter abort at exit.
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        ended()

    threading.Thread(target=wait_for_end, name="Stdin", daemon=True).start()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
