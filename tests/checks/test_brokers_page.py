"""`docs/brokers.md` says of each brokerage what its class says of itself."""

from pathlib import Path

from bot.domain.account import BrokerType
from tests.checks.brokers_table import table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "brokers.md"


def test_the_table_of_the_page_is_what_the_broker_classes_say() -> None:
    expected = table()
    assert expected in PAGE.read_text(encoding="utf-8"), f"docs/brokers.md should hold:\n{expected}"


def test_every_brokerage_has_notes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for broker in BrokerType:
        assert f"\n## {broker.value.capitalize() if broker is not BrokerType.OKX else 'OKX'}\n" in text
