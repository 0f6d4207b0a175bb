"""A small program that does nothing but private calls, to be killed: two Kraken accounts, a thread each.

Arguments: state directory, REST URL, clock offset in seconds, calls per account, then name, key and secret of each
account. It writes a line for every call that was answered.
"""

import sys
import threading
from pathlib import Path

from pydantic import SecretStr

from bot.brokers.balance_book import BalanceBook
from bot.brokers.call_reaper import CallReaper
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.kraken.context import KrakenContext, nonce_path
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.private_call_lock import PrivateCallLock, PrivateCallLocks
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import SystemClock


def main(state_dir: str, url: str, offset: str, calls: str, *accounts: str) -> None:
    clock = SystemClock(offset_seconds=float(offset))
    reaper = CallReaper(clock)
    locks = PrivateCallLocks(lambda: PrivateCallLock(clock), per_key=False)
    threads = []
    for start in range(0, len(accounts), 3):
        name, key, secret = accounts[start : start + 3]
        account = AccountRef.master(BrokerType.KRAKEN) if name == "master" else AccountRef.user(BrokerType.KRAKEN, name)
        context = KrakenContext(
            access=VenueAccess(
                base_url=url, credentials=Credentials(api_key=key, api_secret=SecretStr(secret)), mode="paper"
            ),
            balance_book=BalanceBook(clock),
            nonce_path=nonce_path(Path(state_dir), account),
            keys=KrakenKeys(),
            locks=locks,
            catalogues=SharedReading(clock),
            reaper=reaper,
            clock=clock,
            limits=CallLimits(),
            nonce_reserve_milliseconds=20,  # many reservations, so that a kill finds one under way
        )
        broker = KrakenBroker(account.account_type, account.user_id, context=context)
        threads.append(threading.Thread(target=call_again_and_again, args=(broker, int(calls)), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def call_again_and_again(broker: KrakenBroker, calls: int) -> None:
    for _ in range(calls):
        broker.fetch_holdings()
        sys.stdout.write(f"{broker.account.label}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
