"""The books: cash events, opening balances, costs, equity, days, the chain, and a copy's place in the fan-out"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("copy_result", sa.Column("rank", sa.Integer(), nullable=True))
    for name in ("seen_price", "capped_quantity"):
        op.add_column("copy_result", sa.Column(name, Amount(), nullable=True))
    op.create_index("fill_of_account", "fill", ["account_id", "sequence"], unique=False)
    op.create_index("fill_by_time", "fill", ["account_id", "executed_at", "sequence"], unique=False)
    _ledger()
    _said_and_measured()
    _days()
    _chain()


def _ledger() -> None:
    op.create_table(
        "cash_event",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("fee", Amount(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "event_id"),
    )
    op.create_index("cash_event_by_sequence", "cash_event", ["sequence"], unique=False)
    op.create_index("cash_event_of_account", "cash_event", ["account_id", "sequence"], unique=False)
    op.create_index("cash_event_by_time", "cash_event", ["account_id", "at", "sequence"], unique=False)
    op.create_table(
        "cash_reading",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), primary_key=True),
        sa.Column("read_until", UtcTime(), nullable=True),
        sa.Column("read_at", UtcTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_table(
        "opening_balance",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("units", Amount(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "asset"),
    )


def _said_and_measured() -> None:
    op.create_table(
        "cost_entry",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("cost", Amount(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("acquired_at", UtcTime(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("written_at", UtcTime(), nullable=False),
    )
    op.create_index("cost_entry_by_account", "cost_entry", ["account_id", "asset"], unique=False)
    op.create_table(
        "equity_point",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cash_available", Amount(), nullable=False),
        sa.Column("cash_held", Amount(), nullable=False),
        sa.Column("positions_value", Amount(), nullable=False),
        sa.Column("equity", Amount(), nullable=False),
        sa.Column("unpriced_json", sa.Text(), nullable=False),
        sa.Column("oldest_price_at", UtcTime(), nullable=True),
        sa.Column("units_json", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("marks_json", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("settled", sa.Boolean(), nullable=False),
    )
    op.create_index("equity_point_by_time", "equity_point", ["account_id", "at"], unique=False)


def _days() -> None:
    op.create_table(
        "day_close",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("closes_at", UtcTime(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opening_equity", Amount(), nullable=True),
        sa.Column("equity", Amount(), nullable=True),
        sa.Column("realised", Amount(), nullable=True),
        sa.Column("unrealised_change", Amount(), nullable=True),
        sa.Column("fees", Amount(), nullable=True),
        sa.Column("net_deposits", Amount(), nullable=True),
        sa.Column("income", Amount(), nullable=True),
        sa.Column("other_holdings", Amount(), nullable=True),
        sa.Column("difference", Amount(), nullable=True),
        sa.Column("differences_json", sa.Text(), nullable=False),
        sa.Column("units_json", sa.Text(), nullable=False),
        sa.Column("marks_json", sa.Text(), nullable=False),
        sa.Column("books_json", sa.Text(), nullable=False),
        sa.Column("fill_sequence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cash_sequence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cost_sequence", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("turnover", Amount(), nullable=True),
        sa.Column("hold_json", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("written_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day"),
    )


def _chain() -> None:
    op.create_table(
        "chain_link",
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("row_sha256", sa.Text(), nullable=False),
        sa.Column("link_sha256", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
    )
    op.create_index("chain_link_by_row", "chain_link", ["kind", "row_key"], unique=True)
