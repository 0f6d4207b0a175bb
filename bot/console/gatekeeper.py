"""Who may pass: host names, origins, sessions, tokens, passwords."""

import hmac
import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.console.answers import ConsoleRoute, Refusal, json_answer
from bot.console.context import Context
from bot.console.hosts import host_name
from bot.console.roles import NOBODY, Principal, Role
from bot.console.sessions import COOKIE, Session

log = logging.getLogger(__name__)

CSRF_HEADER = "x-csrf-token"
SHUT = (
    "This console can be reached from elsewhere and has no password, so it shows nothing. Set NIJA_CONSOLE_PASSWORD "
    "(at least 10 characters) in the environment or in .env and start again. Trading goes on meanwhile."
)
SIGN_IN = "sign in first"
FORWARDED = (
    "this came through a proxy, so others can reach this console, and it has no password: set NIJA_CONSOLE_PASSWORD"
)
# Whatever a proxy on this machine says of whom it speaks for: without a password only this machine may ask.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "cf-connecting-ip")
_SAFE = frozenset({"GET", "HEAD"})


@dataclass
class Gatekeeper:
    """Raises `Refusal` for whoever may not pass."""

    context: Context

    def admit(self, request: Request, route: ConsoleRoute) -> Principal:
        """Who asks. Raises `Refusal` when it may not be answered."""
        if route.health:
            return NOBODY
        self.check_host(request)
        if self.context.shut:
            raise Refusal(503, SHUT)
        principal = self.principal(request)
        if request.method not in _SAFE:
            self.check_origin(request, principal)
        if principal.role < route.needs:
            if principal.role is Role.NONE:
                raise Refusal(401, SIGN_IN)
            raise Refusal(403, "this needs the control password; you are signed in to look")
        return principal

    def check_host(self, request: Request) -> None:
        name = host_name(request.headers.get("host", ""))
        names = self.context.host_names
        if not name or (names and name not in names):
            raise Refusal(421, "this console does not answer to that name; console.public_hosts lists those it does")
        if self.context.open_to_all and any(request.headers.get(each) for each in _OF_PROXIES):
            raise Refusal(403, FORWARDED)

    def principal(self, request: Request) -> Principal:
        """By bearer token, else by the cookie; on this machine without a password, everybody may control."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            role = self.context.passwords.role_of_token(token.strip())
            return Principal(role, "token", by_token=True) if role else NOBODY
        session = self.session(request)
        return NOBODY if session is None else self.context.sessions.principal(session)

    def session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(COOKIE, "")
        session = self.context.sessions.read(cookie, now=self._unix()) if cookie else None
        if session is None or session.signed_in or self.context.open_to_all:
            return session
        return None  # made while no password was set

    def check_origin(self, request: Request, principal: Principal) -> None:
        """What changes something comes from our own page, or from a script with a token."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if principal.by_token and site is None and origin is None:
            return
        if site is not None and site not in ("same-origin", "none"):
            raise Refusal(403, "this came from another page")
        host = request.headers.get("host", "").lower()
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            raise Refusal(403, "this came from another page")
        if site is None and origin is None:
            raise Refusal(403, "it is not known which page this came from")
        if (
            principal.role
            and not principal.by_token
            and not _same(request.headers.get(CSRF_HEADER, ""), principal.csrf)
        ):
            raise Refusal(403, "this page is out of date: load it again", reload=True)

    def still(self, request: Request, needs: Role) -> bool:
        """Whether who was let in a while ago would be let in now: sessions end."""
        return self.principal(request).role >= needs

    # -- signing in ---------------------------------------------------------------------------------------------------
    def begin_here(self, request: Request, response: Response) -> None:
        """On this machine without a password: the browser gets a session of its own."""
        if self.context.open_to_all and self.session(request) is None:
            cookie, _ = self.context.sessions.begin(Role.CONTROL, "local", signed_in=False, now=self._unix())
            self._set_cookie(request, response, cookie)

    def sign_in(self, request: Request, password: str) -> Response:
        """Raises `Refusal`: the same words whatever was wrong."""
        self.check_host(request)
        if self.context.shut:
            raise Refusal(503, SHUT)
        self.check_origin(request, NOBODY)
        address = self.address(request)
        now = self.context.clock.monotonic()
        wait = self.context.attempts.wait_seconds(address, now)
        if wait > 0:
            if self.context.attempts.worth_a_word(now):
                log.warning("too many attempts to sign in to the console, now from %s", address)
            raise Refusal(429, f"too many attempts: wait {wait:.0f} s", retry_after_seconds=round(wait) + 1)
        role = self.context.passwords.role_of_password(password)
        if role is Role.NONE:
            log.warning("somebody at %s gave a wrong password to the console", address)
            raise Refusal(401, "that is not the password")
        cookie, session = self.context.sessions.begin(role, role.name.lower(), signed_in=True, now=self._unix())
        response = json_answer({"role": role.name.lower(), "csrf": self.context.sessions.csrf(session.session_id)})
        self._set_cookie(request, response, cookie)
        return response

    def sign_out(self, request: Request) -> Response:
        session = self.session(request)
        if session is not None:
            self.context.sessions.end(session, now=self._unix())
        response = json_answer({"signed_out": True})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    def _set_cookie(self, request: Request, response: Response, cookie: str) -> None:
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=self.context.sessions.seconds,
            httponly=True,
            samesite="strict",
            secure=self.scheme(request) == "https",
        )

    def scheme(self, request: Request) -> str:
        forwarded = request.headers.get("x-forwarded-proto", "")
        trusted = self.context.settings.console.trust_proxy and forwarded in ("http", "https")
        return forwarded if trusted else request.url.scheme

    def address(self, request: Request) -> str:
        """Whoever is at the other end; behind a proxy that is trusted, whom that one names."""
        forwarded = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        if self.context.settings.console.trust_proxy and forwarded:
            return forwarded[:64]
        return "" if request.client is None else request.client.host

    def _unix(self) -> int:
        return self.context.clock.wall_ns() // 1_000_000_000


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
