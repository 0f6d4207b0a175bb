"""backtesting.py on the candles and the rule that the test sent: its trades, with their prices."""

import json
import sys
import time
import warnings

import pandas as pd
from backtesting import Backtest, Strategy

warnings.simplefilter("ignore")
options = json.load(sys.stdin)
candles = pd.DataFrame(options["candles"], columns=["Time", "Open", "High", "Low", "Close", "Volume"])
candles["Time"] = pd.to_datetime(candles["Time"], unit="s")
candles = candles.set_index("Time")
back, stop, target = options["back"], options.get("stop"), options.get("target")
opens = candles["Open"].to_numpy()


class Momentum(Strategy):
    """Long while the close is above that of `back` candles ago; stop and target are by the price of the entry."""

    def init(self):
        pass

    def next(self):
        number = len(self.data.Close) - 1
        if number < back or number + 1 >= len(opens):
            return
        rises = self.data.Close[-1] > self.data.Close[-1 - back]
        if not self.position and rises:
            # The entry fills at the next open: only by it can the exits be where they belong from the start.
            entry = opens[number + 1]
            self.buy(
                size=1, sl=entry * (1 - stop / 100) if stop else None, tp=entry * (1 + target / 100) if target else None
            )
        elif self.position and self.data.Close[-1] < self.data.Close[-1 - back]:
            self.position.close()


test = Backtest(candles, Momentum, cash=10_000_000, commission=options["fee"] / 100, finalize_trades=False)
began = time.process_time()
trades = test.run()["_trades"]
seconds = time.process_time() - began
rows = trades[["EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Commission"]].to_numpy().tolist()
print(json.dumps({"trades": rows, "seconds": seconds}))
