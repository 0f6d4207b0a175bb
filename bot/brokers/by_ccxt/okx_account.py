"""What OKX says of an account: its key, its mode, its balances, and money that lies where nothing is traded from."""

import logging
from collections.abc import Iterable, Mapping

from bot.brokers.key_report import KeyReport, refuse_without
from bot.brokers.replies import ZERO, as_list, as_object, flag_of, number_of, optional_number, optional_text, text_of
from bot.domain.balance import AssetBalance
from bot.domain.errors import KeyUnfit
from bot.domain.money import plain

log = logging.getLogger(__name__)

NEEDED_RIGHTS = ("read_only", "trade")
WITHDRAW_RIGHT = "withdraw"
# Modes in which spot orders are paid in cash; in the margin modes everything is collateral and orders may borrow.
MODES = {"1": "spot", "2": "futures"}
FUNDING_SECONDS = 600.0
# OKX's own rule for keys that may trade (docs, "API key creation").
UNBOUND = "OKX ends it after 14 days without use"


class OkxAccount:
    """Reads the documents; remembers only what the operator was told."""

    def __init__(self, *, label: str, quote_currency: str) -> None:
        self._label = label
        self._quote_currency = quote_currency
        self._look_again_at = 0.0
        self._told = False

    def report(self, fields: Mapping[str, object], *, where: str) -> KeyReport:
        """From `account/config`. Raises `KeyUnfit` for a missing right, or where cash is not what it seems."""
        granted = text_of(fields, "perm", where=where).replace(" ", "").split(",")
        refuse_without(NEEDED_RIGHTS, granted, label=self._label, venue="OKX", code="50120")
        mode = text_of(fields, "acctLv", where=where)
        if mode not in MODES:
            raise KeyUnfit(
                f"{self._label}: the OKX account is in mode {mode}; set it to spot mode (acctLv 1) at OKX",
                venue_code="51010",
            )
        if flag_of(fields, "enableSpotBorrow", default=False, where=where):
            raise KeyUnfit(
                f"{self._label}: the OKX account buys with borrowed money (enableSpotBorrow); switch that off at OKX",
                venue_code="51010",
            )
        return KeyReport(
            said_by=f"account/config says {','.join(granted)} in {MODES[mode]} mode",
            identity=f"account {text_of(fields, 'uid', where=where)}",
            names_account=True,
            withdraw_rights=(WITHDRAW_RIGHT,) if WITHDRAW_RIGHT in granted else (),
            unbound=UNBOUND if fields.get("ip") == "" else "",
        )

    def balances(self, fields: Mapping[str, object], *, where: str) -> Mapping[str, AssetBalance]:
        """From `account/balance`; only currencies with something in them are listed. Raises `UnreadableReply`."""
        found: dict[str, AssetBalance] = {}
        for row in as_list(fields.get("details"), where=where):
            detail = as_object(row, where=where)
            asset = text_of(detail, "ccy", where=where)
            held = number_of(detail, "frozenBal", where=f"{where} {asset}")
            # A debt is no nonsense: what is left to spend is nothing then.
            cash = number_of(detail, "cashBal", where=f"{where} {asset}", minimum=None)
            available = optional_number(detail, "availBal", where=f"{where} {asset}", default=max(cash - held, ZERO))
            found[asset] = AssetBalance(available=available, held=held)
        return found

    # -- money where nothing is traded from -------------------------------------------------------------------------
    def looks_elsewhere(self, balances: Mapping[str, AssetBalance], *, now: float) -> bool:
        """Whether to look into the funding account: there is nothing to pay with, and it was not looked at lately."""
        held = balances.get(self._quote_currency)
        if held is not None and held.total > 0:
            self._told = False
            return False
        if now < self._look_again_at:
            return False
        self._look_again_at = now + FUNDING_SECONDS
        return True

    def note_funding(self, rows: Iterable[object]) -> None:
        """Tell the operator once that the money lies in the funding account."""
        where = f"{self._label}: OKX asset/balances"
        for row in rows:
            fields = as_object(row, where=where)
            amount = number_of(fields, "bal", where=where)
            if optional_text(fields, "ccy") == self._quote_currency and amount > 0 and not self._told:
                self._told = True
                log.warning(
                    "%s: there is no %s to trade with, but %s in the funding account: transfer it to the trading "
                    "account at OKX",
                    self._label,
                    self._quote_currency,
                    plain(amount),
                )
