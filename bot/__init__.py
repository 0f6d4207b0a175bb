"""NIJA: one master account per brokerage, users who mirror it, each account in a thread of its own."""
