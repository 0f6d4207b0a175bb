"""The assets of the catalogue: how many decimals balances have, and a plausible price to start the generator from.

Beside currencies and coins there are stocks and funds of the United States, which only a stock brokerage shows.

Prices are round figures of the right order of magnitude, not quotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

FIAT = {"USD": "1", "EUR": "1.08", "GBP": "1.27", "CAD": "0.73", "AUD": "0.66", "CHF": "1.12", "JPY": "0.0067"}
STABLECOINS = {"USDT": "1", "USDC": "1", "DAI": "1", "PYUSD": "1", "USDS": "1"}

# Assets whose USD market trades on the tape; the order is by size, which sets depth, spread and volume.
MAJORS = {
    "BTC": "67000", "ETH": "3400", "SOL": "150", "XRP": "0.62", "DOGE": "0.16", "ADA": "0.48", "AVAX": "36",
    "LINK": "16.5", "DOT": "7.2", "LTC": "84", "BCH": "470", "TRX": "0.13", "UNI": "9.8", "ATOM": "8.9", "XLM": "0.115",
    "NEAR": "6.9", "APT": "9.4", "ARB": "1.05", "OP": "2.4", "FIL": "5.9", "INJ": "26", "SUI": "1.35", "AAVE": "94",
    "MKR": "2850", "GRT": "0.28", "ALGO": "0.19", "XTZ": "0.98", "ETC": "27.5", "XMR": "142", "EOS": "0.82",
    "SAND": "0.45", "MANA": "0.46", "AXS": "7.6", "CRV": "0.44", "SNX": "2.9", "COMP": "58", "LDO": "2.1",
    "RUNE": "5.6", "FET": "1.75", "IMX": "2.2", "SHIB": "0.0000245", "PEPE": "0.0000118", "FLOW": "0.92", "KSM": "29",
    "ZEC": "24", "DASH": "29.5", "ENJ": "0.31", "CHZ": "0.12", "BAT": "0.25", "1INCH": "0.42", "YFI": "6900",
}  # fmt: skip

# Listed, but without a tape: what a catalogue of some 1,500 pairs mostly consists of.
MINORS = tuple(
    """
    ACA ACH ADX AEVO AGLD AIR AKT ALCX ALICE ALPHA ALT ANKR ANT APE API3 ARKM ARPA ASTR ATLAS AUCTION AUDIO BADGER
    BAL BAND BICO BIGTIME BIT BLUR BLZ BNT BOBA BODEN BOND BONK BRICK BSX C98 CELO CELR CFG CHR CLV CORN COTI COW
    CPOOL CQT CSM CTSI CVC CVX CXT DENT DRIFT DYDX DYM EGLD EIGEN ENA ENS ETHFI ETHW EUL EWT FARM FIDA FIS FLOKI FLR
    FORTH FTM FWOG FXS GAL GALA GARI GHST GIGA GLMR GMT GMX GNO GST GTC HDX HFT HNT HONEY ICP ICX IDEX INTR IOTX
    JASMY JTO JUNO JUP KAR KAVA KEEP KEY KILT KIN KINT KNC KP3R KUJI LCX LMWR LPT LQTY LRC LSETH LSK LUNA MASK MATIC
    MC MEME METIS MEW MINA MIR MLN MNGO MNT MOG MOON MOVR MSOL MULTI MV MXC NANO NEIRO NMR NODL NOS NYM OCEAN OGN
    OMG ONDO OXT OXY PAXG PENDLE PERP PHA POL POLIS POLS POND PONKE POPCAT PORTAL POWR PRCL PRIME PSTAKE PYTH QNT
    QTUM RAD RARE RARI RAY RBC REN RENDER REP REPV2 REQ REZ RLC ROOK RPL RSR SAFE SAMO SATS SBR SC SCRT SDN SEI SGB
    SKY SPELL SRM SSV STEP STG STORJ STRD STRK STX SUPER SUSHI SWELL SYN TAO TBTC TEER TIA TLM TNSR TOKE TON TRAC
    TREMP TRU TURBO TVK UMA UNFI USTC VANRY VINE W WAXL WBTC WELL WEN WIF WOO XCN XRT YGG ZETA ZEUS ZEX ZK ZRO ZRX
    FDUSD SUSD USDX X XUSD ZUSDX
    """.split()  # noqa: SIM905 - a list literal of two hundred quoted names reads worse
)

# Held at most: no market here trades them. Binance makes remainders of other coins into it.
UNTRADED = {"BNB": "600"}

# US stocks and three funds, all of which trade on the tape; the order is by size, as with the majors.
STOCKS = {
    "SPY": "590", "AAPL": "228", "MSFT": "425", "NVDA": "138", "AMZN": "205", "GOOGL": "172", "META": "560",
    "TSLA": "340", "QQQ": "505", "BRK.B": "468", "JPM": "244", "V": "310", "WMT": "88", "XOM": "119", "HD": "405",
    "KO": "63", "PEP": "158", "MCD": "292", "DIS": "114", "NFLX": "880", "AMD": "138", "INTC": "24.5", "CSCO": "57",
    "ORCL": "188", "BAC": "46", "PFE": "25", "NKE": "75", "UBER": "70", "IWM": "238", "F": "11", "PYPL": "86",
    "SIRI": "26", "NOK": "4.3", "TLRY": "0.62",
}  # fmt: skip
WHOLE_SHARES_ONLY = frozenset({"SIRI", "NOK", "TLRY"})
"""Stocks of which no fraction can be bought."""


@dataclass(frozen=True)
class Asset:
    """Balances change in units of 10^-`decimals`; `reference_usd` is an order of magnitude."""

    name: str
    decimals: int
    display_decimals: int
    reference_usd: Decimal


def all_assets() -> dict[str, Asset]:
    assets = {name: Asset(name, 4, 2, Decimal(price)) for name, price in FIAT.items()}
    assets |= {name: Asset(name, 8, 4, Decimal(price)) for name, price in STABLECOINS.items()}
    assets |= {name: Asset(name, 10, 5, Decimal(price)) for name, price in MAJORS.items()}
    for rank, name in enumerate(MINORS):
        # Spread over four orders of magnitude by position, so that the catalogue has every precision.
        price = Decimal(1 + rank * 7 % 9) * Decimal(10) ** (rank % 5 - 3)
        assets.setdefault(name, Asset(name, 10, 5, price))
    assets |= {name: Asset(name, 9, 4, Decimal(price)) for name, price in STOCKS.items()}
    assets |= {name: Asset(name, 8, 4, Decimal(price)) for name, price in UNTRADED.items()}
    return assets
