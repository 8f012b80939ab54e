"""Attacks on the proxy: statements, two worlds that differ in hidden data, and the harness."""
