"""How the demo's tour draws what it has seen: results, refusals, records. Checks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from rich import box
from rich.console import Group, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from proxy import layout

_WIDEST, _NARROW = 16, 13  # characters of a table's cell, so that five columns fit into 80


def titled(title: str, part: RenderableType) -> RenderableType:
    return Group(Text(title, style="italic dim"), part, Text())


def result(rows: Sequence[asyncpg.Record]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in rows[0].keys() if rows else ("no rows",):
        number = bool(rows) and not isinstance(rows[0][name], str)
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def _cell(value: object, widest: int = _WIDEST) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        return f"{value:,}"
    text = f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)
    return text if len(text) <= widest else text[: widest - 1] + "…"


def people(seen: Sequence[asyncpg.Record], stored: dict[int, asyncpg.Record]) -> Table:
    """One line per column: what is stored for the first user, what is seen of each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", style="bold")
    table.add_column("stored, row 1", style="dim")
    for number in range(len(seen)):
        table.add_column(f"seen, row {number + 1}")
    first = stored[seen[0]["id"]]
    for name, value in first.items():
        visible = [_cell(row[name], _NARROW) for row in seen if name in dict(row)]
        changed = visible and visible[0] != _cell(value, _NARROW)
        cells = [Text(cell, style="yellow" if changed else "") for cell in visible]
        absent = [Text("not there", style="red")] * (len(seen) - len(cells))
        table.add_row(name, _cell(value), *cells, *absent)
    return table


def refusal(statement: str, error: asyncpg.PostgresError | None) -> RenderableType:
    card = Table.grid(padding=(0, 2))
    card.add_column(style="dim", justify="right")
    card.add_column(overflow="fold")
    card.add_row("sends", layout.drawn(layout.words(statement)))
    if error is None:
        card.add_row("receives", Text("rows"))
        return card
    card.add_row("error", Text(f"{error.sqlstate}  {error.message}", style="bold red"))
    if error.detail:
        card.add_row("detail", Text(error.detail))
    card.add_row("hint", Text(error.hint or "none", style="yellow"))
    return card


def record_table(records: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("user", "statement", "decision", "applied", "error"):
        table.add_column(name)
    for name in ("rows", "ms"):
        table.add_column(name, justify="right")
    for record in records:
        applied = dict.fromkeys(effect["effect"] for effect in record["policy_decisions"])
        colour = {"deny": "red", "rewrite": "green"}.get(record["decision"], "")
        table.add_row(
            record["principal"]["user"],
            " ".join((record["operation"], *record["entities"])),
            Text(record["decision"], style=colour),
            ", ".join(applied),
            (record["error"] or {}).get("sqlstate", ""),
            f"{record['affected_rows'] or record['row_count']:,}"
            + ("+" if record["truncated"] else ""),
            f"{record['duration_ms']:.1f}",
        )
    return table


def written(record: dict[str, Any]) -> RenderableType:
    """What the record of a write says besides, and the rows before and after."""
    card = Table.grid(padding=(0, 2))
    card.add_column(style="dim", justify="right")
    card.add_column(overflow="fold")
    checked = (f"{one['name']} {one['result']}" for one in record["invariants_checked"])
    for name, said in (
        ("capability", record["capability"]),
        ("reason", record["reason"]),
        ("approval", record["approval_id"]),
        ("affected", f"{record['affected_rows']} row: {', '.join(record['affected_fields'])}"),
        ("invariants", ", ".join(checked)),
        *((when, line) for when in ("before", "after") for line in map(_row, record.get(when, ()))),
    ):
        card.add_row(name, said)
    return card


def _row(row: dict[str, Any]) -> Text:
    return Text(", ".join(f"{name} {value}" for name, value in row.items()), style="cyan")


def whole(record: dict[str, Any]) -> RenderableType:
    """The line as it stands in the file, wrapped."""
    text = JSON.from_data(record, indent=None).text
    text.no_wrap = False
    text.overflow = "fold"
    return text
