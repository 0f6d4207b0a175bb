"""Puts an exchange together, new or from its saved state. The one place that names the brokerages."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from paper_exchange.api_keys import AccountRegistry
from paper_exchange.brokerage import Brokerage
from paper_exchange.catalogue import Catalogue
from paper_exchange.clock import SystemClock
from paper_exchange.coinbase.front import COINBASE
from paper_exchange.engine import Engine
from paper_exchange.exchange import Exchange
from paper_exchange.ids import Ids
from paper_exchange.journal import Journal
from paper_exchange.kraken.front import KRAKEN
from paper_exchange.market import Market
from paper_exchange.nonces import NonceBook
from paper_exchange.state import StateStore, StateUnusable, encode_snapshot

BROKERAGES: tuple[Brokerage, ...] = (KRAKEN, COINBASE)
DEFAULT_SEED = 1


def open_exchange(store: StateStore | None, *, seed: int | None, csv: Path | None) -> tuple[Exchange, str]:
    """The exchange and the control token; both go on from the state, if there is one.

    Raises StateUnusable for a state that is damaged or was made with another seed.
    """
    saved = store.load() if store is not None else None
    try:
        exchange = _assemble(store, saved, _chosen_seed(store, saved, seed), csv)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as problem:
        if store is None or saved is None:
            raise
        raise StateUnusable(
            f"The state file {store.paths.snapshot} is damaged ({problem!r}). "
            "Move it away to start with an empty exchange."
        ) from problem
    token = saved["token"] if saved is not None else secrets.token_urlsafe(24)
    return exchange, token


def encoded_state(exchange: Exchange, token: str) -> bytes:
    """Everything worth keeping, ready for the state file."""
    return encode_snapshot(
        {
            "seed": exchange.seed,
            "epoch": exchange.epoch,
            "time_ns": exchange.clock.now_ns(),
            "token": token,
            "journal_seq": exchange.journal.last_seq,
            "accounts": exchange.registry.snapshot(),
            "nonces": exchange.nonces.snapshot(),
            "engine": exchange.engine.snapshot(),
            "market": exchange.market.snapshot(),
            "parts": {name: snapshot() for name, snapshot in exchange.parts.items()},
        }
    )


def _assemble(store: StateStore | None, saved: dict[str, Any] | None, seed: int, csv: Path | None) -> Exchange:
    clock = SystemClock(not_before_ns=saved["time_ns"] if saved else 0)
    epoch = saved["epoch"] + 1 if saved else 1
    ids = Ids(seed=seed, epoch=epoch)
    catalogue = Catalogue()
    journal = Journal(store.paths.journal if store is not None else None)
    registry = AccountRegistry(BROKERAGES)
    nonces = NonceBook(store.note_nonce) if store is not None else NonceBook()
    market = _market(catalogue, saved, seed=seed, now_ns=clock.now_ns())
    engine = Engine(catalogue, market, ids=ids)
    if saved is not None:
        _restore(saved, journal=journal, registry=registry, nonces=nonces, engine=engine, now_ns=clock.now_ns())
    return Exchange(
        engine=engine,
        market=market,
        catalogue=catalogue,
        journal=journal,
        clock=clock,
        registry=registry,
        nonces=nonces,
        ids=ids,
        seed=seed,
        epoch=epoch,
        saved_parts=saved.get("parts", {}) if saved is not None else {},
    )


def _chosen_seed(store: StateStore | None, saved: dict[str, Any] | None, seed: int | None) -> int:
    if saved is None:
        return DEFAULT_SEED if seed is None else seed
    kept: int = saved["seed"]
    if seed is not None and seed != kept:
        assert store is not None
        raise StateUnusable(
            f"The state file {store.paths.snapshot} was made with --seed {kept}, not {seed}. "
            "Leave --seed out or use another --state."
        )
    return kept


def _market(catalogue: Catalogue, saved: dict[str, Any] | None, *, seed: int, now_ns: int) -> Market:
    if saved is not None:
        return Market.restored(catalogue, saved["market"])
    return Market(catalogue, seed, origin_ns=now_ns)


def _restore(
    saved: dict[str, Any],
    *,
    journal: Journal,
    registry: AccountRegistry,
    nonces: NonceBook,
    engine: Engine,
    now_ns: int,
) -> None:
    journal.start_after(saved.get("journal_seq", 0))
    registry.restore(saved["accounts"])
    nonces.restore(saved["nonces"])
    engine.restore(saved["engine"], now_ns)
