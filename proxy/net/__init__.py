"""Everything that waits on a socket."""
