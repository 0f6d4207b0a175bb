"""Alpaca's stream of trade updates."""
