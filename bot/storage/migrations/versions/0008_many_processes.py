"""Many processes on one database: who they are, whose accounts are whose, and up to where nonces may have been used"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import UtcTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "trading_process",
        sa.Column("process_id", sa.Text(), primary_key=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("accounts_sha256", sa.Text(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=True),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("renewed_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("takes_since", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=False, server_default=""),
    )
    op.create_index("trading_process_by_epoch", "trading_process", ["epoch"], unique=True)
    op.create_index("trading_process_by_end", "trading_process", ["ended_at"])
    op.create_table(
        "nonce_ceiling",
        sa.Column("key_fingerprint", sa.Text(), primary_key=True),
        sa.Column("ceiling", sa.BigInteger(), nullable=False),
        sa.Column("process_id", sa.Text(), nullable=False),
        sa.Column("written_at", UtcTime(), nullable=False),
    )
    op.create_index("lease_by_owner", "lease", ["owner"])
