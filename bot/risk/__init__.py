"""Limits before every entry, and what an account's own trades have made."""
