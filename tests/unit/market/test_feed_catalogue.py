"""The list of markets stays the venue's: read once a day, amended at once, never undone by an older word."""

from bot.brokers.kraken.catalogue_keeper import RETRY_SECONDS, CatalogueKeeper
from bot.brokers.kraken.symbols import KrakenCatalogue, catalogue_from
from bot.brokers.shared_reading import SharedReading
from bot.domain.errors import RetryLater
from tests.unit.brokers.clocks import TurnedClock

VENUE = "https://venue"
BTC, ETH = "BTC/USD", "ETH/USD"
NAMES = {BTC: ("XXBTZUSD", "XBTUSD", "XXBT"), ETH: ("XETHZUSD", "ETHUSD", "XETH")}


class Venue:
    """A venue's list as it is read over REST."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.statuses = {BTC: "online"}
        self.readings = 0
        self.away = False
        self.catalogues: SharedReading[KrakenCatalogue] = SharedReading(self.clock)
        self.keeper = CatalogueKeeper(self.catalogues, key=VENUE, read=self.read, clock=self.clock)

    def read(self) -> KrakenCatalogue:
        self.readings += 1
        if self.away:
            raise RetryLater("the venue is away")
        assets = {
            "XXBT": {"altname": "XBT"},
            "XETH": {"altname": "ETH"},
            "ZUSD": {"altname": "USD"},
        }
        pairs = {
            NAMES[symbol][0]: {
                "altname": NAMES[symbol][1],
                "base": NAMES[symbol][2],
                "quote": "ZUSD",
                "pair_decimals": 1,
                "lot_decimals": 8,
                "ordermin": "0.0001",
                "costmin": "0.5",
                "tick_size": "0.1",
                "status": status,
            }
            for symbol, status in self.statuses.items()
        }
        return catalogue_from(assets, pairs)

    def status(self, symbol: str = BTC) -> tuple[str, bool]:
        known = self.keeper.known()
        assert known is not None
        return known.instruments[symbol].status, known.instruments[symbol].tradable


def test_a_change_of_status_is_known_at_once_and_both_ways() -> None:
    venue = Venue()
    venue.keeper.keep()
    for status, tradable in (("cancel_only", False), ("online", True), ("delisted", False), ("post_only", False)):
        venue.keeper.said({BTC: status})
        assert venue.status() == (status, tradable)
    known = venue.keeper.known()
    assert known is not None
    assert known.pairs[BTC].instrument is known.instruments[BTC]
    assert venue.readings == 1


def test_an_account_that_reads_the_list_with_an_older_word_in_it_does_not_undo_the_newer_one() -> None:
    venue = Venue()
    venue.keeper.keep()
    venue.keeper.said({BTC: "cancel_only"})
    venue.clock.advance(86_401)
    venue.catalogues.get(VENUE, venue.read)  # says online
    venue.keeper.keep()
    assert venue.status() == ("cancel_only", False)


def test_what_a_lost_connection_said_is_not_kept_up_against_a_new_reading() -> None:
    venue = Venue()
    venue.keeper.keep()
    venue.keeper.said({BTC: "cancel_only"})
    venue.keeper.unheard()
    venue.clock.advance(86_401)
    venue.keeper.keep()
    assert venue.status() == ("online", True)


def test_the_list_is_read_again_once_a_day() -> None:
    venue = Venue()
    for _ in range(3):
        venue.keeper.keep()
    assert venue.readings == 1
    venue.clock.advance(86_401)
    venue.keeper.keep()
    assert venue.readings == 2


def test_a_new_market_makes_the_list_be_read_and_then_has_all_its_names() -> None:
    venue = Venue()
    venue.keeper.keep()
    venue.statuses[ETH] = "online"
    venue.clock.advance(RETRY_SECONDS)
    venue.keeper.said({BTC: "online", ETH: "online"})
    known = venue.keeper.keep()
    assert known is not None
    assert known.pairs[ETH].rest_id == "XETHZUSD"
    assert venue.readings == 2


def test_a_market_that_rest_does_not_list_is_not_asked_for_again_and_again() -> None:
    venue = Venue()
    venue.keeper.keep()
    venue.clock.advance(RETRY_SECONDS)
    for _ in range(30):
        venue.keeper.said({ETH: "online"})
        venue.keeper.keep()
        venue.clock.advance(1)
    assert venue.readings == 2


def test_a_venue_that_is_away_costs_nothing_but_its_own_news() -> None:
    venue = Venue()
    venue.away = True
    assert venue.keeper.keep() is None
    assert "away" in venue.keeper.problem
    venue.keeper.said({BTC: "cancel_only"})
    venue.away = False
    venue.keeper.keep()
    assert venue.status() == ("cancel_only", False)


def test_the_venues_word_on_itself_counts_while_it_is_heard() -> None:
    venue = Venue()
    assert venue.keeper.system == "online"
    venue.keeper.system_is("maintenance")
    assert venue.keeper.system == "maintenance"
    venue.keeper.unheard()
    assert venue.keeper.system == "online", "what is not heard any more is asked over REST, with its own answers"
