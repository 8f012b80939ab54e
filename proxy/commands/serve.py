"""`querywarden serve`: settings from flags and environment, logging, the event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from proxy import logs
from proxy.app import App
from proxy.config import Settings, flag, load_settings, variable


def _option(name: str, metavar: str | None = None) -> Any:
    """The flag of a setting, with the setting's own description, default and variable."""
    field = Settings.model_fields[name]
    optional = not field.is_required() and field.default is not None
    return typer.Option(
        flag(name),
        metavar=metavar,
        help=f"{field.description} Default: {field.default}." if optional else field.description,
        envvar=[variable(name), "DATABASE_URL"] if name == "upstream" else variable(name),
        show_default=False,
    )


def serve(
    rules: Annotated[Path | None, _option("rules", "FILE|DIR")] = None,
    upstream: Annotated[str | None, _option("upstream", "DSN")] = None,
    auth_file: Annotated[Path | None, _option("auth_file", "FILE")] = None,
    listen: Annotated[str | None, _option("listen", "HOST:PORT")] = None,
    admin: Annotated[str | None, _option("admin", "HOST:PORT")] = None,
    approvals: Annotated[str | None, _option("approvals", "DSN")] = None,
    approval_wait: Annotated[float | None, _option("approval_wait", "SECONDS")] = None,
    approval_hook: Annotated[str | None, _option("approval_hook", "URL")] = None,
    approval_hook_seconds: Annotated[
        float | None, _option("approval_hook_seconds", "SECONDS")
    ] = None,
    records: Annotated[str | None, _option("records", "PATH|-")] = None,
    records_max_bytes: Annotated[int | None, _option("records_max_bytes", "BYTES")] = None,
    catalog_refresh: Annotated[float | None, _option("catalog_refresh", "SECONDS")] = None,
    drain_seconds: Annotated[float | None, _option("drain_seconds", "SECONDS")] = None,
    max_clients: Annotated[int | None, _option("max_clients", "NUMBER")] = None,
    max_statement_bytes: Annotated[int | None, _option("max_statement_bytes", "BYTES")] = None,
    hash_key_file: Annotated[Path | None, _option("hash_key_file", "FILE")] = None,
    context_key_file: Annotated[Path | None, _option("context_key_file", "FILE")] = None,
    context_public_key_file: Annotated[
        Path | None, _option("context_public_key_file", "FILE")
    ] = None,
    context_seconds: Annotated[int | None, _option("context_seconds", "SECONDS")] = None,
    log_level: Annotated[str | None, _option("log_level", "LEVEL")] = None,
) -> None:
    """Run the proxy.

    Clients connect to --listen with a login of --auth-file; what the login may do is in --rules.
    Every flag is also an environment variable. QUERYWARDEN_HASH_KEY, the key of hashed columns, is
    only a variable (or a file), and so is QUERYWARDEN_APPROVAL_HOOK_KEY, which signs what is sent
    to --approval-hook: flags can be seen by every user of the machine.

    [bold]Signals.[/bold] SIGHUP reads rules, logins and the upstream catalog again (a changed file
    is noticed by itself); rules with an error never replace good ones. SIGTERM lets open
    transactions finish, SIGINT does not; a second one of either ends at once.

    [bold]Watching it.[/bold] --admin answers /metrics (Prometheus), /healthz and /readyz over HTTP.
    Log lines go to standard error, operation records to --records.

    [bold]Example.[/bold] querywarden serve --rules rules.yaml --auth-file userlist.txt
    --upstream postgresql://app:secret@db.internal/shop --listen 0.0.0.0:6432
    """
    given = dict(locals())
    settings = load_settings(given)
    logs.configure(settings.log_level)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    app = App(settings)
    await app.start()
    await app.run()
