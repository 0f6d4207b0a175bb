"""The three doors to the world that tests must be able to hold: time, identifiers and crash points."""
