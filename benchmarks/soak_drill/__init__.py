"""Many accounts trade for long, with faults and lost connections: nothing may grow but the books."""
