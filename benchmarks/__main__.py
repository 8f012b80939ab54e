"""All measurements with short defaults: what `make bench` runs; `benchmarks/README.md` explains."""

from __future__ import annotations

import sys

from benchmarks import decide, fence, fidelity, memory, overhead

if __name__ == "__main__":
    short = ["--rounds", "3", "--seconds", "3"]
    results = (
        decide.main([]),
        fidelity.main([]),
        fence.main([]),
        overhead.main([*short, *sys.argv[1:]]),
        memory.main([]),
    )
    sys.exit(max(results))
