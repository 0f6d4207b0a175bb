"""Settings of orders that an account decides on by itself: how they are placed, and when one that rests is moved."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from bot.settings.section import Section
from bot.settings.values import Flag, NotNegative, Percent, SomeSeconds, Whole

Way = Literal["market", "marketable", "resting"]
BasisPoints = Annotated[NotNegative, Field(le=1000)]


class OrdersSettings(Section):
    """How masters' entries and every account's own exits are placed (mission E6). Copies have rules of their own."""

    entry: Way = Field(
        default="market", description="market, marketable (limit with a cap, at once or not at all) or resting"
    )
    exit: Way = Field(default="market", description="the same for exits; stops never rest")
    marketable_cap_percent: Percent = Field(
        default=Decimal("0.5"), description="a marketable order pays at most so much beyond the other side's best price"
    )
    entry_ttl_seconds: SomeSeconds = Field(default=60.0, description="a resting entry is moved after so long")
    exit_ttl_seconds: SomeSeconds = Field(default=30.0, description="a resting exit is moved after so long")
    max_reprices: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=3,
        description="moves; then an entry is given up, and an exit goes at the market",
        json_schema_extra={"unit": "moves"},
    )
    reprice_step_bps: BasisPoints = Field(
        default=Decimal(5),
        description="each move is so much closer to the other side",
        json_schema_extra={"unit": "basis points"},
    )
    max_cross_bps: BasisPoints = Field(
        default=Decimal(20),
        description="no resting order is priced further beyond the other side's best price",
        json_schema_extra={"unit": "basis points"},
    )
    cancel_above_spread_percent: Percent = Field(
        default=Decimal("0.5"), description="a resting entry is given up when bid and ask are further apart"
    )
    cancel_at_stop: Flag = Field(
        default=True, description="resting entries are cancelled when the bot stops; exits stay at the brokerage"
    )
