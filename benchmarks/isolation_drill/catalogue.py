"""What one account is made to suffer: answers of the exchange, and code of the bot's own that goes wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.isolation_drill.mischief import STEP, STRATEGY

Action = Mapping[str, object]
ANY = "*"
NO_NUMBER = '{"error":[],"result":{"ZUSD":{"balance":"NaN","hold_trade":"1e999"}}}'
NO_ORDERS = '{"error":[],"result":{"open":{}}}'
GARBAGE_ORDERS = '{"error":[],"result":{"open":[1,"x",null]}}'


@dataclass(frozen=True)
class Suffering:
    """One fault on one account. `victim` is the account's label, "copier_1_kraken" or "coinbase".

    `answers` are faults of the exchange by endpoint; `deed` and `place` are mischief in the account's thread. `shared`
    says why the others cannot be spared, where that is so: then they are timed and not judged.
    """

    name: str
    victim: str
    answers: Sequence[tuple[str, Action]] = ()
    deed: str = ""
    place: str = ""
    shared: str = ""

    @property
    def brokerage(self) -> str:
        return self.victim.rpartition("_")[2]

    @property
    def account(self) -> str:
        """The name at the exchange."""
        return self.victim.rpartition("_")[0] or "master"


def _wire(name: str, victim: str, kind: str, *, endpoint: str = ANY, **more: object) -> Suffering:
    return Suffering(name, victim, answers=((endpoint, {"kind": kind, **more}),))


def _code(name: str, victim: str, deed: str, place: str = STEP) -> Suffering:
    return Suffering(name, victim, deed=deed, place=place)


KRAKEN, COINBASE, OKX, BINANCE, ALPACA = "kraken", "coinbase", "okx", "binance", "alpaca"
K1, K2, C1, C2 = "copier_1_kraken", "copier_2_kraken", "copier_1_coinbase", "copier_2_coinbase"
O1, O2, B1, B2 = "copier_1_okx", "copier_2_okx", "copier_1_binance", "copier_2_binance"
A1, A2 = "copier_1_alpaca", "copier_2_alpaca"

ALL: tuple[Suffering, ...] = (
    # The network.
    _wire("hang of every answer", C1, "hang"),
    _wire("hang of every answer under the lock", K1, "hang"),
    _wire("hang of every answer of a master", COINBASE, "hang"),
    _wire("body that drips", C1, "drip", seconds=0.5),
    _wire("body that drips under the lock", K1, "drip", seconds=0.5),
    _wire("headers that drip", C2, "drip", seconds=0.5, part="headers"),
    _wire("reset", C1, "reset"),
    _wire("reset under the lock", K1, "reset"),
    _wire("request dropped", C2, "drop_request"),
    _wire("answer dropped", C2, "drop_response"),
    _wire("answers of 1 s", C1, "delay", seconds=1),
    _wire("answers of 1 s under the lock", K1, "delay", seconds=1),
    _wire("answers near the deadline", C2, "delay", seconds=4),
    _wire("hang of every answer at OKX", O1, "hang"),
    _wire("hang of every answer at Binance", B1, "hang"),
    _wire("hang of every answer of Alpaca's master", ALPACA, "hang"),
    _wire("body that drips at OKX", O2, "drip", seconds=0.5),
    _wire("reset at Binance", B2, "reset"),
    _wire("answer dropped at Alpaca", A1, "drop_response"),
    # The brokerage.
    _wire("503", K1, "5xx", status=503),
    _wire("502 after it was done", C1, "accept_then_5xx", status=502),
    _wire("429 without end", C1, "5xx", status=429),
    _wire("maintenance", K2, "api_error", text="EService:Unavailable"),
    _wire("rate limit", K1, "api_error", text="EAPI:Rate limit exceeded"),
    _wire("nonce lock-out", K2, "api_error", text="EGeneral:Temporary lockout"),
    _wire("invalid nonce", K1, "api_error", text="EAPI:Invalid nonce"),
    _wire("revoked key", K2, "api_error", text="EAPI:Invalid key"),
    _wire("revoked key of a master", COINBASE, "5xx", status=401),
    _wire("missing right", K1, "api_error", text="EGeneral:Permission denied"),
    _wire("forbidden", C2, "5xx", status=403),
    _wire("orders refused", K2, "api_error", text="EOrder:Insufficient funds", endpoint="AddOrder"),
    _wire("503 at OKX", O1, "5xx", status=503),
    _wire("out of service at OKX", O2, "api_error", text="50001"),
    _wire("revoked key at OKX", OKX, "api_error", text="50111"),
    _wire("too many requests at OKX", O1, "api_error", text="50011"),
    _wire("orders that exist already at OKX", O2, "api_error", text="51016", endpoint="trade/order"),
    _wire("execution status unknown at Binance", B1, "api_error", text="-1007", endpoint="order"),
    _wire("banned address at Binance", B2, "5xx", status=418),
    _wire("revoked key at Binance", B1, "api_error", text="-2015"),
    _wire("504 after it was done at Alpaca", A2, "accept_then_5xx", status=504, endpoint="orders"),
    _wire("429 without end at Alpaca", A1, "5xx", status=429),
    _wire("revoked key at Alpaca", A2, "5xx", status=401),
    # Nonsense.
    _wire("a page of HTML", C1, "html"),
    _wire("JSON cut off", K1, "malformed"),
    _wire("null", C2, "body", text="null"),
    _wire("nested without end", C1, "body", text="[" * 20_000),
    _wire("a huge body", C2, "body", text="[" + "0," * 400_000 + "0]"),
    _wire("a balance that is no number", K1, "body", text=NO_NUMBER, endpoint="Balance*"),
    _wire("open orders that vanish", K2, "body", text=NO_ORDERS, endpoint="OpenOrders"),
    _wire("open orders of garbage", K1, "body", text=GARBAGE_ORDERS, endpoint="OpenOrders"),
    _wire("orders that show up late", C1, "lookup_lag", seconds=3),
    _wire("null at OKX", O1, "body", text="null"),
    _wire("a page of HTML at Binance", B2, "html"),
    _wire("JSON cut off at Alpaca", A1, "malformed"),
    _wire("orders that show up late at Binance", B1, "lookup_lag", seconds=3),
    # The bot's own code.
    _code("exception in the strategy", COINBASE, "raise", STRATEGY),
    _code("loop in the strategy", KRAKEN, "loop", STRATEGY),
    _code("hang in the strategy", COINBASE, "hang", STRATEGY),
    _code("end of the thread in the strategy", KRAKEN, "exit", STRATEGY),
    _code("recursion in the strategy", COINBASE, "recurse", STRATEGY),
    Suffering(
        "calls that keep the interpreter",
        COINBASE,
        deed="flood",
        place=STRATEGY,
        shared="no thread runs while another is inside a call that does not let go of the interpreter",
    ),
    _code("exception in a user's thread", K1, "raise"),
    _code("end of a user's thread", C1, "exit"),
    _code("hang of a user's thread", C2, "hang"),
    _code("hang with Kraken's lock in hand", K2, "hang", "kraken_nonce.before_write"),
    _code("loop in a user's thread", C1, "loop"),
    _code("no memory in a user's thread", K2, "no memory"),
    _code("hang in the strategy at OKX", OKX, "hang", STRATEGY),
    _code("end of the thread in the strategy at Binance", BINANCE, "exit", STRATEGY),
    _code("exception in a user's thread at Alpaca", A2, "raise"),
    _code("loop in a user's thread at OKX", O2, "loop"),
    _code("hang of a user's thread at Binance", B1, "hang"),
)
BY_NAME = {each.name: each for each in ALL}
# One of each kind, for a look that takes a minute.
QUICK = (
    "hang of every answer",
    "body that drips under the lock",
    "loop in the strategy",
    "end of a user's thread",
    "hang of every answer at OKX",
    "execution status unknown at Binance",
    "JSON cut off at Alpaca",
)
