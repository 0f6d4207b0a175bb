"""Figures that are read from the store at the moment of a scrape: what is owed, not known, or missing."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(frozen=True, kw_only=True)
class StoreFigures:
    """One reading. What could not be read is not a number, never 0.

    By brokerage: exits owed, and seconds of age. By cause: alerts that are open, for each cause that there is.
    """

    answers_missing: float = math.nan
    orders_unresolved: float = math.nan
    orders_needing_person: float = math.nan
    exit_debts: Mapping[str, float] = field(default_factory=dict)
    exit_debt_oldest_seconds: Mapping[str, float] = field(default_factory=dict)
    alerts: Mapping[str, float] = field(default_factory=dict)
    notifications_waiting: float = math.nan
    store_bytes: float = math.nan
    disk_free_bytes: float = math.nan


class StoreFiguresCollector(Collector):
    """Asks once for a scrape, whatever the number of series."""

    def __init__(self, read: Callable[[], StoreFigures]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        figures = self._read()
        yield GaugeMetricFamily(
            "nija_copy_answers_missing",
            "Pairs of signal and active user without a row, and entries without an answer after their time",
            value=figures.answers_missing,
        )
        yield GaugeMetricFamily(
            "nija_orders_unresolved", "Orders sent whose outcome is not known", value=figures.orders_unresolved
        )
        yield GaugeMetricFamily(
            "nija_orders_needing_person",
            "Orders of which a person must decide (bot.py resolve)",
            value=figures.orders_needing_person,
        )
        yield _by("broker", "nija_exit_debts", "Mirrored exits not done yet", figures.exit_debts)
        yield _by(
            "broker",
            "nija_exit_debt_oldest_seconds",
            "Since the master's trade of the oldest mirrored exit not done; 0 = none",
            figures.exit_debt_oldest_seconds,
        )
        yield _by("cause", "nija_alerts", "Alerts that are open", figures.alerts)
        yield GaugeMetricFamily(
            "nija_notifications_waiting",
            "Messages to people outside that are not told yet",
            value=figures.notifications_waiting,
        )
        yield GaugeMetricFamily(
            "nija_store_bytes", "Size of the database's files; NaN where they are a server's", value=figures.store_bytes
        )
        yield GaugeMetricFamily(
            "nija_disk_free_bytes", "Left for us where the state directory is", value=figures.disk_free_bytes
        )


def _by(label: str, name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in sorted(values.items()):
        family.add_metric([word], value)
    return family
