"""Statements that write: one file per kind or clause; `policies.steps.write` asks them."""
