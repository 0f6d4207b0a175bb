"""Setting NIJA up: questions, checks of keys, and what is written into `config/` and `.env`."""
