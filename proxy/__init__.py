"""The server: everything that waits on a socket, a file or a clock."""

__version__ = "0.1.0"
