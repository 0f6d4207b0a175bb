from __future__ import annotations

from typing import Any

import pytest

from paper_exchange.fault_request import BadFault, parse_fault
from paper_exchange.faults import FaultKind, FaultPlan


def plan(*bodies: dict[str, Any]) -> FaultPlan:
    made = FaultPlan()
    for body in bodies:
        made.add(*parse_fault(body))
    return made


def kinds(made: FaultPlan, calls: int, *, account: str = "master", endpoint: str = "AddOrder") -> list[str | None]:
    taken = (made.take("kraken", account, endpoint) for _ in range(calls))
    return [action.kind.value if action is not None else None for action in taken]


def test_a_fault_hits_once_unless_told_otherwise() -> None:
    assert kinds(plan({"action": "reset"}), 3) == ["reset", None, None]


def test_nth_lets_the_first_calls_pass_and_times_counts_from_there() -> None:
    made = plan({"match": {"nth": 2}, "action": {"kind": "reset"}, "times": 2})
    assert kinds(made, 5) == [None, "reset", "reset", None, None]


@pytest.mark.parametrize("times", [None, "forever"])
def test_a_fault_without_end_lasts_until_it_is_deleted(times: str | None) -> None:
    made = plan({"action": "reset", "times": times})
    assert kinds(made, 3) == ["reset"] * 3
    assert made.clear() == 1
    assert kinds(made, 1) == [None]


def test_only_calls_that_match_are_counted() -> None:
    made = plan({"account": "master", "endpoint": "addorder", "brokerage": "kraken", "nth": 2, "action": "hang"})
    assert kinds(made, 1, account="daivon") == [None]
    assert kinds(made, 1, endpoint="Balance") == [None]
    assert kinds(made, 2) == [None, "hang"]


def test_an_endpoint_may_be_a_pattern() -> None:
    made = plan({"endpoint": "*Orders", "action": "html", "times": None})
    assert kinds(made, 1, endpoint="OpenOrders") == ["html"]
    assert kinds(made, 1, endpoint="Balance") == [None]


def test_the_older_of_two_faults_goes_first_and_the_other_is_not_used_up() -> None:
    made = plan({"action": "reset"}, {"action": "html"})
    assert kinds(made, 3) == ["reset", "html", None]


def test_one_fault_can_be_deleted_by_its_id() -> None:
    made = plan({"action": "reset"}, {"action": "html"})
    assert made.clear(1) == 1
    assert made.clear(1) == 0
    assert kinds(made, 1) == ["html"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": {"kind": "api_error", "text": "EService:Busy"}},
        {"action": "api_error", "text": "EService:Busy"},
        {"action": "api_error EService:Busy"},
        {"action": {"api_error": "EService:Busy"}},
    ],
)
def test_nested_and_flat_bodies_mean_the_same(body: dict[str, Any]) -> None:
    _, action, _ = parse_fault(body)
    assert (action.kind, action.text) == (FaultKind.API_ERROR, "EService:Busy")


def test_lag_of_look_ups_adds_to_other_faults() -> None:
    made = plan({"action": "lookup_lag", "seconds": 3, "times": 2}, {"action": "reset"})
    assert kinds(made, 1) == ["reset"]
    lags = [made.take_lookup_lag_ns("kraken", "master", "OpenOrders") for _ in range(3)]
    assert lags == [3_000_000_000, 3_000_000_000, 0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "explode"}, "action"),
        ({"action": 5}, "action"),
        ({"action": "delay"}, "seconds"),
        ({"action": "delay", "seconds": "soon"}, "seconds"),
        ({"action": "delay", "seconds": -1}, "seconds"),
        ({"action": "reset", "seconds": 1}, "seconds"),
        ({"action": "api_error"}, "text"),
        ({"action": "reset", "text": "x"}, "text"),
        ({"action": "5xx", "status": 200}, "status"),
        ({"action": "reset", "status": 500}, "status"),
        ({"action": "drip", "part": "tail"}, "part"),
        ({"action": "reset", "times": 0}, "times"),
        ({"action": "reset", "times": True}, "times"),
        ({"action": "reset", "nth": 0}, "nth"),
        ({"action": "reset", "match": []}, "match"),
        ({"action": "reset", "account": 5}, "account"),
        ({"action": "reset", "color": "red"}, "color"),
        ({"action": "reset", "match": {"color": "red"}}, "color"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_by_the_name_of_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(BadFault, match=field):
        parse_fault(body)
