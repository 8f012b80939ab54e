"""Takes controls away, one at a time, and runs the tests that must notice: `make mutation`.

    python -m tests.mutation.run [WORD ...]      # only controls whose names hold these words

Two run at a time, each in processes of its own. First every named test runs with all controls in
place: what fails then notices nothing. Ends with a table; the exit status is 1 when a control was
missed by nobody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.controls import CONTROLS, Control

ROOT = Path(__file__).parents[2]
HOOK = ROOT / "tests" / "mutation" / "hook"
AT_ONCE = 2
MOST_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a test failed (or none came to an end), and how the run ended in its own words."""

    noticed: bool
    ended: str
    seconds: float


def wrong_edits(control: Control) -> list[str]:
    """Texts of its edits that are not, or more than once, in their files."""
    texts: dict[str, str] = {}
    found = []
    for file, old, new in control.edits:
        text = texts.setdefault(file, (ROOT / file).read_text())
        if text.count(old) != 1:
            found.append(f"{control.name}: {file} holds {old!r} {text.count(old)} times")
        texts[file] = text.replace(old, new)
    return found


def run(tests: Sequence[str], control: Control | None = None) -> Verdict:
    """Run tests without that control."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = f"{HOOK}{os.pathsep}{ROOT}"
    if control is not None:
        altered = defaultdict(list)
        for file, old, new in control.edits:
            altered[file].append((old, new))
        environment["MUTATION"] = json.dumps(altered)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider"]
    started = time.monotonic()
    try:
        done = subprocess.run(
            [*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Verdict(True, "no end", time.monotonic() - started)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    # 1: some test failed. Anything else but 0 is a run that never got to the tests.
    ended = lines[-1].strip("= ") if lines else done.stderr[-200:]
    if done.returncode not in (0, 1):
        ended = f"NOT RUN: {ended} {done.stderr[-300:]}"
    return Verdict(done.returncode == 1, ended, time.monotonic() - started)


def chosen(words: Sequence[str]) -> list[Control]:
    """The controls whose names hold all these words."""
    return [control for control in CONTROLS if all(word in control.name for word in words)]


def main(words: Sequence[str]) -> int:
    """Judge them all."""
    controls = chosen(words)
    stale = [problem for control in controls for problem in wrong_edits(control)]
    if stale or not controls:
        print("\n".join(stale) or "no such control")
        return 1
    tests = sorted({test for control in controls for test in control.tests})
    print(f"{len(controls)} controls; first their {len(tests)} tests with everything in place")
    baseline = run(tests)
    print(f"  {baseline.ended}", flush=True)
    if baseline.noticed or "passed" not in baseline.ended:
        return 1
    verdicts: dict[str, Verdict] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run, control.tests, control): control for control in controls}
        for number, future in enumerate(as_completed(running), 1):
            control, verdict = running[future], future.result()
            verdicts[control.name] = verdict
            mark = "noticed" if verdict.noticed else "MISSED"
            print(
                f"{number:>4}/{len(controls)}  {mark:<8} {verdict.seconds:5.0f} s  {control.name}"
                f"  ({verdict.ended})",
                flush=True,
            )
    missed = [name for name, verdict in verdicts.items() if not verdict.noticed]
    print(f"\n{'control':<48}{'noticed':>8}")
    for control in controls:
        print(f"{control.name:<48}{'yes' if control.name not in missed else 'NO':>8}")
    print(f"{len(controls)} controls taken away, {len(missed)} missed by nobody")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
