"""The tests; a package so that they can import each other by one name."""
