"""Connections that the reaper can cut, that say how far a request has come, and that resolve names in bounded time."""

import functools
import socket
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.retry import Retry

from bot.brokers.call_reaper import Progress, current_call, watch
from bot.brokers.resolver import WAIT_SECONDS, Resolver

ADDRESSES_TRIED = 3


class WatchedAdapter(HTTPAdapter):
    """Sends a request once: not a connection, not a read, not a status, not a redirect is tried again."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        super().__init__(max_retries=Retry(0, connect=0, read=False, redirect=0, status=0, other=0))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pools = {"http": _Pool, "https": _TlsPool}
        self.poolmanager.pool_classes_by_scheme = {
            scheme: functools.partial(pool, resolver=self._resolver) for scheme, pool in pools.items()
        }


class _Connection(HTTPConnection):
    resolver: Resolver

    def _new_conn(self) -> socket.socket:
        return _opened(self, super()._new_conn, self.resolver)

    def request(self, *args: Any, **kwargs: Any) -> None:
        watch(self.sock)  # a connection kept from an earlier call
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        _about_to_send(self)
        super().send(data)


class _TlsConnection(HTTPSConnection):
    resolver: Resolver

    def _new_conn(self) -> socket.socket:
        return _opened(self, super()._new_conn, self.resolver)

    def request(self, *args: Any, **kwargs: Any) -> None:
        watch(self.sock)
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        _about_to_send(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def __init__(self, *args: Any, resolver: Resolver, **kwargs: Any) -> None:
        self._resolver = resolver
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.resolver = self._resolver
        return connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def __init__(self, *args: Any, resolver: Resolver, **kwargs: Any) -> None:
        self._resolver = resolver
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.resolver = self._resolver
        return connection


def _about_to_send(connection: HTTPConnection) -> None:
    """From here on the venue may have the request, whatever goes wrong."""
    if connection.sock is None:
        connection.connect()
    call = current_call()
    if call is not None:
        call.progress = Progress.SENDING


def _opened(connection: HTTPConnection, open_once: Callable[[], socket.socket], resolver: Resolver) -> socket.socket:
    """A connected socket, watched before TLS begins on it. Raises what urllib3 raises, within the call's time."""
    call = current_call()
    if call is not None:
        call.progress = Progress.CONNECTING
    host, limit = connection._dns_host, connection.timeout
    problem: Exception = NewConnectionError(connection, f"{host} has no address")
    try:
        within = WAIT_SECONDS if call is None else call.remaining_seconds()
        for address in resolver.addresses(host, within_seconds=within)[:ADDRESSES_TRIED]:
            connection._dns_host = address  # no name any more: only the connection is opened with it
            if call is not None:
                connection.timeout = _at_most(limit, call.remaining_seconds())
            try:
                sock = open_once()
            except (NewConnectionError, ConnectTimeoutError) as error:
                problem = error
                continue
            watch(sock)
            return sock
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
    finally:
        connection._dns_host, connection.timeout = host, limit
    resolver.doubt(host)
    raise problem


def _at_most(limit: object, seconds: float) -> float:
    # Zero would mean: do not wait at all, which is another kind of socket.
    return max(0.001, min(limit, seconds) if isinstance(limit, int | float) else seconds)
