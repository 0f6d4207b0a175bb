"""What is said again, and what is not."""

import pytest

from bot.observability.last_said import LastSaid, SaidOf, without_figures


def test_a_sentence_is_news_until_it_was_said_and_again_after_another_one() -> None:
    said = LastSaid()
    assert said.is_news("ann", "exits", "they wait")
    assert not said.is_news("ann", "exits", "they wait")
    assert said.is_news("bob", "exits", "they wait")
    assert said.is_news("ann", "exits", "")
    assert said.is_news("ann", "exits", "they wait")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("breaker open since 2026-11-22 03:25:10 UTC: 3 of 3", "breaker open since 2026-11-22 03:25:40 UTC: 2 of 3"),
        ("3 positions and 1 open entries", "4 positions and 0 open entries"),
        ("cash 10,000.25", "cash 9.1"),
    ],
)
def test_moments_and_amounts_make_no_other_sentence(one: str, other: str) -> None:
    assert without_figures(one) == without_figures(other)


def test_another_word_does() -> None:
    assert without_figures("okx breaker open since 1") != without_figures("kraken breaker open since 1")


def test_troubles_of_an_order_that_take_turns_are_said_once_each_until_it_has_ended() -> None:
    said = SaidOf()
    told = [said.is_news("order-1", text) for text in ("open since 1", "no JSON", "open since 2", "no JSON")]
    assert told == [True, True, False, False]
    assert said.is_news("order-2", "no JSON")
    said.forget("order-1")
    assert said.is_news("order-1", "no JSON")
