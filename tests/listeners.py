"""Real servers on this machine for what the bot calls outside: a webhook, Telegram's API, a mail server."""

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class WebServer:
    """Answers with `reply`, which may wait; `calls` are those that came, in their order. A context manager."""

    def __init__(
        self, reply: Callable[[Call], Reply] = lambda _call: Reply(), *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.calls: list[Call] = []
        self.reply = reply
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                call = Call(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
                listener.calls.append(call)
                reply = listener.reply(call)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST

            def log_message(self, *_words: object) -> None:
                """Nobody reads it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_request: object) -> None:
                """Who called has gone: that is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class TelegramServer(WebServer):
    """As much of Telegram's bot API as is used. `say` is a message of a chat; `sent` are (chat, text)."""

    def __init__(self, token: str) -> None:
        super().__init__(self._answer)
        self._token = token
        self._lock = threading.Condition()
        self._updates: list[dict[str, Any]] = []
        self._next = 1000

    @property
    def sent(self) -> list[tuple[str, str]]:
        said = [call.said for call in list(self.calls) if call.path.endswith("/sendMessage")]
        return [(str(one["chat_id"]), one["text"]) for one in said]

    def say(self, chat: str, text: str, *, at: int, sender: str = "anna", sender_id: int = 7) -> int:
        with self._lock:
            self._next += 1
            who = {"id": sender_id, "username": sender}
            message = {"chat": {"id": int(chat)}, "from": who, "text": text, "date": at}
            self._updates.append({"update_id": self._next, "message": message})
            self._lock.notify_all()
            return self._next

    def _answer(self, call: Call) -> Reply:
        if not call.path.startswith(f"/bot{self._token}/"):
            return Reply(401, b'{"ok": false, "error_code": 401, "description": "Unauthorized"}')
        if call.path.endswith("/getUpdates"):
            return Reply(body=json.dumps({"ok": True, "result": self._since(call.said["offset"])}).encode())
        return Reply(body=b'{"ok": true, "result": {}}')

    def _since(self, offset: int) -> list[dict[str, Any]]:
        with self._lock:
            self._lock.wait_for(lambda: any(one["update_id"] >= offset for one in self._updates), 1.0)
            return [one for one in self._updates if one["update_id"] >= offset]


class MailServer:
    """Takes every mail and any password; `mails` are the texts as they came. A context manager.

    With `tls` it offers STARTTLS, or begins with encryption at once (`at_once`). Addresses in `refused` are not taken.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.mails: list[str] = []
        self.commands: list[str] = []
        self.refused: set[str] = set()
        listener = self

        class Handler(socketserver.StreamRequestHandler):
            _encrypted: ssl.SSLSocket | None = None

            def handle(self) -> None:
                if tls is not None and at_once:
                    self._encrypt(tls)
                self._say("220 here")
                while line := self.rfile.readline():
                    command = line.decode().strip()
                    listener.commands.append(command)
                    word = command.partition(" ")[0].upper()
                    if word == "EHLO":
                        offers = ["STARTTLS"] if tls is not None and not at_once else []
                        self._say("\r\n".join(["250-here", *(f"250-{offer}" for offer in offers), "250 AUTH PLAIN"]))
                    elif word == "STARTTLS" and tls is not None:
                        self._say("220 go on")
                        self._encrypt(tls)
                    elif word == "RCPT" and any(f"<{one}>" in command for one in listener.refused):
                        self._say("550 no such person")
                    elif word == "DATA":
                        self._take()
                    elif word == "QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("235 welcome" if word == "AUTH" else "250 ok")

            def _encrypt(self, context: ssl.SSLContext) -> None:
                encrypted = context.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = encrypted.makefile("rb"), encrypted.makefile("wb")
                self._encrypted = encrypted

            def finish(self) -> None:
                super().finish()
                if self._encrypted is not None:
                    self._encrypted.close()

            def _take(self) -> None:
                self._say("354 go on")
                lines: list[str] = []
                while line := self.rfile.readline():
                    if line == b".\r\n":
                        break
                    lines.append(line.decode())
                listener.mails.append("".join(lines))
                self._say("250 taken")

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())
                self.wfile.flush()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_request: object) -> None:
                """Who does not trust it goes away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
