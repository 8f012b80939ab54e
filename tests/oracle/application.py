"""The oracle's own application as a design: schema, rows, rules and the reference beside it."""

from __future__ import annotations

from pathlib import Path

from tests.oracle import rows
from tests.oracle.tables import TABLES
from tests.oracle.world import Design

HERE = Path(__file__).parent


def design(seed: int) -> Design:
    """The application with the rows of a seed."""
    keys = {table.name: ", ".join(table.key) for table in TABLES if table.primary}
    return Design(
        name="oracle",
        schema=(HERE / "application.sql").read_text(),
        rows=rows.script(seed),
        digests=rows.digests(seed),
        reference=(HERE / "application_reference.sql").read_text(),
        keys=keys | {"documents_only": keys["documents"]},
        rules=(HERE / "application.yaml").read_text(),
    )
