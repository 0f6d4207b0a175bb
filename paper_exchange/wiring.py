"""Puts an exchange together, new or from its saved state. The one place that names the brokerages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_exchange.alpaca.front import ALPACA
from paper_exchange.alpaca.stream.sockets import ALPACA_SOCKETS
from paper_exchange.api_keys import AccountRegistry
from paper_exchange.binance.front import BINANCE
from paper_exchange.binance.ws.hub import BINANCE_SOCKETS
from paper_exchange.brokerage import Brokerage
from paper_exchange.catalogue import Catalogue
from paper_exchange.clock import SystemClock
from paper_exchange.coinbase.front import COINBASE
from paper_exchange.coinbase.ws.hub import COINBASE_SOCKETS
from paper_exchange.engine import Engine
from paper_exchange.engine_history import EngineHistory
from paper_exchange.exchange import Exchange
from paper_exchange.ids import Ids
from paper_exchange.journal import Journal
from paper_exchange.kraken.front import KRAKEN
from paper_exchange.kraken.ws.sockets import KRAKEN_SOCKETS
from paper_exchange.market import Market
from paper_exchange.nonces import NonceBook
from paper_exchange.okx.front import OKX
from paper_exchange.okx.ws.hub import OKX_SOCKETS
from paper_exchange.replay import read_replay
from paper_exchange.sockets.service import SocketPorts
from paper_exchange.state import StateStore, StateUnusable, encode_snapshot
from paper_exchange.tape import Bar

BROKERAGES: tuple[Brokerage, ...] = (KRAKEN, COINBASE, OKX, BINANCE, ALPACA)
SOCKETS: tuple[SocketPorts, ...] = (KRAKEN_SOCKETS, BINANCE_SOCKETS, OKX_SOCKETS, ALPACA_SOCKETS, COINBASE_SOCKETS)
DEFAULT_SEED = 1


@dataclass(slots=True)
class Opened:
    """An exchange with its control token and, for saving it, what is known of its history on disk."""

    exchange: Exchange
    token: str
    history: EngineHistory
    save_number: int = 0
    """Rises with every snapshot, over restarts too, so that the newer of two can be told."""


def open_exchange(store: StateStore | None, *, seed: int | None, csv: Path | None) -> Opened:
    """The exchange and the control token; both go on from the state, if there is one.

    Raises StateUnusable for a state that is damaged or was made with another seed, BadReplayFile for a bad ``csv``.
    """
    catalogue = Catalogue()
    replay = read_replay(csv, catalogue) if csv is not None else {}
    saved = store.load() if store is not None else None
    history = EngineHistory()
    try:
        if store is not None and saved is not None:
            history.put_back(saved["engine"], store.load_history(saved["history_bytes"]))
        exchange = _assemble(store, saved, seed=_chosen_seed(store, saved, seed), catalogue=catalogue, replay=replay)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, AssertionError) as problem:
        if store is None or saved is None:
            raise
        raise StateUnusable(
            f"The state file {store.paths.snapshot} is damaged ({problem!r}). "
            "Move it away to start with an empty exchange."
        ) from problem
    token = saved["token"] if saved is not None else secrets.token_urlsafe(24)
    return Opened(exchange, token, history, saved["save_number"] if saved is not None else 0)


def encoded_state(opened: Opened, store: StateStore) -> bytes:
    """Everything that can still change, ready for the state file; the rest is appended to the history."""
    exchange = opened.exchange
    opened.save_number += 1
    accounts = [account.account_id for account in exchange.registry]
    history_bytes = opened.history.save(exchange.engine, accounts, store.append_history)
    return encode_snapshot(
        {
            "save_number": opened.save_number,
            "seed": exchange.seed,
            "epoch": exchange.epoch,
            "time_ns": exchange.clock.now_ns(),
            "token": opened.token,
            "journal_seq": exchange.journal.last_seq,
            "accounts": exchange.registry.snapshot(),
            "nonces": exchange.nonces.snapshot(),
            "engine": exchange.engine.snapshot(history=False),
            "history_bytes": history_bytes,
            "market": exchange.market.snapshot(),
            "parts": {name: snapshot() for name, snapshot in exchange.parts.items()},
        }
    )


def _assemble(
    store: StateStore | None,
    saved: dict[str, Any] | None,
    *,
    seed: int,
    catalogue: Catalogue,
    replay: Mapping[str, Sequence[Bar]],
) -> Exchange:
    clock = SystemClock(not_before_ns=saved["time_ns"] if saved else 0)
    epoch = saved["epoch"] + 1 if saved else 1
    ids = Ids(seed=seed, epoch=epoch)
    journal = Journal(store.paths.journal if store is not None else None)
    registry = AccountRegistry(BROKERAGES)
    nonces = NonceBook(store.note_nonce) if store is not None else NonceBook()
    market = _market(catalogue, saved, replay, seed=seed, now_ns=clock.now_ns())
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


def _market(
    catalogue: Catalogue,
    saved: dict[str, Any] | None,
    replay: Mapping[str, Sequence[Bar]],
    *,
    seed: int,
    now_ns: int,
) -> Market:
    if saved is not None:
        return Market.restored(catalogue, saved["market"], replay=replay)
    return Market(catalogue, seed, origin_ns=now_ns, replay=replay)


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
