"""`python bot.py accounts accept-identity`: a person's word that an account's key may open another one from now on."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, name
from bot.diagnostics.listing import cannot_read, paper, print_json, time_text
from bot.diagnostics.store_reading import NoStore, bot_state, now
from bot.diagnostics.store_writing import write_store
from bot.seams.clock import format_time
from bot.settings import Settings
from bot.storage import identities


@dataclass(frozen=True)
class Word:
    """Who accepts whose new account, and why."""

    account: str
    by: str
    reason: str


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "accounts",
        "accept that the key of an account opens another account from now on",
        lambda settings, words: accept(settings, Word(words.account, words.by, words.reason), as_json=words.json),
        codes="0 written down, 2 refused, wrong use or configuration",
        examples=['accounts accept-identity daivon_frazier_kraken --by Anna --reason "he moved to a new account"'],
    )
    made.add_argument("action", choices=["accept-identity"], help="check_broker_status.py lists the accounts")
    made.add_argument("account", metavar="ACCOUNT", help="an account's label, as kraken or daivon_frazier_kraken")
    made.add_argument("--by", type=name, required=True, metavar="NAME", help="who says so")
    made.add_argument("--reason", type=name, required=True, metavar="TEXT", help="why it is meant")


def accept(settings: Settings, word: Word, *, as_json: bool) -> int:
    """The next connection pins whatever account the key opens. 0 = written down, 2 = refused."""
    moment = now(settings)
    said = f"{word.by}: {word.reason} ({format_time(moment)})"
    try:
        with write_store(settings) as connection:
            was = _unpin(connection, word.account, said)
            running = bot_state(connection, now=moment).running
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    then = "taken up within 15 minutes, or at once after a restart" if running else "taken up at the next start"
    sentence = f"{word.account}: the account that its key opens next is the right one; {then}"
    if as_json:
        print_json(None, said=sentence, done=True, account=word.account, was=was, at=time_text(moment))
    else:
        paper().print(f"{sentence}." + (f" It was {was}." if was else ""), soft_wrap=True)
    return exit_codes.OK


def _unpin(connection: Connection, account: str, said: str) -> str:
    """What the account was until now, or an empty text. Raises `NoStore` for one that was never seen."""
    if not identities.is_known(connection, account):
        raise NoStore(f"There is no account {account} here; python check_broker_status.py lists them")
    pinned = identities.pin_of(connection, account)
    identities.unpin(connection, account, word=said)
    return "" if pinned is None else pinned.identity
