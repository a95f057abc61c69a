"""
The commands of ``tarkeep`` in one table: the name, module and summary of each.

A command's module is imported only when it runs: the server's take 300 ms, which a client should not pay. So the
summaries for ``tarkeep --help`` are here; a command's own help is the docstring of its function.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen


@frozen
class Command:
    """*name* may have two words; *place* is ``module:function`` relative to this package, *line* a one-line summary."""

    name: str
    place: str
    line: str


GROUPS: dict[str, tuple[Command, ...]] = {
    "Back up and send": (
        Command("backup", "client.backup.command:backup", "Back up a directory with GNU tar, straight to the server."),
        Command("push", "client.push:push", "Send archives that the server does not have yet."),
    ),
    "See that it is safe": (
        Command("status", "client.status:status", "Show whether all that lies here is safe there."),
        Command("verify", "client.verify:verify", "Compare the archives here with those there."),
        Command("list", "client.list:list_", "List what is stored."),
        Command("stats", "client.list:stats", "Count what is stored, by profile and type."),
    ),
    "Look inside": (
        Command("points", "client.points:points", "Show which points in time can be restored."),
        Command("ls", "client.look:ls", "List what lay in a folder at some time."),
        Command("find", "client.look:find", "Find files and folders by name."),
        Command("history", "client.look:history", "Show what became of one file or folder."),
        Command("cat", "client.look:cat", "Print one file as it was at some time."),
    ),
    "Get it back": (
        Command("restore", "client.restore.command:restore", "Restore a tree, or a part of it, into a directory."),
        Command("pull", "client.pull:pull", "Get archives back as they are stored."),
    ),
    "Run a server": (
        Command("serve", "server.serve:serve", "Serve until stopped."),
        Command("token create", "server.access:create_token", "Make a token and print it."),
        Command("token list", "server.access:list_tokens", "List the tokens and what each is for."),
        Command("token revoke", "server.access:revoke_token", "Take a token back."),
        Command("tls self-signed", "server.access:self_signed", "Make a certificate that nobody else vouches for."),
        Command("audit verify", "server.access:verify_audit", "Check that nothing in the audit log was changed."),
        Command("audit head", "server.access:audit_head", "Print the head of the audit log, to be kept elsewhere."),
        Command("validate-store", "server.validate_store:validate_store", "Try what archives need of a store."),
        Command("rebuild", "server.serve:rebuild", "Make the catalog anew from the store."),
        Command("import", "server.serve:import_", "Take in the archives of an original server."),
    ),
    "Help": (
        Command("help", "help_command:help_", "Explain tarkeep, or one of its commands."),
        Command("completion", "completion:completion", "Print a script that completes commands and options."),
    ),
}
FAMILIES = {
    "token": "Make, list and revoke tokens.",
    "audit": "Check the log of writes.",
    "tls": "Make a certificate.",
}
"""The help of each family of two-word commands, by its first word."""


SERVERS = "Run a server"
HELP = "Help"


def named() -> Iterator[Command]:
    """Every command, in the order of the table."""
    for commands in GROUPS.values():
        yield from commands
