"""WebSockets as all fronts use them: connections from the bytes up, sessions, faults, and the ports they listen on."""
