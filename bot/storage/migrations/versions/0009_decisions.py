"""Decisions: scans, wishes to enter, exits, chains of orders, round trips, capacity"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _add_columns()
    _create_scan_cycle()
    _create_market_word()
    _create_entry_decision()
    _create_exit_state()
    _create_exit_decision()
    _create_round_trip()
    _create_accumulation()
    _create_capacity_preview()


def _add_columns() -> None:
    for table in ("signal", "order_intent", "position"):
        op.add_column(table, sa.Column("break_even_percent", Amount(), nullable=True))
        op.add_column(table, sa.Column("max_hold_minutes", sa.Integer(), nullable=True))
    op.add_column("order_intent", sa.Column("chain_id", sa.Text(), nullable=True))
    op.add_column("order_intent", sa.Column("chain_step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("order_intent", sa.Column("chain_end", sa.Text(), nullable=True))
    op.add_column("order_intent", sa.Column("stop_price", Amount(), nullable=True))
    op.create_index("order_intent_by_chain", "order_intent", ["chain_id"])
    goes_on = sa.text("chain_id IS NOT NULL AND chain_end IS NULL")
    op.create_index(
        "order_intent_open_chain", "order_intent", ["account_id"], sqlite_where=goes_on, postgresql_where=goes_on
    )
    op.add_column("dust", sa.Column("reason", sa.Text(), nullable=False, server_default=""))
    op.add_column("dust", sa.Column("retry_at", UtcTime(), nullable=True))
    op.add_column("dust", sa.Column("reopened_at", UtcTime(), nullable=True))


def _create_scan_cycle() -> None:
    op.create_table(
        "scan_cycle",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("seconds", Amount(), nullable=False),
        sa.Column("waiting", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("ready", sa.Integer(), nullable=False),
        sa.Column("signals", sa.Integer(), nullable=False),
        sa.Column("ordered", sa.Integer(), nullable=False),
        sa.Column("counts_json", sa.Text(), nullable=False),
    )
    op.create_index("scan_cycle_by_account", "scan_cycle", ["account_id", "at"])


def _create_market_word() -> None:
    op.create_table(
        "market_word",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "symbol"),
    )


def _create_entry_decision() -> None:
    op.create_table(
        "entry_decision",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("scan_id", sa.Integer(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("confidence", Amount(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("numbers_json", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
    )
    op.create_index("entry_decision_by_account", "entry_decision", ["account_id", "at"])
    op.create_index("entry_decision_by_symbol", "entry_decision", ["account_id", "symbol", "at"])
    op.create_index("entry_decision_by_scan", "entry_decision", ["scan_id"])


def _create_exit_state() -> None:
    op.create_table(
        "exit_state",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("bid", Amount(), nullable=True),
        sa.Column("rules_json", sa.Text(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "symbol"),
    )


def _create_exit_decision() -> None:
    op.create_table(
        "exit_decision",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("bid", Amount(), nullable=True),
        sa.Column("rules_json", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
    )
    op.create_index("exit_decision_by_account", "exit_decision", ["account_id", "at"])
    op.create_index("exit_decision_by_symbol", "exit_decision", ["account_id", "symbol", "at"])


def _create_round_trip() -> None:
    op.create_table(
        "round_trip",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=False),
        sa.Column("bought_quantity", Amount(), nullable=False),
        sa.Column("bought_quote", Amount(), nullable=False),
        sa.Column("sold_quote", Amount(), nullable=False),
        sa.Column("fees_quote", Amount(), nullable=True),
        sa.Column("exit_rule", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=True),
    )
    op.create_index("round_trip_by_account", "round_trip", ["account_id", "closed_at"])


def _create_accumulation() -> None:
    op.create_table(
        "accumulation",
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "symbol"),
    )


def _create_capacity_preview() -> None:
    op.create_table(
        "capacity_preview",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("account_id", sa.Text(), sa.ForeignKey("account.account_id"), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("price", Amount(), nullable=False),
        sa.Column("followers", sa.Integer(), nullable=False),
        sa.Column("able", sa.Integer(), nullable=False),
        sa.Column("unable_json", sa.Text(), nullable=False),
        sa.Column("flow_notional", Amount(), nullable=False),
        sa.Column("depth_notional", Amount(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
    )
    op.create_index("capacity_preview_by_account", "capacity_preview", ["account_id", "at"])
