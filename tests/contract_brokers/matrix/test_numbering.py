"""The cases are numbered, each number once, and every brokerage that the tests can open stands in the matrix."""

import re
from pathlib import Path

from bot.domain.account import BrokerType
from tests.contract_brokers.matrix.rigs import RIGS

HERE = Path(__file__).parent


def test_each_number_stands_for_one_case() -> None:
    numbers = [
        number
        for file in sorted(HERE.glob("test_*.py"))
        for number in re.findall(r"^def test_c(\d\d)_", file.read_text(), re.M)
    ]
    assert len(numbers) == len(set(numbers)) >= 50


def test_every_brokerage_is_tried() -> None:
    assert set(RIGS) == set(BrokerType)
