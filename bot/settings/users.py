"""A user as a file in config/users/ describes it."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.account import AccountRef, BrokerType
from bot.domain.leaving import WhenDisabled
from bot.settings.values import Flag, NotNegative, Optional, Positive, Symbols, Text


class CopySettings(BaseModel):
    """How a user copies (mission C5). Amounts are quote units, None = no cap."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    copy_mode: Literal["balance_ratio", "equity_ratio", "fixed_amount", "fixed_ratio"] = Field(
        "balance_ratio", description="what a user's size is derived from"
    )
    risk_multiplier: Annotated[Positive, Field(le=100)] = Field(Decimal(1), description="multiplies every copied size")
    fixed_amount_usd: Optional[Positive] = Field(None, description="size of every copy in mode fixed_amount")
    fixed_ratio: Optional[Positive] = Field(None, description="part of the master's size in mode fixed_ratio")
    max_trade_notional_usd: Optional[Positive] = Field(None, description="largest single copy")
    max_symbol_notional_usd: Optional[Positive] = Field(None, description="most that a user holds of one symbol")
    max_total_notional_usd: Optional[Positive] = Field(None, description="most that a user holds in total")
    allow_symbols: Symbols = Field((), description="only these are copied; empty = all")
    deny_symbols: Symbols = Field((), description="these are never copied")
    below_minimum: Literal["skip", "round_up", "accumulate"] = Field(
        "skip", description="what happens below the venue's minimum order"
    )
    round_up_max_factor: Annotated[Positive, Field(ge=1, le=100)] = Field(
        Decimal(2), description="a share is rounded up to a minimum of at most so many times the share"
    )
    accumulate_hours: Annotated[Positive, Field(le=8_760)] = Field(
        Decimal(24), description="how long a share is kept for later"
    )


class UserSettings(BaseModel):
    """One user at one brokerage. `paper_balance` is in the quote currency; `source_file` is where it was read.

    `copy_on_join` new_entries: what the master holds when the user joins is not bought; its next entry is.
    `when_disabled` says what becomes of copied positions while `enabled` is false.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    user_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    name: Text
    account_type: Literal["retail", "investor"]
    broker: BrokerType
    enabled: Flag = True
    when_disabled: WhenDisabled = WhenDisabled.CLOSE_ONLY
    copy_on_join: Literal["new_entries"] = "new_entries"
    description: str = ""
    shadow: Flag = False
    paper_balance: NotNegative = Decimal(1_000)
    # Only what the file sets is among its `model_fields_set`; the rest comes from the section `copying`.
    copy_rules: CopySettings = CopySettings()
    source_file: str = ""

    @property
    def account(self) -> AccountRef:
        return AccountRef.user(self.broker, self.user_id)
