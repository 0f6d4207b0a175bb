"""Fills are numbered in the order of their booking, which SQLite's hidden row numbers were before"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("fill", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "sqlite":
        # No earlier version could use another database.
        op.execute("UPDATE fill SET sequence = rowid")
    op.create_index("fill_by_sequence", "fill", ["sequence"], unique=False)
