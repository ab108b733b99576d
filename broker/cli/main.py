"""All commands in one tree."""

from __future__ import annotations

import typer

from broker.cli import audit, cleanup, client, database, dead, directory, duties, keys, law, message, roles, run, topics

app = typer.Typer(
    name="amtsbruecke",
    help="Übermittelt Sozialdaten zwischen Jobcenter, Sozialamt und Jugendamt, wo das Gesetz es erlaubt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("serve")(roles.serve)
app.command("relay")(roles.run_relay)
app.command("deliver")(roles.run_deliver)
app.command("seal")(roles.run_seal)
app.command("cleanup")(cleanup.cleanup)
app.add_typer(audit.app, name="audit")
app.add_typer(directory.app, name="directory")
app.add_typer(client.app, name="client")
app.add_typer(keys.app, name="keys")
app.add_typer(law.app, name="law")
app.add_typer(message.app, name="message")
app.add_typer(dead.app, name="dead")
app.add_typer(duties.app, name="duties")
app.add_typer(topics.app, name="topics")
app.add_typer(database.app, name="db")
