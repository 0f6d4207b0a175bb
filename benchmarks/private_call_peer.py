"""Times a client that lives in .venv-peers; run by private_call.py. It imports nothing of this project.

Options as JSON on the standard input: client (ccxt or python-kraken-sdk), url, api_key, api_secret, calls. Answers with
the milliseconds of each call as a JSON list.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def ccxt_call(options: dict[str, Any]) -> Callable[[], object]:
    import ccxt

    client = ccxt.kraken({"apiKey": options["api_key"], "secret": options["api_secret"], "enableRateLimit": False})
    client.urls["api"]["private"] = options["url"]
    return lambda: client.privatePostBalanceEx()


def sdk_call(options: dict[str, Any]) -> Callable[[], object]:
    from kraken.spot import User

    user = User(key=options["api_key"], secret=options["api_secret"], url=options["url"])
    return lambda: user.get_balances()


def main() -> None:
    options = json.load(sys.stdin)
    call = {"ccxt": ccxt_call, "python-kraken-sdk": sdk_call}[options["client"]](options)
    call()
    times = []
    for _ in range(options["calls"]):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
