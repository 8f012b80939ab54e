"""`querywarden check`: what is wrong with a rules file, by itself and against a live database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from policies import expectations
from policies.check import Finding, findings
from policies.pipeline import Snapshot
from policies.rules import RulesError, RuleSet
from policies.rules_errors import Problem, dotted
from policies.rules_text import merge, read_yaml
from proxy.commands import CommandError
from proxy.introspect import read_catalog
from proxy.rules_file import load, texts


def check(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="Rules file, or a folder of *.yaml files.")
    ],
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream",
            metavar="DSN",
            help="A database to compare with: postgresql://user:password@host:port/database.",
            envvar=["QUERYWARDEN_UPSTREAM", "DATABASE_URL"],
        ),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            "--cases", metavar="DIR", help="A folder of *.sql files with your own expectations."
        ),
    ] = None,
) -> int:
    """Say everything that is wrong with a rules file.

    Each problem is one line, FILE:LINE:COLUMN FIELD MESSAGE with a suggestion, and the exit status
    is then 1. With --upstream the rules are also held against the database: tables and columns that
    do not exist, masks that do not fit a column's type, a login with too many rights. With
    --cases, which needs --upstream, each statement of the folder is decided and compared with what
    it expects.
    """
    if cases is not None and upstream is None:
        raise CommandError("--cases needs --upstream: statements are decided against a database")
    try:
        found = load([rules])
    except RulesError as error:
        return _report(error.problems)
    catalog = asyncio.run(read_catalog(upstream)) if upstream else None
    against = findings(found, catalog) if catalog else ()
    for warning in (*found.warnings(), *_placed(rules, [one for one in against if not one.error])):
        typer.echo(f"warning: {warning}")
    errors = _placed(rules, [one for one in against if one.error])
    if errors:
        return _report(errors)
    if cases is not None and catalog is not None:
        failed, count = _run_cases(cases, Snapshot(found, catalog, b"check", found.text_hash))
        if failed:
            return _report(failed)
        typer.echo(f"{cases}: {count} expectations held")
    typer.echo(f"{rules}: ok, {_counted(found)}; version {found.text_hash}")
    return 0


def _run_cases(folder: Path, snapshot: Snapshot) -> tuple[list[str], int]:
    """What did not happen as expected, a line each, and how many cases there were."""
    failed, count = [], 0
    for path in sorted(folder.glob("*.sql")):
        try:
            for case in expectations.read(path.read_text(encoding="utf-8")):
                count += 1
                said = expectations.failure(case, snapshot)
                if said:
                    failed.append(f"{path}:{case.line} {said}")
        except (expectations.ExpectationError, UnicodeDecodeError) as error:
            failed.append(f"{path}: {error}")
    if not count and not failed:
        failed.append(f"{folder}: no *.sql file with an expectation")
    return failed, count


def _report(found: Sequence[object]) -> int:
    for problem in found:
        typer.echo(str(problem))
    typer.echo(f"{len(found)} problem{'s' if len(found) > 1 else ''}")
    return 1


def _placed(rules: Path, found: Sequence[Finding]) -> list[Problem]:
    """The findings with the line of the field they are about, or of what is around it."""
    document = merge([read_yaml(text, name) for name, text in texts([rules])])
    places = {dotted(location): place for location, (place, _) in document.places.items()}
    problems = []
    for finding in found:
        field = finding.field
        while field and field not in places:
            field = field.rpartition(".")[0]
        if field:
            at = places[field]
            problems.append(Problem(at.file, at.line, at.column, finding.field, finding.message))
        else:
            problems.append(Problem(str(rules), 0, 0, finding.field, finding.message))
    return problems


def _counted(rules: RuleSet) -> str:
    return (
        f"{len(rules.entities)} entities, {len(rules.capabilities)} capabilities,"
        f" {len(rules.roles)} roles, {len(rules.subjects)} logins"
    )
