"""The pages of one process: /live, /ready and /trading for platforms and people, /metrics for Prometheus."""

import json
import logging

from bot.observability.metrics import Metrics
from bot.observability.pages import Page, Pages, Routes
from bot.observability.readiness import Readiness
from bot.seams.clock import Clock

log = logging.getLogger(__name__)


def serve(host: str, port: int, *, metrics: Metrics, readiness: Readiness, clock: Clock) -> Pages | None:
    """Serve them; None when the port cannot be used, which is no reason not to trade."""
    try:
        pages = Pages(host, port, routes(metrics, readiness), clock)
    except OSError as error:
        log.error(
            "No metrics: %s port %d cannot be used (%s). Trading goes on; set METRICS_PORT to a free port, or to 0 for "
            "any.",
            host,
            port,
            error.strerror,
        )
        return None
    log.info("Metrics at http://%s:%d/metrics (health: /live and /ready; accounts: /trading)", host, pages.port)
    return pages


def routes(metrics: Metrics, readiness: Readiness) -> Routes:
    return {"/metrics": metrics.page, **health_routes(readiness)}


def health_routes(readiness: Readiness) -> Routes:
    """What platforms ask for, without anything that is for those who may see it."""
    return {
        "/live": lambda accept: _verdict(readiness, readiness.dead(), "alive", accept),
        "/ready": lambda accept: _verdict(readiness, readiness.not_ready(), "ready", accept),
        "/trading": lambda _accept: _accounts(readiness),
    }


def _verdict(readiness: Readiness, problems: list[str], good: str, accept: str) -> Page:
    if "application/json" in accept:
        said = {good: not problems, "reasons": problems, **readiness.build}
        return Page(503 if problems else 200, json.dumps(said).encode(), "application/json")
    return Page.text(503, "; ".join(problems)) if problems else Page.text(200, good)


def _accounts(readiness: Readiness) -> Page:
    said = {"waiting": readiness.waiting, "accounts": readiness.trading(), **readiness.build}
    body = json.dumps(said).encode()
    return Page(200, body, "application/json")
