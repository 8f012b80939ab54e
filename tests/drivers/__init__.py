"""Real clients through the proxy: each connects, introspects, queries, and survives a refusal."""
