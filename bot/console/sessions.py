"""Signed cookies: who has signed in, and until when. The key lies in the state directory, for this user alone."""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path

from bot.console.roles import Principal, Role
from bot.seams.ids import IdSource

COOKIE = "nija_session"
KEY_FILE = "console_session_key"
KEY_BYTES = 32


@dataclass(frozen=True)
class Session:
    """What a cookie says. `until` is unix seconds; `signed_in` False = a browser that needed no password."""

    session_id: str
    role: Role
    name: str
    until: int
    signed_in: bool


class Sessions:
    """Makes and reads them. A session that was ended is remembered until it would have ended by itself."""

    def __init__(self, key: bytes, *, hours: float, ids: IdSource) -> None:
        self._key = key
        self._ids = ids
        self._seconds = round(hours * 3600)
        self._ended: dict[str, int] = {}

    @property
    def seconds(self) -> int:
        return self._seconds

    def begin(self, role: Role, name: str, *, signed_in: bool, now: int) -> tuple[str, Session]:
        """A new session and its cookie."""
        session = Session(self._ids.token(), role, name, now + self._seconds, signed_in)
        fields = [session.session_id, int(role), name, session.until, signed_in]
        body = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
        return f"{body}.{self._sign('session', body)}", session

    def read(self, cookie: str, *, now: int) -> Session | None:
        """The session of a cookie that we made and that still holds."""
        body, _, signature = cookie.partition(".")
        if len(cookie) > 1000 or not hmac.compare_digest(self._sign("session", body).encode(), signature.encode()):
            return None
        session_id, role, name, until, signed_in = json.loads(base64.urlsafe_b64decode(body))
        if until <= now or session_id in self._ended:
            return None
        return Session(session_id, Role(role), name, until, signed_in)

    def end(self, session: Session, *, now: int) -> None:
        self._ended = {each: until for each, until in self._ended.items() if until > now}
        self._ended[session.session_id] = session.until

    def csrf(self, session_id: str) -> str:
        """What a page of this session has to send along with everything that changes something."""
        return self._sign("csrf", session_id)

    def principal(self, session: Session) -> Principal:
        return Principal(session.role, session.name, session.session_id, self.csrf(session.session_id))

    def sign(self, use: str, text: str) -> str:
        """A signature that only this installation can make, good for one use."""
        return self._sign(use, text)

    def _sign(self, use: str, text: str) -> str:
        return hmac.new(self._key, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()


def session_key(state_dir: Path, ids: IdSource) -> bytes:
    """The key kept in the state directory; a new one that is not kept where the directory takes nothing."""
    path = state_dir / KEY_FILE
    try:
        return _kept(path, ids)
    except OSError:
        return fresh_key(ids)


def fresh_key(ids: IdSource) -> bytes:
    """One that is kept nowhere: sessions end with the process."""
    return bytes.fromhex(ids.token() + ids.token())


def _kept(path: Path, ids: IdSource) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _made(path, ids)
    with os.fdopen(descriptor, "rb") as file:
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        path.unlink()
        return _made(path, ids)
    return key


def _made(path: Path, ids: IdSource) -> bytes:
    key = fresh_key(ids)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key
