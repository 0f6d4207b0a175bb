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
        "/live": lambda _accept: _verdict(readiness.dead(), "alive"),
        "/ready": lambda _accept: _verdict(readiness.not_ready(), "ready"),
        "/trading": lambda _accept: _accounts(readiness),
    }


def _verdict(problems: list[str], good: str) -> Page:
    return Page.text(503, "; ".join(problems)) if problems else Page.text(200, good)


def _accounts(readiness: Readiness) -> Page:
    body = json.dumps({"waiting": readiness.waiting, "accounts": readiness.trading()}).encode()
    return Page(200, body, "application/json")
