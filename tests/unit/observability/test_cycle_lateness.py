"""How late cycles begin, as it is shown to Prometheus."""

from bot.observability.cycle_lateness import CycleLateness


def test_a_cycle_is_late_by_what_it_begins_after_one_period_and_each_account_has_its_own_period() -> None:
    seen: list[tuple[str, float]] = []
    lateness = CycleLateness(5.0, lambda account, late: seen.append((account, late)))
    lateness.began("kraken", 100.0)
    lateness.began("ann_kraken", 101.0)
    lateness.began("kraken", 104.5)
    lateness.began("ann_kraken", 113.0)
    assert seen == [("kraken", 0.0), ("ann_kraken", 7.0)]


def test_the_first_cycle_is_not_late() -> None:
    seen: list[float] = []
    CycleLateness(5.0, lambda _account, late: seen.append(late)).began("kraken", 1e6)
    assert seen == []
