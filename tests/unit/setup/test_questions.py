"""The questions, answered by a script: what Enter means, what is asked again, what comes of it."""

import argparse
import stat
from pathlib import Path

import pytest

from bot.diagnostics.setup.dialogue import Abandoned, WrongAnswer, one_of
from bot.diagnostics.setup.init import by_questions
from bot.diagnostics.setup.place import Place
from bot.settings import Settings, load_settings
from tests.unit.setup.script import Script

KRAKEN_SECRET = "A" * 86 + "=="
FIRST_RUN = [
    ("Paper or live", ""),
    ("Which", "krak, coinbase"),
    ("id, as anna_lee", "Anna"),
    ("id, as anna_lee", "anna_lee"),
    ("Name [Anna Lee]", ""),
    ("Class", "inv"),
    ("starts with on paper", "much"),
    ("starts with on paper", "2500.50"),
    ("id, as anna_lee", "anna_lee"),
    ("id, as anna_lee", ""),
    ("at Coinbase", ""),
    ("losing so many percent [10]", "150"),
    ("losing so many percent [10]", "none"),
    ("since the account's peak", ""),
    ("Most positions", "4"),
    ("Part of the balance", ""),
    ("How (Enter = nobody)", "webhook"),
    ("Its form", "slack"),
    ("Address of the webhook", "https://hooks.example/T0/secret-of-the-hook"),
]
NO_KEYS = [("Paper needs no keys", "")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(tmp_path / "config"))
    return Place.of_this_process()


def words(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**({"offline": True, "dry_run": False, "no_run": True, "json": False} | more))


def now(place: Place) -> Settings:
    return load_settings(environ={}, config_dir=place.config_dir, dotenv_path=place.dotenv_path)


def answer(place: Place, answers: list[tuple[str, str]], **more: object) -> Script:
    script = Script(answers)
    assert by_questions(now(place), words(**more), script.dialogue()) == 0
    assert script.left == []
    return script


def test_a_first_run_writes_what_was_answered_and_shows_no_secret(place: Place) -> None:
    script = answer(place, [*FIRST_RUN, *NO_KEYS, ("Write this", "")])
    settings = now(place)
    assert settings.trading_mode == "paper"
    assert [str(one.broker) for one in settings.masters if one.enabled] == ["kraken", "coinbase"]
    [anna] = settings.users
    assert (anna.user_id, anna.account_type, str(anna.paper_balance)) == ("anna_lee", "investor", "2500.5")
    assert anna.source_file == "config/users/investor_kraken.json"
    assert (settings.risk.max_daily_loss_percent, settings.risk.max_positions) == (None, 4)
    assert settings.notifications.webhook_style == "slack"
    assert place.dotenv_path.read_text() == "NIJA_WEBHOOK_URL=https://hooks.example/T0/secret-of-the-hook\n"
    assert stat.S_IMODE(place.dotenv_path.stat().st_mode) == 0o600
    assert "secret-of-the-hook" not in script.shown
    assert "user_id must begin with a letter or digit" in script.shown
    assert "anna_lee at kraken is named twice" in script.shown
    assert "Smallest balance that makes sense: 100 USD" in script.shown
    assert "must be less than or equal to 100" in script.shown


def test_a_second_run_offers_what_is_there_and_enter_changes_nothing(place: Place) -> None:
    answer(place, [*FIRST_RUN, *NO_KEYS, ("Write this", "")])
    before = {path: path.read_bytes() for path in place.config_dir.parent.rglob("*") if path.is_file()}
    script = answer(
        place,
        [
            ("[paper]", ""),
            ("Which [kraken, coinbase]", ""),
            ("at Kraken", ""),
            ("at Coinbase", ""),
            ("losing so many percent [none]", ""),
            ("peak", ""),
            ("[4]", ""),
            ("[5]", ""),
            ("How", ""),
            *NO_KEYS,
        ],
    )
    assert "Kraken has anna_lee." in script.shown
    assert "there is nothing to write" in script.shown
    assert {path: path.read_bytes() for path in place.config_dir.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("end", [[], [("Write this", "no")]])
def test_whoever_stops_before_the_end_or_says_no_leaves_everything_as_it_was(
    place: Place, end: list[tuple[str, str]]
) -> None:
    script = Script([*FIRST_RUN, *NO_KEYS, *end])
    with pytest.raises(Abandoned):
        by_questions(now(place), words(), script.dialogue())
    assert list(place.config_dir.iterdir()) == []
    assert not place.dotenv_path.exists()


def test_a_dry_run_shows_everything_and_writes_nothing(place: Place) -> None:
    script = answer(place, [*FIRST_RUN, *NO_KEYS], dry_run=True)
    assert "config/users/investor_kraken.json:" in script.shown
    assert list(place.config_dir.iterdir()) == []


def live(*end: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("Paper or live", "live"),
        ("Type live once more", "yes"),
        ("Paper or live", "live"),
        ("Type live once more", "live"),
        ("Which", "kraken"),
        ("at Kraken", "ann"),
        ("Name", ""),
        ("Class", ""),
        ("on paper", ""),
        ("at Kraken", ""),
        ("losing", ""),
        ("peak", ""),
        ("Most", ""),
        ("Part", ""),
        ("How", ""),
        *end,
    ]


def test_live_must_be_typed_twice_and_defects_of_keys_are_named_as_they_are_typed(place: Place) -> None:
    script = answer(
        place,
        live(
            ("API key", KRAKEN_SECRET),
            ("secret", "k" * 56),
            ("Type it again", ""),
            ("API key", "m" * 56),
            ("secret", KRAKEN_SECRET[:-2]),
            ("Type it again", ""),
            ("API key", f'"{"m" * 56}"'),
            ("secret", KRAKEN_SECRET),
            ("API key", "m" * 56),
            ("secret", KRAKEN_SECRET),
            ("Type it again", ""),
            ("API key", "your-key-here"),
            ("secret", KRAKEN_SECRET),
            ("Type it again", "skip"),
            ("Write this", ""),
        ),
    )
    assert now(place).trading_mode == "live"
    assert now(place).state_dir.name == "data-live"
    assert place.dotenv_path.read_text().splitlines() == [
        f"KRAKEN_MASTER_API_KEY={'m' * 56}",
        f"KRAKEN_MASTER_API_SECRET={KRAKEN_SECRET}",
    ]
    for sentence in (
        "Where:  kraken.com",
        "Never:  Withdraw",
        "KRAKEN_MASTER_API_KEY and KRAKEN_MASTER_API_SECRET are swapped",
        "KRAKEN_MASTER_API_SECRET lacks the == at its end",
        "KRAKEN_MASTER_API_KEY has quotes around its value; they were ignored",
        "this is the key of kraken; each account needs a key of its own",
        "holds a placeholder, not a key",
        "ann_kraken waits for a key",
    ):
        assert sentence in script.shown
    assert not any(secret and secret in script.shown for secret in script.hidden)


def test_a_way_of_telling_needs_somebody_to_tell(place: Place) -> None:
    answers = [*FIRST_RUN[:-3], ("How", "telegram, email"), ("Number of your chat", ""), ("Number of your chat", "me")]
    answers += [("Number of your chat", "12, -100345"), ("Token", "123:bot-token"), ("Who gets", "anna@example.org")]
    answers += [("Server", ""), ("Server", "smtp.example.org"), ("user name", ""), ("password", "")]
    script = answer(place, [*answers, *NO_KEYS, ("Write this", "")])
    told = now(place).notifications
    assert (told.telegram_chats, told.email_to, told.smtp_host, told.smtp_user) == (
        ("12", "-100345"),
        ("anna@example.org",),
        "smtp.example.org",
        None,
    )
    assert "this way of telling needs it" in script.shown
    assert "python bot.py notify test" in script.shown
    assert "which is not the number of a chat" in script.shown
    assert place.dotenv()["NIJA_TELEGRAM_TOKEN"] == "123:bot-token"


def test_an_address_that_will_not_be_called_is_told_before_anything_is_written(place: Place) -> None:
    answers = [*FIRST_RUN[:-1], ("Address of the webhook", "http://10.0.0.1/secret-hook"), *NO_KEYS]
    script = Script([*answers, ("Write this", "no")])
    with pytest.raises(Abandoned):
        by_questions(now(place), words(), script.dialogue())
    assert "Note: NIJA_WEBHOOK_URL is not used" in script.shown
    assert "secret-hook" not in script.shown


def test_live_that_is_there_is_never_what_enter_means(place: Place) -> None:
    place.yaml_path.write_text("trading_mode: live\nmasters: [{broker: kraken}]\n")
    script = Script([("Paper or live", ""), ("Paper or live", ""), ("Paper or live", "paper")])
    with pytest.raises(Abandoned):
        by_questions(now(place), words(), script.dialogue())
    assert "please answer paper or live" in script.shown


@pytest.mark.parametrize("text", ["", "x", "kr ak"])
def test_a_choice_that_means_nothing_or_two_things_is_asked_again(text: str) -> None:
    with pytest.raises(WrongAnswer):
        one_of(text, ("kraken", "krypton"))
    assert one_of("KRA", ("kraken", "krypton")) == "kraken"


def test_users_whose_master_will_not_run_are_switched_off_on_paper_unless_somebody_says_no(place: Place) -> None:
    users = place.config_dir / "users"
    users.mkdir()
    okx = '[{"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "okx", "enabled": true}]'
    (users / "retail_okx.json").write_text(okx)
    chosen = [("Paper", ""), ("Which", "kraken"), ("at Kraken", ""), ("1 user at OKX would copy nobody", "")]
    rest = [("losing", ""), ("peak", ""), ("Most", ""), ("Part", ""), ("How", ""), *NO_KEYS]
    answer(place, [*chosen[:-1], (chosen[-1][0], "no"), *rest, ("Write this", "")])
    assert (users / "retail_okx.json").read_text() == okx
    answer(place, [*chosen, *rest, ("Write this", "")])
    assert (users / "retail_okx.json").read_text() == okx.replace("true", "false")
