"""The same strategy, exits, sizing and copy rules as live, over candles that are past, in virtual time."""
