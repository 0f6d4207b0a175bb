"""The first tables"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_type", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "process_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("heartbeat_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "account_state",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("health_reason", sa.Text(), nullable=False),
        sa.Column("health_since", UtcTime(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("cycles", sa.Integer(), nullable=False),
        sa.Column("last_cycle_at", UtcTime(), nullable=True),
        sa.Column("error_count", sa.Integer(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=False),
        sa.Column("configured_at", UtcTime(), nullable=True),
        sa.Column("authenticated_at", UtcTime(), nullable=True),
        sa.Column("permitted_at", UtcTime(), nullable=True),
        sa.Column("funded_at", UtcTime(), nullable=True),
        sa.Column("armed_at", UtcTime(), nullable=True),
        sa.Column("last_order_at", UtcTime(), nullable=True),
        sa.Column("last_fill_at", UtcTime(), nullable=True),
        sa.Column("balance_status", sa.Text(), nullable=False),
        sa.Column("balance_reason", sa.Text(), nullable=False),
        sa.Column("balance_errors", sa.Integer(), nullable=False),
        sa.Column("balance_taken_at", UtcTime(), nullable=True),
        sa.Column("quote_currency", sa.Text(), nullable=False),
        sa.Column("cash_available", Amount(), nullable=True),
        sa.Column("cash_held", Amount(), nullable=True),
        sa.Column("holdings_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "balance_snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("quote_currency", sa.Text(), nullable=False),
        sa.Column("cash_available", Amount(), nullable=False),
        sa.Column("cash_held", Amount(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("balance_snapshot_by_time", "balance_snapshot", ["account_id", "taken_at"], unique=False)
    op.create_table(
        "fill",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("price", Amount(), nullable=False),
        sa.Column("fee", Amount(), nullable=False),
        sa.Column("fee_currency", sa.Text(), nullable=False),
        sa.Column("executed_at", UtcTime(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("broker", "account_id", "symbol", "trade_id"),
    )
    op.create_index("fill_by_order", "fill", ["account_id", "venue_order_id"], unique=False)
    op.create_table(
        "fill_cursor",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("last_executed_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "health_transition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "position",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("average_entry_price", Amount(), nullable=False),
        sa.Column("highest_price", Amount(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=True),
        sa.Column("stop_loss_percent", Amount(), nullable=True),
        sa.Column("take_profit_percent", Amount(), nullable=True),
        sa.Column("trailing_stop_percent", Amount(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "symbol"),
    )
    op.create_table(
        "signal",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", Amount(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("reference_price", Amount(), nullable=False),
        sa.Column("master_balance", Amount(), nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("stop_loss_percent", Amount(), nullable=True),
        sa.Column("take_profit_percent", Amount(), nullable=True),
        sa.Column("trailing_stop_percent", Amount(), nullable=True),
        sa.Column("executed_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("planned_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.PrimaryKeyConstraint("signal_id"),
    )
    op.create_index("signal_by_order", "signal", ["account_id", "venue_order_id"], unique=False)
    op.create_index("signal_unplanned", "signal", ["broker", "planned_at"], unique=False)
    op.create_table(
        "order_intent",
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("quantity", Amount(), nullable=False),
        sa.Column("limit_price", Amount(), nullable=True),
        sa.Column("balance_before", Amount(), nullable=True),
        sa.Column("stop_loss_percent", Amount(), nullable=True),
        sa.Column("take_profit_percent", Amount(), nullable=True),
        sa.Column("trailing_stop_percent", Amount(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("settle_at", UtcTime(), nullable=True),
        sa.Column("empty_lookups", sa.Integer(), nullable=False),
        sa.Column("last_lookup_at", UtcTime(), nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("filled_quantity", Amount(), nullable=False),
        sa.Column("average_price", Amount(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["signal.signal_id"],
        ),
        sa.PrimaryKeyConstraint("client_order_id"),
    )
    op.create_index("order_intent_by_account", "order_intent", ["account_id", "state"], unique=False)
    op.create_index("order_intent_by_venue_order", "order_intent", ["account_id", "venue_order_id"], unique=False)
    op.create_table(
        "copy_result",
        sa.Column("signal_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("user_balance", Amount(), nullable=True),
        sa.Column("ratio", Amount(), nullable=True),
        sa.Column("planned_quantity", Amount(), nullable=True),
        sa.Column("filled_quantity", Amount(), nullable=True),
        sa.Column("average_price", Amount(), nullable=True),
        sa.Column("planned_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
        ),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["order_intent.client_order_id"],
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["signal.signal_id"],
        ),
        sa.PrimaryKeyConstraint("signal_id", "account_id"),
    )
    op.create_index("copy_result_by_account", "copy_result", ["account_id", "status"], unique=False)
    op.create_table(
        "order_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["order_intent.client_order_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
