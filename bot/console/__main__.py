"""`python -m bot.console`: the operator's page, beside a running bot or over the books of a stopped one."""

import argparse
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.console.api_overview import FirstScreen
from bot.console.bot_news import BotNews
from bot.console.context import Context
from bot.console.environment import console_environment
from bot.console.hosts import is_loopback, names_of
from bot.console.passwords import Passwords
from bot.console.server import CannotListen, Listening, listen, serve, write_address
from bot.console.sessions import Sessions, fresh_key, session_key
from bot.domain.errors import ConfigurationError
from bot.observability.logs import log_the_uncaught, log_to_stderr
from bot.observability.redactor import Redactor
from bot.seams.clock import SystemClock
from bot.seams.ids import SystemIds
from bot.settings import Settings, load_settings
from bot.settings.env_source import CONSOLE_VARIABLES
from bot.settings.loading import PROJECT_DIR, inherited_environment, process_environment
from bot.storage.place import database_url

log = logging.getLogger(__name__)

CANNOT_START = 2
PLATFORM_PORT = "PORT"
# So long a child waits for its port.
PORT_SECONDS = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until asked to end; returns the exit code."""
    words = _parser().parse_args(argv)
    environ = console_environment(inherited_environment() if words.child else process_environment())
    redactor = Redactor(environ[name] for name in CONSOLE_VARIABLES & environ.keys())
    log_to_stderr(redactor)
    log_the_uncaught()
    try:
        settings = _settings(words, environ)
        redactor.add(database_url(settings).password or "")
        host, port = address(settings, environ)
        context = make_context(settings, environ, host, kept=words.db is None and words.state_dir is None)
        listening = _listen(context, host, port if words.port is None else words.port, as_child=words.child)
    except (ConfigurationError, CannotListen) as error:
        print(f"The console cannot start: {error}", file=sys.stderr)
        return CANNOT_START
    if words.child:
        threading.Thread(
            target=context.news.follow, args=(sys.stdin.buffer, lambda: None), name="BotNews", daemon=True
        ).start()
    with contextlib.suppress(KeyboardInterrupt):
        serve(context, listening, announce=lambda url: _announce(settings, url, as_child=words.child))
    return 0


def address(settings: Settings, environ: Mapping[str, str]) -> tuple[str, int]:
    """Where to listen. A hosting platform's PORT is for everybody; it is asked for by digits alone."""
    given = environ.get(PLATFORM_PORT, "").strip()
    if not given:
        return settings.console.host, settings.console.port
    if not given.isascii() or not given.isdigit() or len(given) > 5 or not 0 <= int(given) <= 65_535:
        raise ConfigurationError(f"PORT is {given[:20]!r} and must be a port such as 8080")
    loopback = is_loopback(settings.console.host)
    return "0.0.0.0" if loopback else settings.console.host, int(given)


def _listen(context: Context, host: str, port: int, *, as_child: bool) -> Listening:
    """As a child: the bot has answered on this port until now, and is asked to leave it. Raises `CannotListen`."""
    if as_child:
        print(json.dumps({"listening_soon": port}), flush=True)
    until = context.clock.monotonic() + (PORT_SECONDS if as_child else 0.0)
    while True:
        try:
            return listen(host, port)
        except CannotListen:
            if context.clock.monotonic() >= until:
                raise
            context.clock.wait(threading.Event(), 0.1)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m bot.console",
        description="The operator's page in a browser. bot.py starts it by itself; started by hand it shows the books "
        "of a bot that is stopped, or of one that runs without a page.",
        allow_abbrev=False,
    )
    which = made.add_mutually_exclusive_group()
    which.add_argument("--db", type=Path, metavar="FILE", help="an nija.db to look into (its directory is the state)")
    which.add_argument("--state-dir", type=Path, metavar="DIR", help="the directory of a bot's state")
    made.add_argument("--port", type=int, metavar="PORT", help="instead of console.port; 0 = any free one")
    made.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return made


def _settings(words: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """What the bot works with, less what is secret to it: `.env` was read, and filtered, before."""
    directory = words.db.resolve().parent if words.db is not None else words.state_dir
    if words.db is not None and not words.db.is_file():
        raise ConfigurationError(f"there is no file {words.db}")
    given = {} if directory is None else {"STATE_DIR": str(Path(directory).resolve())}
    config_dir = environ.get("NIJA_CONFIG_DIR")
    return load_settings(
        environ={**environ, **given},
        config_dir=Path(config_dir) if config_dir else PROJECT_DIR / "config",
    )


def make_context(settings: Settings, environ: Mapping[str, str], host: str, *, kept: bool) -> Context:
    """`kept`: the installation's own books. Those opened by name are read, and nothing is written beside them."""
    clock, ids = SystemClock(offset_seconds=settings.test_clock_offset_seconds), SystemIds()
    passwords = Passwords.of(environ)
    for problem in passwords.problems:
        log.error("%s", problem)
    context = Context(
        settings=settings,
        clock=clock,
        ids=ids,
        news=BotNews(clock),
        sessions=Sessions(
            passwords.bound_to(session_key(settings.state_dir, ids) if kept else fresh_key(ids)),
            hours=settings.console.session_hours,
            ids=ids,
        ),
        passwords=passwords,
        bind=host,
        host_names=names_of(host, settings.console.public_hosts, environ),
        can_write=kept,
    )
    context.first_screen = FirstScreen(context)
    return context


def _announce(settings: Settings, url: str, *, as_child: bool) -> None:
    if as_child:
        write_address(settings.state_dir, url)
        print(json.dumps({"url": url}), flush=True)
    else:
        print(f"Console at {url} (Ctrl-C ends it)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
