"""Health for platforms, metrics for Prometheus, and who one is."""

import urllib.error
import urllib.request
from collections.abc import Sequence

from starlette.responses import Response

from bot.build import build_id
from bot.console.answers import Asked, ConsoleRoute, Refusal, json_answer
from bot.console.roles import Role

METRICS_SECONDS = 5.0


def live(asked: Asked) -> Response:
    """Whether the bot's process lives, by its own word."""
    return _verdict(asked, "dead", "alive")


def ready(asked: Asked) -> Response:
    """Whether at least one account can trade now, by the bot's own word."""
    return _verdict(asked, "not_ready", "ready")


def _verdict(asked: Asked, name: str, good: str) -> Response:
    said = asked.context.news.readiness()
    problems = [_silence(asked)] if said is None else [str(each) for each in said.get(name, ())]
    return json_answer({good: not problems, "reasons": problems, "build": build_id()}, status=503 if problems else 200)


def trading(asked: Asked) -> Response:
    """Each account's state and why it does not trade, without balances. 503 when none trades."""
    said = asked.context.news.readiness()
    if said is None:
        return json_answer({"trading": False, "reasons": [_silence(asked)], "accounts": []}, status=503)
    reasons = [str(each) for each in said.get("not_ready", ())]
    answer = {
        "trading": not reasons,
        "reasons": reasons,
        "accounts": said.get("accounts", []),
        "build": build_id(),
    }
    return json_answer(answer, status=503 if reasons else 200)


def _silence(asked: Asked) -> str:
    seconds = asked.context.news.silent_seconds()
    if seconds is None:
        return "the bot is not running here"
    return f"nothing was heard of the bot for {seconds:.0f} s"


def metrics(asked: Asked) -> Response:
    """The bot's own page for Prometheus, fetched from its loopback address."""
    said = asked.context.news.readiness()
    address = "" if said is None else str(said.get("metrics", ""))
    if not address.startswith("http://127.0.0.1:") and not address.startswith("http://[::1]:"):
        raise Refusal(503, "the bot serves no metrics now")
    try:
        with urllib.request.urlopen(address, timeout=METRICS_SECONDS) as reply:
            content, kind = reply.read(), reply.headers.get("Content-Type", "text/plain")
    except (OSError, urllib.error.URLError) as error:
        raise Refusal(503, f"the bot's metrics cannot be read: {error}") from error
    return Response(content, media_type=kind)


def session(asked: Asked) -> dict[str, object]:
    """Who one is, and what a page needs to say along with what changes something."""
    context = asked.context
    return {
        "role": asked.principal.role.name.lower(),
        "name": asked.principal.name,
        "csrf": asked.principal.csrf,
        "needs_password": not context.open_to_all,
        "mode": context.settings.trading_mode,
        "can_write": context.can_write,
    }


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/live", Role.NONE, live, any_host=True, health=True),
    ConsoleRoute("GET", "/ready", Role.NONE, ready, any_host=True, health=True),
    ConsoleRoute("GET", "/trading", Role.NONE, trading, any_host=True, health=True),
    ConsoleRoute("GET", "/metrics", Role.VIEW, metrics),
    ConsoleRoute("GET", "/api/v1/session", Role.NONE, session),
)
