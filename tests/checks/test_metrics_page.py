"""docs/metrics.md, the dashboard and the alert rules name the series that there are, and those series stay few."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.registry import Collector

from bot.brokers.base import Urgency
from bot.diagnostics.alert_causes import CAUSES, EVENTS
from bot.domain.account import BrokerType
from bot.domain.drift import DriftKind
from bot.domain.halt import HaltScope, HaltStrength
from bot.domain.health import Phase
from bot.domain.order import IntentState, OrderKind
from bot.domain.signal import CopyReason, CopyStatus
from bot.observability.metrics import BREAKER_WORDS, HEALTH_WORDS, Metrics
from bot.observability.store_figures import StoreFigures

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "metrics.md"
GRAFANA = ROOT / "deploy" / "grafana"
PROMETHEUS = ROOT / "deploy" / "prometheus"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| (.*) \|$", re.MULTILINE)
UNITS = {"seconds": "seconds", "bytes": "bytes"}
OF_A_COUNTER, OF_A_HISTOGRAM = ("_total",), ("_bucket", "_sum", "_count")


@dataclass(frozen=True)
class Series:
    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def names(self) -> frozenset[str]:
        """What a query can ask for."""
        ends = {"counter": OF_A_COUNTER, "histogram": OF_A_HISTOGRAM}.get(self.kind, ("",))
        return frozenset(f"{self.name}{end}" for end in ends)


def _labels(collector: Collector, samples: Any) -> tuple[str, ...]:
    """As declared; those of a collector that makes its series when it is asked, as it makes them."""
    declared: tuple[str, ...] | None = getattr(collector, "_labelnames", None)
    return declared if declared is not None else tuple(sorted({name for sample in samples for name in sample.labels}))


def every_series() -> Iterator[Series]:
    metrics = Metrics()
    metrics.market.watch(dict)
    metrics.watch_share(dict)
    one = {"kraken": 1.0}
    figures = StoreFigures(exit_debts=one, exit_debt_oldest_seconds=one, alerts=dict.fromkeys(CAUSES, 0.0))
    metrics.watch(store_queue=float, store_figures=lambda: figures)
    for collector in metrics.registry._collector_to_names:
        families = list(collector.describe()) if hasattr(collector, "describe") else []
        for family in families or list(collector.collect()):
            labels = _labels(collector, family.samples)
            yield Series(family.name, family.type, labels, family.documentation.rstrip("."))


SERIES = {one.name: one for one in every_series()}
# `up` is Prometheus' own.
NAMES = {name for one in SERIES.values() for name in one.names} | {"up"}


def unit_of(one: Series) -> str:
    words = one.name.split("_")
    return next((UNITS[word] for word in words if word in UNITS), "")


def test_the_page_has_every_series_and_no_other_with_its_type_labels_unit_and_meaning() -> None:
    told = {row[0]: row[1:] for row in _ROW.findall(PAGE.read_text(encoding="utf-8"))}
    there = {
        one.name: (one.kind, " ".join(f"`{label}`" for label in one.labels), unit_of(one), one.meaning)
        for one in SERIES.values()
    }
    assert told == there


# -- few enough -----------------------------------------------------------------------------------------------------
# The most values that a label has, by the words of the program where there is a list of them.
ACCOUNTS = 50
MOST = {
    "account": ACCOUNTS, "target": ACCOUNTS + len(BrokerType) + 2, "broker": len(BrokerType),
    "state": max(len(HEALTH_WORDS), len(BREAKER_WORDS), len(IntentState)), "phase": len(Phase),
    "status": len(CopyStatus), "reason": len(CopyReason), "kind": max(len(DriftKind), len(OrderKind)),
    "urgency": len(Urgency), "scope": len(HaltScope), "strength": len(HaltStrength), "cause": len(CAUSES),
    "result": 3, "outcome": 20, "why": 6, "currency": 1, "channel": 10, "way": 4, "level": 3, "build": 1,
    "configuration": 1, "endpoint": 20,
}  # fmt: skip
# Of an account not all combinations come about: a skipped copy has its reasons, a failed one has others; a call is
# almost always one of its brokerage's dozen endpoints that has gone well.
SERIES_OF_LABELS: dict[tuple[str, ...], int] = {
    ("account", "status", "reason"): 40 * ACCOUNTS,
    ("account", "endpoint", "outcome"): 60 * ACCOUNTS,
}
BUCKETS = 13


def most_samples(one: Series) -> int:
    most = SERIES_OF_LABELS.get(one.labels)
    if most is None:
        most = 1
        for label in one.labels:
            most *= MOST[label]
    return most * (BUCKETS + 3 if one.kind == "histogram" else 1)


def test_labels_are_closed_lists_so_that_fifty_accounts_make_a_page_of_bounded_length() -> None:
    assert all(label in MOST for one in SERIES.values() for label in one.labels)
    assert sum(most_samples(one) for one in SERIES.values()) < 20_000


def test_no_market_no_order_and_no_amount_is_a_label() -> None:
    assert not {"symbol", "market", "order", "id", "price", "quantity", "key", "user"} & {*MOST}


# -- what is asked for in queries -----------------------------------------------------------------------------------
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACED = re.compile(r"\{[^{}]*\}")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_RANGE = re.compile(r"\[[^\]]*\]")
_FUNCTION = re.compile(r"\b([a-zA-Z_]\w*)\s*\(")
FUNCTIONS = {
    "abs", "avg", "changes", "clamp_min", "count", "histogram_quantile", "increase", "max", "min", "rate", "sum",
    "time", "max_over_time", "min_over_time", "topk", "absent", "label_replace", "label_values", "vector",
}  # fmt: skip
OTHER_WORDS = {"and", "or", "unless", "bool", "by", "without", "on", "offset", "NaN", "Inf"}


def metrics_in(query: str) -> set[str]:
    """The series that a query asks for; its brackets must close, and what it calls must be functions."""
    bare = _RANGE.sub(" ", _BRACED.sub(" ", _QUOTED.sub(" ", query)))
    assert bare.count("(") == bare.count(")"), query
    assert not set("{}[]") & {*bare}, query
    bare = _GROUPED.sub(" ", bare)
    assert {*_FUNCTION.findall(bare)} <= FUNCTIONS | OTHER_WORDS, query
    words = {*_WORD.findall(re.sub(r"\b[0-9][0-9.]*[a-z]*[0-9]*\b", " ", bare))}
    return words - FUNCTIONS - OTHER_WORDS


def labels_in(query: str) -> set[str]:
    """The labels that a query selects or groups by."""
    selected = {word for braced in _BRACED.findall(query) for word in re.findall(r"(\w+)\s*[=!]~?=?", braced)}
    bare = _QUOTED.sub(" ", query)
    return selected | {word for group in _GROUPED.findall(bare) for word in _WORD.findall(group.partition("(")[2])}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sum by (account) (rate(nija_cycles_total[5m])) > 1.5", {"nija_cycles_total"}),
        ('a{x="y{z}"} / on (account) b offset 5m', {"a", "b"}),
        ("histogram_quantile(0.95, sum by (le) (rate(c_bucket[5m])))", {"c_bucket"}),
        ("time() - d > bool 3e9", {"d"}),
    ],
)
def test_the_series_in_a_query_are_found(query: str, found: set[str]) -> None:
    assert metrics_in(query) == found


def dashboards() -> list[Path]:
    return sorted(GRAFANA.glob("*.json"))


def panels_of(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def rules() -> list[dict[str, Any]]:
    told = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    for path in dashboards():
        board = json.loads(path.read_text(encoding="utf-8"))
        for panel in panels_of(board):
            for target in panel.get("targets", []):
                yield f"{path.name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path.name}: variable {variable['name']}", variable["query"].replace(", ", " , ")
    for rule in rules():
        yield f"alerts.yml: {rule['alert']}", rule["expr"]


def test_every_query_asks_for_series_and_labels_that_there_are() -> None:
    labels = {label for one in SERIES.values() for label in one.labels} | {"le", "job", "instance"}
    asked = 0
    for place, query in queries():
        if place.rpartition(" ")[0].endswith("variable"):
            name, _, label = query.removeprefix("label_values(").removesuffix(")").partition(" , ")
            assert name in NAMES, place
            assert label in labels, place
            continue
        asked += 1
        assert metrics_in(query), place
        assert metrics_in(query) <= NAMES, f"{place}: {metrics_in(query) - NAMES}"
        assert labels_in(query) <= labels, f"{place}: {labels_in(query) - labels}"
    assert asked > 40


def test_the_dashboard_can_be_taken_in_by_grafana() -> None:
    for path in dashboards():
        board = json.loads(path.read_text(encoding="utf-8"))
        assert re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"])
        assert board["title"]
        assert board["schemaVersion"] >= 36
        assert {"name": "datasource", "type": "datasource", "query": "prometheus"}.items() <= board["templating"][
            "list"
        ][0].items()
        panels = list(panels_of(board))
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken = set[tuple[int, int]]()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert place["x"] + place["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells
            if panel["type"] != "row":
                assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
                assert panel["description"], panel["title"]
                assert [target["refId"] for target in panel["targets"]] == [*"ABCDEF"[: len(panel["targets"])]]


def test_every_alert_says_for_how_long_how_bad_what_and_where_the_way_out_is_written() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found) >= 15
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
        for line in (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }
    for rule in found:
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page.endswith("docs/runbook.md")
        assert anchor in headings, rule["alert"]
        labels = {*re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])}
        assert labels <= {label for name in metrics_in(rule["expr"]) for label in _labels_of(name)} | {
            "job",
            "instance",
        }


def test_every_cause_that_lasts_has_a_rule_that_leads_to_its_section() -> None:
    sections = {rule["annotations"]["runbook_url"].partition("#alert-")[2] for rule in rules()} - {""}
    assert sections == {*CAUSES} - EVENTS


def _labels_of(name: str) -> tuple[str, ...]:
    return next((one.labels for one in SERIES.values() if name in one.names), ())


def test_prometheus_reads_the_rules_and_scrapes_the_bot() -> None:
    told = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    assert told["rule_files"] == ["alerts.yml"]
    assert [job["job_name"] for job in told["scrape_configs"]] == ["nija"]
    assert all(job["metrics_path"] == "/metrics" for job in told["scrape_configs"])
