"""The policy engine: what a statement means for one subject. Pure: no sockets, files, clock or async."""
