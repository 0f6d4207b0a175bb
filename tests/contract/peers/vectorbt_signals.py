"""vectorbt on the candles and the signals that the test sent: its trades, with their prices."""

import json
import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
import vectorbt as vbt  # noqa: E402 - it warns while it is imported

options = json.load(sys.stdin)
frame = pd.DataFrame(options["candles"], columns=["Time", "Open", "High", "Low", "Close", "Volume"])
back = options["back"]
rises = frame["Close"] > frame["Close"].shift(back)
falls = frame["Close"] < frame["Close"].shift(back)
# A signal of one candle's close is traded at the open of the next.
book = vbt.Portfolio.from_signals(
    frame["Close"],
    entries=rises.shift(1, fill_value=False).astype(bool),
    exits=falls.shift(1, fill_value=False).astype(bool),
    price=frame["Open"],
    size=1.0,
    fees=options["fee"] / 100,
    init_cash=10_000_000.0,
    freq="1min",
)
closed = book.trades.records[book.trades.records["status"] == 1]
columns = ["entry_idx", "exit_idx", "entry_price", "exit_price", "pnl", "exit_fees"]
print(json.dumps({"trades": np.asarray(closed[columns], dtype=float).tolist()}))
