"""Accounts as the fronts know them: who an API key belongs to, what it may do, and the highest nonce seen from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from paper_exchange.brokerage import Brokerage, KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account with its one API key. ``account_id`` is ``brokerage:name``; ``created_ns`` is when it was opened."""

    brokerage: str
    name: str
    account_id: str
    api_key: str
    api_secret: str
    public_key: str | None
    permissions: frozenset[str]
    tier: str
    strict: bool
    nonce_window: int
    created_ns: int
    passphrase: str = ""


class BadAccount(ValueError):
    """An account that can't be opened; the message names the field."""


class AccountRegistry:
    """All accounts, by API key and by brokerage and name."""

    def __init__(self, brokerages: Iterable[Brokerage]) -> None:
        self.brokerages = {brokerage.name: brokerage for brokerage in brokerages}
        self._by_key: dict[tuple[str, str], Account] = {}
        self._by_name: dict[tuple[str, str], Account] = {}

    def by_key(self, brokerage: str, api_key: str) -> Account | None:
        return self._by_key.get((brokerage, api_key))

    def by_name(self, brokerage: str, name: str) -> Account | None:
        return self._by_name.get((brokerage, name))

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_name.values())

    def create(
        self,
        brokerage: str,
        name: str,
        *,
        permissions: Iterable[str] | None,
        tier: str | None,
        strict: bool,
        nonce_window: int,
        now_ns: int,
    ) -> Account:
        """A new account with a new key; raises BadAccount for a name that is taken or a permission unknown there."""
        venue = self.brokerage(brokerage)
        if (brokerage, name) in self._by_name:
            raise BadAccount(f"name: {brokerage} already has an account {name!r}")
        keys = venue.new_key_pair()
        account = Account(
            brokerage=brokerage,
            name=name,
            account_id=f"{brokerage}:{name}",
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            public_key=keys.public_key,
            permissions=_permissions(venue, permissions),
            tier=_tier(venue, tier),
            strict=strict,
            nonce_window=nonce_window,
            created_ns=now_ns,
            passphrase=keys.passphrase,
        )
        self._add(account)
        return account

    def rotate(self, account: Account) -> Account:
        """The same account with a new key; the old one is revoked."""
        keys = self.brokerage(account.brokerage).new_key_pair()
        rotated = replace(
            account,
            api_key=keys.api_key,
            api_secret=keys.api_secret,
            public_key=keys.public_key,
            passphrase=keys.passphrase,
        )
        del self._by_key[account.brokerage, account.api_key]
        self._add(rotated)
        return rotated

    def grant(self, account: Account, permissions: Iterable[str]) -> Account:
        """The same account and key with exactly these permissions; raises BadAccount for one unknown there."""
        chosen = _permissions(self.brokerage(account.brokerage), permissions)
        changed = replace(account, permissions=chosen)
        self._add(changed)
        return changed

    def brokerage(self, name: str) -> Brokerage:
        try:
            return self.brokerages[name]
        except KeyError:
            known = ", ".join(sorted(self.brokerages))
            raise BadAccount(f"brokerage: {name!r} is not one of {known}") from None

    def snapshot(self) -> list[dict[str, Any]]:
        return [
            {
                "brokerage": account.brokerage,
                "name": account.name,
                "api_key": account.api_key,
                "api_secret": account.api_secret,
                "public_key": account.public_key,
                "permissions": sorted(account.permissions),
                "tier": account.tier,
                "strict": account.strict,
                "nonce_window": account.nonce_window,
                "created_ns": account.created_ns,
                "passphrase": account.passphrase,
            }
            for account in self._by_name.values()
        ]

    def restore(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take saved accounts back; those saved before there were passphrases have none."""
        for row in rows:
            fields = dict(row)
            fields["permissions"] = frozenset(fields["permissions"])
            self._add(Account(account_id=f"{fields['brokerage']}:{fields['name']}", **fields))

    def _add(self, account: Account) -> None:
        self._by_name[account.brokerage, account.name] = account
        self._by_key[account.brokerage, account.api_key] = account


def _permissions(venue: Brokerage, wanted: Iterable[str] | None) -> frozenset[str]:
    if wanted is None:
        return venue.default_permissions
    chosen = frozenset(wanted)
    unknown = sorted(chosen - venue.permissions)
    if unknown:
        raise BadAccount(f"permissions: {unknown[0]!r} is not one of {', '.join(sorted(venue.permissions))}")
    return chosen


def _tier(venue: Brokerage, wanted: str | None) -> str:
    if wanted is None:
        return venue.tiers[0]
    if wanted not in venue.tiers:
        raise BadAccount(f"tier: {wanted!r} is not one of {', '.join(venue.tiers)}")
    return wanted


__all__ = ["Account", "AccountRegistry", "BadAccount", "KeyPair"]
