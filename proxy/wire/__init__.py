"""The PostgreSQL protocol 3 without I/O: bytes to messages and back, what is legal, what is owed."""
