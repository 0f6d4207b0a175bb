"""Copying in virtual time: the real code over a weak venue, with crashes; judged by the venue's own journal."""
