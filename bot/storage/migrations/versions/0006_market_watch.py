"""The market watch: listed markets, those looked at closely, the last ticker of all, those that move"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "market_catalogue",
        *_market(),
        sa.Column("venue_symbol", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tradable", sa.Boolean(), nullable=False),
        sa.Column("lot_step", Amount(), nullable=False),
        sa.Column("tick_size", Amount(), nullable=False),
        sa.Column("minimum_quantity", Amount(), nullable=False),
        sa.Column("minimum_notional", Amount(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "symbol"),
    )
    op.create_table(
        "market_focus",
        *_market(),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("bid", Amount(), nullable=True),
        sa.Column("ask", Amount(), nullable=True),
        sa.Column("bid_quantity", Amount(), nullable=True),
        sa.Column("ask_quantity", Amount(), nullable=True),
        sa.Column("last_price", Amount(), nullable=True),
        sa.Column("last_side", sa.Text(), nullable=False, server_default=""),
        sa.Column("trades", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("priced_at", UtcTime(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "symbol"),
    )
    op.create_table(
        "market_scout",
        *_market(),
        sa.Column("bid", Amount(), nullable=False),
        sa.Column("ask", Amount(), nullable=False),
        sa.Column("last_price", Amount(), nullable=False),
        sa.Column("volume_base", Amount(), nullable=True),
        sa.Column("sparkline_json", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("priced_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "symbol"),
    )
    op.create_table(
        "market_mover",
        *_market(),
        sa.Column("momentum_percent", Amount(), nullable=False),
        sa.Column("window_seconds", sa.Integer(), nullable=False),
        sa.Column("volume_ratio", Amount(), nullable=False),
        sa.Column("spread_percent", Amount(), nullable=False),
        sa.Column("promoted_at", UtcTime(), nullable=False),
        sa.Column("met_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "symbol"),
    )
    op.create_table(
        "market_source",
        sa.Column("broker", sa.Text(), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("looked_at", UtcTime(), nullable=False),
    )


def _market() -> tuple["sa.Column[str]", "sa.Column[str]"]:
    return sa.Column("broker", sa.Text(), nullable=False), sa.Column("symbol", sa.Text(), nullable=False)
