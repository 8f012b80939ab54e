"""PostgreSQL's protocol 3 without I/O: bytes to messages and back, what is legal and owed."""
