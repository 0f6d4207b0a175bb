"""One exchange for each file of contract tests; its tape stands still at a round price, so that sums can be checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.exchange_process import ExchangeProcess


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=21) as process:
        process.pause()
        process.set_price("BTC/USD", "50000")
        yield process
