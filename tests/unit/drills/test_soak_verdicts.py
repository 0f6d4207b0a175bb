"""What the soak calls growth: a slope that its own confidence interval stands behind."""

import math
import random
from dataclasses import replace

import pytest

from benchmarks.soak_drill.sample import Sample
from benchmarks.soak_drill.slope import slope_of
from benchmarks.soak_drill.verdict import database_growth, verdicts

CALM = Sample(
    seconds=0, rss=100, threads=60, descriptors=120, store_queue=0, inboxes=0, unanswered=0, unresolved=0, zombies=0,
    database=10, fills=0, cycles=0,
)  # fmt: skip
SECONDS = [2.0 * number for number in range(300)]


def test_the_slope_of_a_line_is_that_of_the_line() -> None:
    slope = slope_of(SECONDS, [5 + 0.01 * second for second in SECONDS])
    assert slope.per_hour == pytest.approx(36)
    assert slope.low == pytest.approx(36) == slope.high


def test_the_interval_holds_the_true_slope_of_noisy_samples_about_as_often_as_it_says() -> None:
    chance, hits = random.Random(7), 0
    for _ in range(400):
        values = [0.001 * second + chance.gauss(0, 1) for second in SECONDS]
        slope = slope_of(SECONDS, values)
        hits += slope.low <= 3.6 <= slope.high
    assert 360 <= hits <= 396


def test_of_two_samples_nothing_is_certain() -> None:
    slope = slope_of([0, 2], [1, 9])
    assert (slope.low, slope.high) == (-math.inf, math.inf)


def words(**growth: float) -> dict[str, str]:
    """Verdicts on ten minutes in which quantities grow by so much an hour, with a little noise."""
    chance = random.Random(3)
    samples = [
        replace(
            CALM,
            seconds=second,
            **{
                name: getattr(CALM, name) + rate * second / 3600 + abs(chance.gauss(0, 0.1))
                for name, rate in growth.items()
            },
        )
        for second in SECONDS
    ]
    return {one.name: one.word for one in verdicts(samples)}


def test_a_process_that_keeps_what_it_has_is_flat() -> None:
    assert set(words(rss=0, threads=0).values()) == {"flat"}


def test_a_leak_of_memory_threads_or_descriptors_grows() -> None:
    found = words(rss=120, threads=60, descriptors=200, store_queue=500)
    assert {name for name, word in found.items() if word == "grows"} == {
        "rss", "threads", "descriptors", "store_queue",
    }  # fmt: skip


def test_growth_that_ended_with_the_warming_up_does_not_count() -> None:
    samples = [replace(CALM, seconds=second, rss=min(160.0, 100 + second)) for second in SECONDS]
    assert {one.name: one.word for one in verdicts(samples)}["rss"] == "flat"


def test_wild_samples_prove_nothing_either_way() -> None:
    chance = random.Random(5)
    samples = [replace(CALM, seconds=second, rss=chance.uniform(20, 500)) for second in SECONDS]
    assert {one.name: one.word for one in verdicts(samples)}["rss"] == "cannot tell"


def test_books_that_grow_with_what_is_booked_grow_alike_in_both_halves() -> None:
    samples = [replace(CALM, seconds=second, database=10 + second / 1024, fills=second / 2) for second in SECONDS]
    first, second = database_growth(samples)
    assert first == pytest.approx(2) == second
