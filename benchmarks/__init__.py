"""Measurements, each a command: `python -m benchmarks.<name>`; README.md says which."""
