"""Doing something: asked for once, in two steps where it stops or sells, and told who did it, ever after."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from bot.console.answers import Asked, ConsoleRoute, Refusal, json_answer
from bot.console.control_actions import Effect, Wish, apply, preview
from bot.console.query_words import before_id, number
from bot.console.roles import Role
from bot.diagnostics.control_outcome import outcome_of
from bot.diagnostics.row_fields import fields_of, shown
from bot.diagnostics.store_reading import NoStore, bot_state, read_store
from bot.diagnostics.store_writing import write_store
from bot.domain.control import IN_TWO_STEPS, STOPPING, ControlAction, ControlRequest, ControlState
from bot.storage import alerts, control_requests
from bot.storage.kill_file import write_kill_file

CODE_GOOD_FOR_SECONDS = 120
LONGEST_TEXT = 200
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_CONFIRM: Mapping[ControlAction, str] = {
    ControlAction.KILL: "Stop all of it",
    ControlAction.FLATTEN: "Stop, and sell it now",
    ControlAction.RESUME: "Let it go on",
}
_ALERT = (
    *("id", "cause", "subject", "severity", "text", "since", "last_at", "count", "cleared_at", "acked_by", "acked_at"),
)


def ask(asked: Asked) -> Response:
    """`{action, target, reason, details, nonce, code?, by?}`.

    What stops or sells is answered with what it would do and a `code`; sent again with the code, it is done. Answers
    202 with the request as it stands; the same nonce again is the same request.
    """
    if not asked.context.can_write:
        raise Refusal(409, "these books were opened to be read")
    wish, nonce, code = _wish(asked)
    known = _known(asked, wish, nonce)
    if known is not None:
        return json_answer(_told(asked, known), status=202)
    if wish.action in IN_TWO_STEPS and code is None:
        lines = _previewed(asked, wish)
        return json_answer({"code": _code(asked, wish, nonce), "preview": lines, "confirm": _CONFIRM.get(wish.action)})
    if wish.action in IN_TWO_STEPS:
        _check_code(asked, wish, nonce, str(code))
    return json_answer(_told(asked, _write(asked, wish, nonce)), status=202)


def _wish(asked: Asked) -> tuple[Wish, str, object]:
    body = asked.body
    if not isinstance(body, dict):
        raise Refusal(400, "send an object with action, target and nonce")
    try:
        action = ControlAction(str(body.get("action")))
    except ValueError as error:
        raise Refusal(400, f"action is one of {', '.join(ControlAction)}") from error
    nonce, details = body.get("nonce"), body.get("details") or {}
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Refusal(400, "nonce is 16 to 64 letters and digits that nobody has used before")
    if not isinstance(details, dict):
        raise Refusal(400, "details is an object")
    wish = Wish(
        action=action,
        target=_text(body, "target") or "all",
        reason=_text(body, "reason"),
        details=details,
        actor=_actor(asked, _text(body, "by")),
        at=asked.context.now(),
    )
    return wish, nonce, body.get("code")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Refusal(400, f"{name} is a text")
    return " ".join(value.split())[:LONGEST_TEXT]


def _actor(asked: Asked, said: str) -> str:
    """Passwords are shared; whoever gives a name is known by it as well."""
    signed_in = f"page:{asked.principal.name}"
    return f"{said[:40]} ({signed_in})" if said else signed_in


# -- the two steps ---------------------------------------------------------------------------------------------------
def _code(asked: Asked, wish: Wish, nonce: str, until: int | None = None) -> str:
    """Good for a while, and for this wish alone."""
    end = until or asked.context.clock.wall_ns() // 1_000_000_000 + CODE_GOOD_FOR_SECONDS
    words = [str(end), wish.action, wish.target, json.dumps(dict(wish.details), sort_keys=True), nonce]
    digest = hashlib.sha256("|".join(words).encode()).hexdigest()
    return f"{end}.{asked.context.sessions.sign('control', digest)[:32]}"


def _check_code(asked: Asked, wish: Wish, nonce: str, code: str) -> None:
    end = code.partition(".")[0]
    if not (end.isascii() and end.isdigit() and len(end) < 12) or not hmac.compare_digest(
        _code(asked, wish, nonce, int(end)).encode(), code.encode()
    ):
        raise Refusal(409, "that code is of another request: look at what it would do first")
    if int(end) < asked.context.clock.wall_ns() // 1_000_000_000:
        raise Refusal(409, "that took too long: look once more at what it would do")


# -- writing ---------------------------------------------------------------------------------------------------------
def _known(asked: Asked, wish: Wish, nonce: str) -> ControlRequest | None:
    try:
        with read_store(asked.context.settings) as connection:
            return control_requests.find_by_nonce(connection, nonce)
    except NoStore as error:
        if _can_be_a_file(wish):
            return None
        raise Refusal(503, str(error)) from error


def _previewed(asked: Asked, wish: Wish) -> list[str]:
    try:
        with read_store(asked.context.settings) as connection:
            return preview(connection, wish)
    except NoStore as error:
        if _can_be_a_file(wish):
            return [f"{error}", "So a file is made that stops every entry, and the bot sees it by itself"]
        raise Refusal(503, str(error)) from error


def _can_be_a_file(wish: Wish) -> bool:
    """What stops everything must not need a store that works."""
    return wish.action in STOPPING and wish.target == "all"


def _write(asked: Asked, wish: Wish, nonce: str) -> ControlRequest:
    """The effect and the record of it, or neither."""
    try:
        with write_store(asked.context.settings) as connection:
            known = control_requests.find_by_nonce(connection, nonce)
            if known is not None:
                return known
            effect = apply(connection, wish)
            return control_requests.add_request(
                connection,
                nonce=nonce,
                at=wish.at,
                action=wish.action,
                target=wish.target,
                details=effect.details,
                reason=wish.reason,
                actor=wish.actor,
                role=asked.principal.role.name.lower(),
                address=asked.address,
                lines=effect.lines,
            )
    except NoStore as error:
        return _by_file(asked, wish, nonce, error)


def _by_file(asked: Asked, wish: Wish, nonce: str, error: NoStore) -> ControlRequest:
    if not _can_be_a_file(wish):
        raise Refusal(503, str(error)) from error
    flatten = wish.action is ControlAction.FLATTEN
    reason = f"{wish.reason or str(wish.action)} ({wish.actor})"
    try:
        path = write_kill_file(asked.context.settings.state_dir, reason=reason, flatten=flatten)
    except OSError as problem:
        raise Refusal(503, f"nothing is stopped: {error}; and no kill file can be made: {problem.strerror}") from error
    effect = Effect({}, [f"{error}", f"So the file {path.name} was made: it stops every entry until it is removed"])
    return ControlRequest(
        id=0,
        nonce=nonce,
        at=wish.at,
        action=wish.action,
        target=wish.target,
        actor=wish.actor,
        role=asked.principal.role.name.lower(),
        address=asked.address,
        state=ControlState.DONE,
        lines=tuple(effect.lines),
    )


# -- telling ---------------------------------------------------------------------------------------------------------
def one(asked: Asked) -> dict[str, Any]:
    """How a request stands."""
    text = asked.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal(404, "there is no such request")
    with asked.context.read() as connection:
        found = control_requests.find_request(connection, int(text))
    if found is None:
        raise Refusal(404, f"there is no request {text}")
    return _told(asked, found)


def _told(asked: Asked, request: ControlRequest) -> dict[str, Any]:
    """With what has come of it by now, as far as the store knows."""
    lines, running = request.lines, True
    if request.state in (ControlState.ASKED, ControlState.TAKEN) and request.id:
        now = asked.context.now()
        with asked.context.read() as connection:
            running = bot_state(connection, now=now).running
            lines = outcome_of(connection, request, now=now).lines or lines
        if not running:
            lines = (*lines, "The bot is not running: it holds, and what is left is done at its next start")
    return _fields(request) | {"lines": list(lines), "running": running}


def _fields(request: ControlRequest) -> dict[str, Any]:
    names = ("id", "at", "target", "reason", "actor", "role", "address", "taken_at", "ended_at")
    fields = {name: shown(getattr(request, name)) for name in names}
    return fields | {
        "action": str(request.action),
        "state": str(request.state),
        "details": dict(request.details),
        "lines": list(request.lines),
    }


def history(asked: Asked) -> dict[str, Any]:
    """What was asked for, newest first, and by whom: `?limit=`, `?before=`."""
    limit = number(asked.query, "limit", default=100)
    with asked.context.read() as connection:
        found = control_requests.latest_requests(connection, limit=limit, before=before_id(asked.query))
    return {
        "controls": [_fields(each) for each in found],
        "before": found[-1].id if len(found) == limit else None,
    }


def listed_alerts(asked: Asked) -> dict[str, Any]:
    """Those that are open first, then the newest that are over: `?limit=`."""
    with asked.context.read() as connection:
        rows = alerts.latest_alerts(connection, limit=number(asked.query, "limit", default=100))
    return {"alerts": [fields_of(row, _ALERT) for row in rows]}


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("POST", "/api/v1/controls", Role.CONTROL, ask),
    ConsoleRoute("GET", "/api/v1/controls", Role.VIEW, history),
    ConsoleRoute("GET", "/api/v1/controls/{id}", Role.VIEW, one),
    ConsoleRoute("GET", "/api/v1/alerts", Role.VIEW, listed_alerts),
)
