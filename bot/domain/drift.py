"""In which ways the venue and the books may differ."""

from enum import StrEnum


class DriftKind(StrEnum):
    """What is seen. None of these is ever corrected by trading."""

    ORPHAN_ORDER = "orphan_order"  # an order with our tag that the books do not know
    FILL_MISSING = "fill_missing"  # a trade of an order of ours that could not be booked yet
    PHANTOM = "phantom"  # an order that lives in the books and not at the venue, or the other way round
    SHORTFALL = "shortfall"  # the account has less than the booked lots
    SURPLUS = "surplus"  # the account has more than the booked lots: its owner's own coins
    BOOKS = "books"  # the balances are not what fills and cash events make of them
    DUST = "dust"  # booked lots that are too small to be sold
