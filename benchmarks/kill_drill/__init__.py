"""Kill the bot with SIGKILL again and again, and judge its books by the exchange's journal."""
