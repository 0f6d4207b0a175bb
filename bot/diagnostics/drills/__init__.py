"""Drills: failures made on purpose, with the operator's own configuration, on an exchange and a bot that are thrown
away afterwards. What passed is judged by the exchange's journal.
"""
