"""Every case of tests/cases: a title, a statement, and what it becomes (`>>`) or why not (`!!`).

A step without a file of its own is seen in every case: policies/steps/generate.py.
policies/named.py is in named.sql, policies/lookups.py in resolve.sql, policies/qualified.py in
confine.sql, policies/visible.py in resolve.sql, policies/locks.py in authorize.sql,
policies/joins.py in joins.sql.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.decision import Allow
from tests.policies.lab import CASES, ask

_LOGIN = re.compile(r" as (ann|bob|eve|kim|ray|dan|tim|wes|una|zoe)$", re.MULTILINE)


def _cases() -> list[tuple[str, str, str]]:
    found = []
    for path in sorted(CASES.glob("*.sql")):
        for number, block in enumerate(path.read_text().strip().split("\n\n"), 1):
            found.append((f"{path.stem}-{number}", block, path.name))
    return found


@pytest.mark.parametrize(("block", "file"), [c[1:] for c in _cases()], ids=[c[0] for c in _cases()])
def test_case(block: str, file: str) -> None:
    lines = block.splitlines()
    title = "\n".join(line for line in lines if line.startswith("--#"))
    expected = "\n".join(line[3:] for line in lines if line.startswith(">>"))
    refusal = "\n".join(line[3:] for line in lines if line.startswith("!!"))
    sql = "\n".join(line for line in lines if not line.startswith(("--#", ">>", "!!")))
    login = _LOGIN.search(title)
    decision = ask(sql, login[1] if login else "ann")
    assert title and (expected or refusal or ">>" in block), f"{file}: a case needs a result"
    if isinstance(decision, Allow):
        assert decision.text.decode() == expected
    else:
        assert f"{decision.reason.code} {decision.message}".rstrip() == refusal.rstrip()
        assert not decision.fault


def test_every_step_has_cases() -> None:
    from policies.pipeline import STEPS

    tested = {path.stem for path in CASES.glob("*.sql")}
    names = {step.__name__ for step in STEPS} | {"utility"}
    # generate and prove are seen in every case
    assert names - tested <= {"generate", "prove"}
    assert Path(CASES).is_dir()
