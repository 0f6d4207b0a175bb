"""The order in which the users of a signal are served: another one each time, the same when planned again, fair."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.books.fan_out_order import fan_out_order, ranks_of

LABELS = st.sets(st.text("abcdef_", min_size=1, max_size=8), max_size=12)
SIGNALS = 1000


@given(members=LABELS, seed=st.text(max_size=5), sequence=st.integers(min_value=0))
def test_everybody_is_served_once_and_always_in_the_same_order(members: set[str], seed: str, sequence: int) -> None:
    served = fan_out_order(sorted(members), seed=seed, sequence=sequence)
    assert sorted(served) == sorted(members)
    assert served == fan_out_order(sorted(members, reverse=True), seed=seed, sequence=sequence)
    assert sorted(ranks_of(served).values()) == list(range(len(members)))


# Of all signals, and of such that come in a pattern: a master's entries are every second, every tenth signal.
@pytest.mark.parametrize("step", [1, 2, 10])
@pytest.mark.parametrize("users", [2, 3, 10, 50])
def test_over_a_thousand_signals_nobodys_mean_rank_is_far_from_the_middle(users: int, step: int) -> None:
    members = [f"user{number}_kraken" for number in range(users)]
    seen: dict[str, list[int]] = {label: [] for label in members}
    for number in range(SIGNALS):
        for label, rank in ranks_of(fan_out_order(members, seed="a seed", sequence=step * number)).items():
            seen[label].append(rank)
    # A rank drawn evenly from 0 to n-1 deviates by sqrt((n^2-1)/12); its mean over N by that over sqrt(N).
    deviation = ((users**2 - 1) / 12 / SIGNALS) ** 0.5
    for label, ranks in seen.items():
        assert abs(fmean(ranks) - (users - 1) / 2) < 4 * deviation, label
        last = sum(rank == users - 1 for rank in ranks) / SIGNALS
        assert last < 1 / users + 4 * (1 / users * (1 - 1 / users) / SIGNALS) ** 0.5, label


def test_another_seed_is_another_order() -> None:
    members = [f"user{number}" for number in range(20)]
    assert fan_out_order(members, seed="one", sequence=1) != fan_out_order(members, seed="two", sequence=1)
