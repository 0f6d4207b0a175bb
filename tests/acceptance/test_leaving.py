"""Users join, leave and disappear while the program trades; the exchange's journal says what became of their coins."""

from pathlib import Path

from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import wait_until
from tests.paper_exchange.kraken_client import KrakenClient

OFF = {"enabled": False}


def test_who_leaves_enters_nothing_and_still_sells_with_the_master_and_who_joins_begins_with_a_new_entry(
    tmp_path: Path,
) -> None:
    with HandTraded(tmp_path, ann={}, bob={}) as there:
        with there.start() as bot:
            there.master.trades("buy", "4", "ETH/USD")
            for name in ("ann", "bob"):
                there.comes_to(name, "ETH/USD", "2")
            # Only now: while a copy is under way its fee is not known, and the next share a little larger.
            bot.says("ann_kraken: buy ETH/USD of")
            bot.says("bob_kraken: buy ETH/USD of")
            there.master.trades("buy", "0.2", "XBT/USD")
            for name in ("ann", "bob"):
                there.comes_to(name, "BTC/USD", "0.1")
                bot.says(f"{name}_kraken: buy BTC/USD of")
            assert bot.stop() == 0
        there.users_are(ann=OFF, bob={})
        with there.start() as bot:
            there.master.trades("buy", "50", "SOL/USD")
            wait_until(lambda: there.held("bob", "SOL/USD") > 0, seconds=60, what="bob copies")
            there.master.trades("sell", "2", "ETH/USD")
            there.comes_to("ann", "ETH/USD", "1")
            # Stops go on as well, hers and the master's: whichever is first, it is sold once.
            there.exchange.set_price("BTC/USD", "50000")
            there.comes_to("ann", "BTC/USD", "0")
            there.master.trades("sell", "2", "ETH/USD")
            there.comes_to("ann", "ETH/USD", "0")
            bot.says("ann_kraken is not connected any more", seconds=90)
            quiet_since = there.exchange.last_seq()
            there.master.trades("sell", "25", "SOL/USD")
            bot.says("bob_kraken: sell SOL/USD")
            assert there.exchange.journal(quiet_since, type="request", account="ann") == []
            assert bot.stop() == 0
        there.users_are(ann={}, bob={})
        with there.start() as bot:
            there.master.trades("sell", "25", "SOL/USD")
            bot.says("ann_kraken: skipped SOL/USD")
            there.master.trades("buy", "1", "ETH/USD")
            wait_until(lambda: there.held("ann", "ETH/USD") > 0, seconds=60, what="ann copies again")
            answers = {
                (signal["symbol"], user["account_id"]): (user["status"], user["reason"])
                for signal in bot.copies()[-2:]
                for user in signal["users"]
            }
            assert bot.stop() == 0
        assert answers["SOL/USD", "ann_kraken"] == ("skipped", "nothing_held")
        assert there.orders("ann", symbol="SOL/USD") == []


def test_who_wants_to_be_closed_out_is_sold_out_again_and_again_until_nothing_is_left(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}, bob={}) as there:
        with there.start() as bot:
            there.master.trades("buy", "4", "ETH/USD")
            for name in ("ann", "bob"):
                there.comes_to(name, "ETH/USD", "2")
            # Only now: while a copy is under way its fee is not known, and the next share a little larger.
            bot.says("ann_kraken: buy ETH/USD of")
            bot.says("bob_kraken: buy ETH/USD of")
            there.master.trades("buy", "0.2", "XBT/USD")
            for name in ("ann", "bob"):
                there.comes_to(name, "BTC/USD", "0.1")
                bot.says(f"{name}_kraken: buy BTC/USD of")
            assert bot.stop() == 0
        there.users_are(ann=OFF | {"when_disabled": "close_now"}, bob=OFF | {"when_disabled": "keep"})
        refused = {"kind": "api_error", "text": "EAPI:Rate limit exceeded"}
        there.exchange.fault(refused, times=3, account="ann", endpoint="AddOrder")
        with there.start() as bot:
            there.comes_to("ann", "ETH/USD", "0")
            there.comes_to("ann", "BTC/USD", "0")
            bot.says("ann_kraken is not connected any more: switched off; nothing copied is held any more")
            quiet_since = there.exchange.last_seq()
            there.master.trades("sell", "4", "ETH/USD")
            bot.says("signal ")
            status = bot.command("check_broker_status.py")
            assert bot.stop() == 0
        assert there.exchange.journal(quiet_since, type="request", account="ann") == []
        # Who keeps what was copied is not even connected.
        assert there.held("bob", "ETH/USD") == 2
        assert there.exchange.journal(quiet_since, type="request", account="bob") == []
        assert "bob_kraken: switched off in its file; it has 2 ETH/USD, 0.1 BTC/USD (keep)" in status.stdout


def test_a_user_whom_no_file_names_any_more_is_an_orphan_until_one_does(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}, bob={}) as there:
        with there.start() as bot:
            there.master.trades("buy", "4", "ETH/USD")
            for name in ("ann", "bob"):
                there.comes_to(name, "ETH/USD", "2")
                bot.says(f"{name}_kraken: buy ETH/USD of")
            assert bot.stop() == 0
        there.users_are(bob={})
        quiet_since = there.exchange.last_seq()
        with there.start() as bot:
            bot.says("ORPHANED_POSITION ann_kraken: no file in config/users names this user any more, and it has 2 ETH")
            there.master.trades("sell", "1", "ETH/USD")
            there.comes_to("bob", "ETH/USD", "1.5")
            status = bot.command("check_broker_status.py")
            assert "ann_kraken: ORPHANED" in status.stdout
            assert bot.stop() == 0
        assert there.exchange.journal(quiet_since, type="request", account="ann") == []
        there.users_are(ann=OFF, bob={})
        with there.start() as bot:
            # What the master sold meanwhile was owed, and is paid.
            there.comes_to("ann", "ETH/USD", "1.5")
            there.master.trades("sell", "3", "ETH/USD")
            there.comes_to("ann", "ETH/USD", "0")
            bot.says("ann_kraken is not connected any more", seconds=90)
            assert bot.stop() == 0


def test_an_order_whose_answer_was_lost_is_settled_with_another_key_of_the_same_account(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there:
        with there.start(NIJA_FAILPOINTS="kraken.after_AddOrder:kill") as bot:
            there.master.trades("buy", "4", "ETH/USD")
            wait_until(lambda: bot.process.poll() is not None, seconds=60, what="the bot dies with an order under way")
        (sent,) = there.orders("ann")
        revoked = KrakenClient(there.exchange.rest_url("kraken"), there.exchange.open_account("kraken", "ann"))
        there.exchange.control("POST", "/accounts/kraken/ann/key")
        assert revoked.refused("Balance") == "EAPI:Invalid key"
        with there.start() as bot:
            bot.says("ann_kraken: buy ETH/USD of")
            assert bot.stop() == 0
        assert there.orders("ann") == [sent]
