"""docs/getting-started.md tells the same rights as the set-up, and leaves out no step that the program knows."""

import pytest

from bot.diagnostics.setup.key_rights import ADVICE
from bot.domain.account import BrokerType
from tests.checks.forbidden_calls import ROOT

PAGE = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("broker", list(BrokerType))
def test_the_page_names_the_rights_of_a_key_as_the_set_up_does(broker: BrokerType) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.casefold().startswith(f"| {broker.value} |")]
    advice = ADVICE[broker]
    for words in (advice.menu, *advice.grant, advice.never, *advice.notes):
        assert words[1:] in row  # a note may begin a sentence


def test_the_steps_end_with_real_money_and_begin_without() -> None:
    steps = [line for line in PAGE.splitlines() if line.startswith("## ")]
    assert [step[3] for step in steps] == ["1", "2", "3", "4", "5"]
    before, live = PAGE.split("\n## 5. ")
    assert "TRADING_MODE=live" in live
    assert "TRADING_MODE" not in before
