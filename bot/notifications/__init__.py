"""Telling people outside what happens: the ways to them, how often, and what is said."""
