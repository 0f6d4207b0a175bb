"""The words of `python bot.py market`."""

from bot.diagnostics import market
from bot.diagnostics.command_line import Commands, add_command


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "market",
        "prices, spreads and their age: the markets looked at closely, and those that move",
        lambda settings, words: market.run(
            settings, as_json=words.json, focus=words.focus, movers=words.movers, symbol=words.symbol
        ),
        codes="0 prices are fresh, 1 some that matter are old, 2 wrong use or no such market, 3 the bot is not running",
        examples=["market", "market --movers", "market --symbol BTC/USD --json"],
    )
    made.add_argument("--focus", action="store_true", help="the markets looked at closely, and why")
    made.add_argument("--movers", action="store_true", help="the markets that move more than the others")
    made.add_argument("--symbol", metavar="SYMBOL", help="one market, with its status and minimums")
