"""What an account is worth stands beside its cash, with its age, and what was not valued is named."""

from datetime import timedelta
from decimal import Decimal

from bot.diagnostics import broker_status
from bot.storage.equity_points import EquityPoint, add_point
from tests.stored_bot import KRAKEN, StoredBot, now
from tests.unit.diagnostics.conftest import Ask


def test_the_worth_of_an_account_is_shown_with_its_age_and_what_is_not_in_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN)
    point = EquityPoint(
        account_id=KRAKEN.label,
        at=now() - timedelta(seconds=20),
        currency="USD",
        cash_available=Decimal(900),
        cash_held=Decimal(0),
        positions_value=Decimal("600.5"),
        equity=Decimal("1500.5"),
        unpriced={"XYZ": Decimal("3.10")},
    )
    bot.store.write(lambda connection: add_point(connection, point))
    said = ask(broker_status.main, "--json").json["accounts"][0]["worth"]
    assert (said["currency"], said["equity"], said["unpriced"]) == ("USD", "1500.5", {"XYZ": "3.1"})
    text = " ".join(ask(broker_status.main).text.split())
    assert "1500.50 USD" in text
    assert "3.1 XYZ" in text


def test_a_worth_that_nobody_noted_is_not_known_and_no_zero(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    bot.account(KRAKEN)
    assert ask(broker_status.main, "--json").json["accounts"][0]["worth"] is None
