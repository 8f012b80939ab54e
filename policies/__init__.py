"""The policy engine: what a statement means for one subject. No sockets, files, clock, async."""
