"""`querywarden schema`: the JSON Schema of the rules file, for editors."""

from __future__ import annotations

import json

import typer

from policies.rules import json_schema


def schema() -> None:
    """Print the JSON Schema of the rules file.

    Editors complete and check a rules file that starts with the line
    [bold]# yaml-language-server: $schema=./rules.schema.json[/bold]

    [bold]Example.[/bold] querywarden schema > rules.schema.json
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
