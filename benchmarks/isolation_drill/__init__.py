"""One account suffers, the others are timed: nothing that happens to one may reach another."""
