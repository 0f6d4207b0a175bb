"""A server that does with each request whatever a test wants, down to the bytes."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress

Answer = Callable[[socket.socket, threading.Event], None]


class RawServer:
    """Accepts connections and lets `answer` do with each request whatever it likes."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._stop = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed, or no descriptor is free for now
                if self._stop.wait(0.01):
                    return
                continue
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection):
            while True:
                try:
                    request = _whole_request(connection)
                except OSError:
                    return
                if not request:
                    return
                self.requests.append(request)
                try:
                    self._answer(connection, self._stop)
                except OSError:
                    return

    def close(self) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


def _whole_request(connection: socket.socket) -> bytes:
    """Headers and body, which may come apart; what there was when the peer closed."""
    request = connection.recv(65536)
    while request and (missing := _missing(request)) > 0:
        more = connection.recv(missing)
        if not more:
            break
        request += more
    return request


def _missing(request: bytes) -> int:
    """How many bytes are still to come, as far as can be said; nothing is known of what is not HTTP."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return 65536 if request[:4] in (b"POST", b"GET ") else 0
    lengths = [line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return int(lengths[0]) - len(body) if lengths else 0


def ok(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def never(_: socket.socket, stop: threading.Event) -> None:
    stop.wait(10)


def drip_headers(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stop.wait(0.02):
        connection.sendall(b"x")


def drip_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not stop.wait(0.02):
        connection.sendall(b"x")


def half(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    connection.shutdown(socket.SHUT_RDWR)


def hang_up(connection: socket.socket, _: threading.Event) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def noise(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"\x00\x01\x02 nothing like HTTP\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def redirect(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")


def endless(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not stop.is_set():
        connection.sendall(b"x" * 65536)
