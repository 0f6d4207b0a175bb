"""What limits before every order are judged by: the price an order was sized at, and the worth of an account"""

import sqlalchemy as sa
from alembic import op

from bot.storage.types import Amount, UtcTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("order_intent", sa.Column("reference_price", Amount(), nullable=True))
    op.create_index("order_intent_by_sending", "order_intent", ["account_id", "sent_at"], unique=False)
    for name, kind in (("equity", Amount()), ("realised_profit", Amount()), ("reset_at", UtcTime())):
        op.add_column("risk_mark", sa.Column(name, kind, nullable=True))
    op.add_column("risk_mark", sa.Column("counted_fills", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("risk_mark", sa.Column("lots_json", sa.Text(), nullable=False, server_default="{}"))
    for name in ("reset_by", "reset_reason"):
        op.add_column("risk_mark", sa.Column(name, sa.Text(), nullable=False, server_default=""))
