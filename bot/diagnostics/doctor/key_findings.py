"""What is said of a key: why a venue refuses it, and whose account it opens."""

import re
from collections.abc import Iterator, Mapping

from bot.brokers.key_report import KeyReport
from bot.diagnostics.doctor.finding import Finding, bad, ok, warn
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, KeyUnfit, NijaError
from bot.storage.identities import Pin

AGAIN = "run doctor again in a minute; if it stays so, look at the venue's status page"
_RIGHTS = {
    BrokerType.KRAKEN: "Query funds; query open, closed orders and trades; create and modify, cancel and close orders",
    BrokerType.COINBASE: "view and trade",
    BrokerType.OKX: "read and trade",
    BrokerType.BINANCE: "enable reading and enable spot trading",
    BrokerType.ALPACA: "everything, which Alpaca's keys have",
}


def refused(account: AccountRef, error: NijaError) -> Finding:
    """Why the first private call did not succeed, under the code of what has to be done."""
    venue, text = account.broker.proper_name, named(account, str(error))
    if isinstance(error, KeyUnfit):
        if "lacks the right" in text or "may not even see" in text:
            granted = _RIGHTS.get(account.broker, "to read and to trade")
            return bad("ACC-02", text, f"at {venue}, on the page of the key, grant: {granted}; never withdraw")
        return bad("ACC-05", text, f"change that at {venue}, then run doctor again")
    if isinstance(error, CredentialsRejected):
        fix = (
            f"make sure that key and secret belong together, are not deleted at {venue}, and that this machine's "
            "address is allowed there; else make a new key"
        )
        return bad("ACC-01", text, fix)
    if "nonce" in text.lower():
        fix = "another program uses this key too: make a key for NIJA alone"
        return bad("ACC-01", text, fix)
    return bad("ACC-01", text, AGAIN)


_SILENCE = re.compile(r"ReadTimeout: .*\(read timeout=([0-9.]+)\)")


def named(account: AccountRef, text: str) -> str:
    """With the account's label before it, once, and a silence told in words."""
    said = _SILENCE.sub(r"no answer within \1 s", text)
    return f"{account.label}: {said.removeprefix(f'{account.label}: ')}"


def identity(account: AccountRef, report: KeyReport, pin: Pin | None) -> Finding:
    """Whether the key opens what the account's key opened before; as the bot judges it at its start."""
    label = account.label
    if pin is None:
        return ok("ACC-04", f"{label}: it opens {report.identity}, which the first start will remember")
    if pin.identity == report.identity:
        return ok("ACC-04", f"{label}: it opens {report.identity}, as since {pin.at:%Y-%m-%d}")
    changed = f"{label}: the key opens {report.identity}, and was {pin.identity} since {pin.at:%Y-%m-%d}"
    accept = f"python bot.py accounts accept-identity {label} --by NAME --reason TEXT"
    if report.names_account:
        return bad("ACC-04", f"{changed}: another account", f"give it its own account's key; if it is meant: {accept}")
    fix = f"nothing, if the new key is of the same account: the bot asks it for an earlier order. Else: {accept}"
    return warn("ACC-04", changed, fix)


def shared_accounts(reports: Mapping[AccountRef, KeyReport]) -> Iterator[Finding]:
    """Different keys that open one and the same account: it would copy itself."""
    owners: dict[tuple[BrokerType, str], list[AccountRef]] = {}
    for account, report in reports.items():
        if report.names_account:
            owners.setdefault((account.broker, report.identity), []).append(account)
    for (_, what), accounts in sorted(owners.items()):
        if len(accounts) > 1:
            names = " and ".join(account.label for account in sorted(accounts))
            fix = "give each its own account's key, or switch one of them off"
            yield bad("ACC-04", f"{names} open the same account at the venue ({what})", fix)
