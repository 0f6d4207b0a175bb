"""`python bot.py doctor`: what is in order, what is not and how to put it right, one coded line each."""
