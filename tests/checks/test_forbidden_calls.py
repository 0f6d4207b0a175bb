"""Time, chance and the environment come in by their doors only, and nothing waits without an end."""

import pytest

from tests.checks.forbidden_calls import findings, findings_in


@pytest.mark.parametrize("directory", ["bot", "paper_exchange"])
def test_only_the_seams_read_clocks_and_draw_lots_and_every_wait_ends(directory: str) -> None:
    assert [str(found) for found in findings_in(directory)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "from time import time as now\nnow()",
        "import time as t\nlater = t.monotonic",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.datetime.utcnow()",
        "from datetime import date\ndate.today()",
        "from uuid import uuid4\nstr(uuid4())",
        "import random\nrandom.shuffle([1])",
        "from random import choice\nchoice([1])",
        "import secrets\nsecrets.token_hex()",
        "import os\nos.environ['HOME']",
        "from os import getenv\ngetenv('HOME')",
        "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
        "def f(thread): thread.join()",
        "def f(thread): thread.join(timeout=None)",
        "def f(queue): queue.get(block=True)",
        "def f(event): event.wait()",
        "def f(event): event.wait(None)",
        "def f(lock): lock.acquire()",
        "def f(future): future.result()",
        "import subprocess\nsubprocess.run(['true'])",
    ],
)
def test_it_finds_each_way_around_the_seams(source: str) -> None:
    assert findings(source, "bot/somewhere.py")


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("import time\ntime.monotonic()", "bot/seams/clock.py"),
        ("import time\ntime.time_ns()", "paper_exchange/clock.py"),
        ("from random import Random\nRandom(3)", "paper_exchange/tape.py"),
        ("import os\nos.environ.get('X')", "bot/settings/loading.py"),
        ("from uuid import UUID, uuid5\nuuid5(UUID(int=1), 'x')", "bot/somewhere.py"),
        ("def f(thread, parts): thread.join(3), ','.join(parts)", "bot/somewhere.py"),
        ("def f(queue, known): queue.get(timeout=1), known.get('key')", "bot/somewhere.py"),
        ("def f(lock): lock.acquire(timeout=1), lock.acquire(blocking=False)", "bot/somewhere.py"),
        ("def f(queue): queue.get()  # lint: ends with the closing None", "bot/somewhere.py"),
        ("from datetime import datetime\ndef f(clock): clock.now(), datetime.fromisoformat('x')", "bot/somewhere.py"),
    ],
)
def test_it_leaves_alone_what_is_allowed(source: str, path: str) -> None:
    assert findings(source, path) == []


def test_an_unseeded_generator_is_refused_in_the_market_as_well() -> None:
    assert findings("import random\nrandom.random()", "paper_exchange/tape.py")
    assert findings("from random import Random\nRandom(3)", "paper_exchange/engine.py")


def test_a_reason_excuses_an_endless_wait_only_on_its_own_line() -> None:
    assert findings("# lint: not here\ndef f(queue): queue.get()", "bot/somewhere.py")
