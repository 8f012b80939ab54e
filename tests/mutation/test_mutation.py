"""The list of controls is true to the source, and a few are taken away in every run.

`make mutation` takes all of them away.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.mutation.controls import CONTROLS, Control
from tests.mutation.run import HOOK, ROOT, chosen, run, wrong_edits

# Of different kinds, and noticed by tests that need no server.
QUICK = ("mask", "proof", "settings by list")


def test_every_control_is_where_the_list_says() -> None:
    """When this fails, the source has changed: bring tests/mutation/controls.py up to date."""
    assert not [problem for control in CONTROLS for problem in wrong_edits(control)]
    assert len({control.name for control in CONTROLS}) == len(CONTROLS) >= 100
    for control in CONTROLS:
        assert control.tests, control.name
        for test in control.tests:
            assert (ROOT / test.partition("::")[0]).exists(), test


@pytest.mark.parametrize("name", QUICK)
def test_without_it_a_test_fails(name: str) -> None:
    (control,) = [control for control in chosen([name]) if control.name == name]
    verdict = run(control.tests, control)
    assert verdict.noticed, verdict.ended


def test_an_edit_that_changes_nothing_is_missed() -> None:
    idle = Control(
        "idle",
        ("tests/policies/test_two_readers.py",),
        (("policies/steps/admit.py", "MAX_BYTES = 1 << 18", "MAX_BYTES = 262144"),),
    )
    verdict = run(idle.tests, idle)
    assert not verdict.noticed
    assert "passed" in verdict.ended


def test_the_hook_alters_modules_and_leaves_others_alone() -> None:
    altered = '{"policies/sql.py": [["\\"\\"\\"", "x"]]}'
    done = subprocess.run(
        [sys.executable, "-c", "import policies.sql"],
        env={"PYTHONPATH": f"{HOOK}:{ROOT}", "MUTATION": altered},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "times" in done.stderr
    assert (HOOK / "sitecustomize.py").exists()
