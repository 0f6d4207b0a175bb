"""What the machine under the bot may do to it, short of the database: a full log, a fee in coins, a mute venue."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.domain.position import ExitPlan
from bot.execution.position_math import after_fill
from bot.observability.logs import LOG_FILE, set_up_logging
from bot.observability.redactor import Redactor


@pytest.fixture
def own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        with suppress(OSError):  # what could not be written cannot be written at the end either
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("own_handlers")
def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / LOG_FILE).symlink_to("/dev/full")
    set_up_logging(tmp_path, level="INFO", as_json=False, redactor=Redactor())
    logging.getLogger("trading").info("an order was filled")
    shown = capsys.readouterr()
    assert "an order was filled" in shown.out, "what can still be told is told"
    assert "No space left on device" in shown.err


def test_a_fee_taken_in_coins_is_no_part_of_what_can_be_sold_later() -> None:
    bought = Fill(
        trade_id="T1", venue_order_id="O1", symbol="BTC/USD", side=Side.BUY, quantity=Decimal("0.5"),
        price=Decimal(50_000), fee=Decimal("0.0013"), fee_currency="BTC", executed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    position = after_fill(None, bought, account_id="kraken", exit_plan=ExitPlan(), signal_id=None)
    assert position is not None
    assert position.quantity == Decimal("0.4987")
    again = after_fill(position, bought, account_id="kraken", exit_plan=ExitPlan(), signal_id=None)
    assert again is not None
    assert again.quantity == Decimal("0.9974")
