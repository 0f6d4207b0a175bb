"""The console's application: routes, rights, limits, errors in words."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.console.answers import Asked, ConsoleRoute, Refusal, json_answer
from bot.console.compression import packed
from bot.console.context import Context
from bot.console.gatekeeper import SHUT, Gatekeeper
from bot.console.headers import HEADERS
from bot.console.roles import Role
from bot.console.routes import all_routes
from bot.console.stream import StreamHub

log = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parent / "static"
LARGEST_BODY = 64 * 1024
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}

Endpoint = Callable[[Request], Awaitable[Response]]
STREAM_ROUTE = ConsoleRoute("GET", "/api/v1/stream", Role.VIEW, lambda _asked: None)


def make_app(context: Context, hub: StreamHub, *, routes: Sequence[ConsoleRoute] | None = None) -> ASGIApp:
    """The application. `routes` other than all of them are for tests."""
    gatekeeper = Gatekeeper(context)
    served = [
        Route(each.path, _guarded(_endpoint(context, gatekeeper, each)), methods=[each.method])
        for each in (all_routes() if routes is None else routes)
    ]
    served += [
        Route("/api/v1/stream", _guarded(_stream(gatekeeper, hub)), methods=["GET"]),
        Route("/api/v1/sign-in", _guarded(_sign_in(gatekeeper)), methods=["POST"]),
        Route("/api/v1/sign-out", _guarded(_sign_out(gatekeeper)), methods=["POST"]),
        Route("/", _guarded(_page(gatekeeper, "index.html")), methods=["GET"]),
        Route("/static/{name:path}", _guarded(_static(gatekeeper)), methods=["GET"]),
        Route("/{rest:path}", _guarded(_nothing), methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]
    return _Limits(Starlette(routes=served))


def _guarded(endpoint: Endpoint) -> Endpoint:
    """What goes wrong is said as JSON; nothing of the inside gets out."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return _refused(refusal)
        except Exception:
            log.exception("%s %s could not be answered", request.method, request.url.path)
            return json_answer({"error": "this could not be answered; the console's log says why"}, status=500)

    return answer


def _refused(refusal: Refusal) -> Response:
    response = json_answer({"error": str(refusal), **refusal.extra}, status=refusal.status)
    if "retry_after_seconds" in refusal.extra:
        response.headers["Retry-After"] = str(refusal.extra["retry_after_seconds"])
    return response


def _endpoint(context: Context, gatekeeper: Gatekeeper, route: ConsoleRoute) -> Endpoint:
    async def answer(request: Request) -> Response:
        principal = gatekeeper.admit(request, route)
        if any("\0" in value for value in (*request.path_params.values(), *request.query_params.values())):
            raise Refusal(400, "there is a character in it that no name has")
        asked = Asked(
            context=context,
            principal=principal,
            path=request.path_params,
            query=dict(request.query_params),
            body=await _body(request),
            address=gatekeeper.address(request),
        )
        return await run_in_threadpool(_answered, route, asked, request)

    return answer


def _answered(route: ConsoleRoute, asked: Asked, request: Request) -> Response:
    value = route.handler(asked)
    return packed(request, value if isinstance(value, Response) else json_answer(value))


async def _body(request: Request) -> object:
    content = await request.body()
    if not content:
        return None
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "send application/json")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error


def _sign_in(gatekeeper: Gatekeeper) -> Endpoint:
    async def answer(request: Request) -> Response:
        body = await _body(request)
        password = body.get("password") if isinstance(body, dict) else None
        if not isinstance(password, str):
            raise Refusal(400, 'send {"password": "…"}')
        return gatekeeper.sign_in(request, password)

    return answer


def _sign_out(gatekeeper: Gatekeeper) -> Endpoint:
    async def answer(request: Request) -> Response:
        gatekeeper.check_host(request)
        gatekeeper.check_origin(request, gatekeeper.principal(request))
        return gatekeeper.sign_out(request)

    return answer


def _stream(gatekeeper: Gatekeeper, hub: StreamHub) -> Endpoint:
    async def answer(request: Request) -> Response:
        gatekeeper.admit(request, STREAM_ROUTE)
        return hub.response(
            request.query_params.get("topics", "overview"), still=lambda: gatekeeper.still(request, STREAM_ROUTE.needs)
        )

    return answer


def _page(gatekeeper: Gatekeeper, name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        gatekeeper.check_host(request)
        if gatekeeper.context.shut:
            return Response(f"{SHUT}\n", 503, media_type="text/plain; charset=utf-8")
        response = await run_in_threadpool(_file, name)
        gatekeeper.begin_here(request, response)
        return response

    return answer


def _static(gatekeeper: Gatekeeper) -> Endpoint:
    async def answer(request: Request) -> Response:
        gatekeeper.check_host(request)
        if gatekeeper.context.shut:
            raise Refusal(503, SHUT)
        return await run_in_threadpool(_file, request.path_params["name"])

    return answer


def _file(name: str) -> Response:
    """A file of the page, by a name that cannot leave its directory."""
    try:
        path = (STATIC / name).resolve()
        known = path.is_relative_to(STATIC) and path.is_file() and path.suffix in _TYPES
    except (OSError, ValueError):  # a name that no file can have
        known = False
    if not known:
        raise Refusal(404, "there is no such page")
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix])


async def _nothing(request: Request) -> Response:
    raise Refusal(404, "there is no such page")


class _Limits:
    """The headers of every answer, and an end to bodies that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            await _too_large(scope, receive, _with_headers(send))
            return
        await self._app(scope, _counted(receive), _with_headers(send))


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    await json_answer({"error": f"no more than {LARGEST_BODY} bytes"}, status=413)(scope, receive, send)


def _with_headers(send: Send) -> Send:
    more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *more]
        await send(message)

    return sent


def _counted(receive: Receive) -> Receive:
    """A body without a length is counted as it comes."""
    left = LARGEST_BODY

    async def received() -> Message:
        nonlocal left
        message: dict[str, Any] = dict(await receive())
        left -= len(message.get("body", b""))
        if left < 0:
            raise Refusal(413, f"no more than {LARGEST_BODY} bytes")
        return message

    return received
