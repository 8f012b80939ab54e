"""Every control is taken away in turn, and named tests must notice."""
