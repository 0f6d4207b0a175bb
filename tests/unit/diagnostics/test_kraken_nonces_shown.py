"""The state of each Kraken key's nonce file."""

from pathlib import Path

from bot.diagnostics import kraken_status
from tests.stored_bot import StoredBot
from tests.unit.diagnostics.conftest import Ask


def test_the_nonce_file_of_each_key_is_shown(ask: Ask, bot: StoredBot, home: Path) -> None:
    bot.runs()
    bot.accounts()
    ceiling = "1767225600000000000"
    (home / "kraken_nonce_master.txt").write_text(
        f'{{"format": "nija-kraken-nonce/1", "unit": "ns", "key": "ab", "ceiling": "{ceiling}"}}'
    )
    text = ask(kraken_status.main).text
    assert "kraken: nonces up to 2026-01-01T00:00:00.000000Z may have been used" in text
    assert "daivon_frazier_kraken: no nonce file yet" in text


def test_a_damaged_nonce_file_is_something_wrong(ask: Ask, bot: StoredBot, home: Path) -> None:
    bot.runs()
    bot.accounts()
    (home / "kraken_nonce_user_daivon_frazier.txt").write_text("17672256")
    answer = ask(kraken_status.main)
    assert answer.code == 1
    assert "kraken_nonce_user_daivon_frazier.txt cannot be used" in answer.text
    assert ask(kraken_status.main, "--json").json["nonces"][1]["problem"]
