"""Inputs nobody would write: statements, wire messages and rules files, changed at random."""
