"""In which order the users of one signal are served, so that nobody is always last.

Who is served later trades at a price that those before may have moved. So each signal has an order of its own, which a
seed of the installation, the signal's number and the user's label decide: it looks random, nobody can lean on it, and
it is the same whenever the same signal is planned again, in whichever process. Over many signals every user's mean
rank goes towards (n - 1) / 2.

The orders of two signals have nothing to do with each other. A fixed order that is turned by one place at each signal
would be even sooner, and wrong all the same: where entries and exits alternate, two users would be first at all of the
one and last at all of the other.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence


def fan_out_order(members: Iterable[str], *, seed: str, sequence: int) -> Sequence[str]:
    """The members (labels), first come first; `sequence` is the signal's place in the order of signals.

    The order in which the members are given makes no difference.
    """
    of_signal = hashlib.sha256(f"{seed}|{sequence}|".encode())

    def lot(label: str) -> tuple[bytes, str]:
        drawn = of_signal.copy()
        drawn.update(label.encode())
        return drawn.digest(), label

    return sorted(members, key=lot)


def ranks_of(ordered: Sequence[str]) -> Mapping[str, int]:
    """Each member's place, 0 = first."""
    return {label: rank for rank, label in enumerate(ordered)}
