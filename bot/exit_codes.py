"""How a command or the bot says how it ended. Operators and platforms rely on these numbers."""

OK = 0
SOMETHING_WRONG = 1
WRONG_USE = 2
NOT_RUNNING = 3
ALREADY_RUNNING = 4
UNCLEAN_STOP = 5
# Another process has taken the lease of the database: nothing more may be sent from here.
LEASE_LOST = 6
# Threads that everybody needs hang, or too many do: the platform starts the process again.
WATCHDOG = 70
