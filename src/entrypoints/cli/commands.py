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
    "Check that it is safe": (
        Command("status", "client.status:status", "Show whether all local archives are safe on the server."),
        Command("verify", "client.verify:verify", "Compare the local archives with those on the server."),
        Command("list", "client.list:list_", "List the stored archives."),
        Command("stats", "client.list:stats", "Count the stored archives, by profile and type."),
    ),
    "Look inside": (
        Command("points", "client.points:points", "Show which points in time can be restored."),
        Command("ls", "client.look:ls", "List a folder as it was at some time."),
        Command("find", "client.look:find", "Find files and folders by name."),
        Command("history", "client.look:history", "Show how one file or folder changed."),
        Command("cat", "client.look:cat", "Print one file as it was at some time."),
    ),
    "Get it back": (
        Command("restore", "client.restore.command:restore", "Restore a tree, or a part of it, into a directory."),
        Command("pull", "client.pull:pull", "Download archives as they are stored."),
    ),
    "Prove that it restores": (
        Command("drill run", "client.drills.run:run", "Restore a point here, and have the server compare every name."),
        Command("drill list", "client.drills.list:list_", "List the drills and what came of them."),
    ),
    "Run a server": (
        Command("serve", "server.serve:serve", "Serve until stopped."),
        Command("prune plan", "server.prune:plan", "Show what the retention policy would remove, and why."),
        Command("prune apply", "server.prune:apply", "Move what it removes to the trash."),
        Command("prune approve", "server.prune:approve", "Carry out a plan that removes much at once."),
        Command("prune simulate", "server.simulate:simulate", "Show what the policy keeps in the coming time."),
        Command("trash list", "server.trash:list_", "List what was removed and can be brought back."),
        Command("trash undelete", "server.trash:undelete", "Bring an archive back, with all it builds on."),
        Command("hold add", "server.hold:add", "Keep an archive until somebody releases it."),
        Command("hold release", "server.hold:release", "Release a hold."),
        Command("hold list", "server.hold:list_", "List the holds and the lock of an archive."),
        Command("lock", "server.hold:lock", "Keep an archive until a time that nobody can shorten."),
        Command("brake show", "server.brake:show", "Show why pruning a profile is stopped."),
        Command("brake release", "server.brake:release", "Say that suspicious archives are as they should be."),
        Command("check", "server.watching.check:check", "Say whether everything is as it should be."),
        Command("notify test", "server.watching.notify:try_", "Try the channels by which people are told."),
        Command("job list", "server.job:list_", "List what the server does by itself, and when."),
        Command("job run", "server.job:run", "Do one of these things now."),
        Command("scrub", "server.scrub:scrub", "Read the stored archives again, and show what is damaged."),
        Command("replicate", "server.copying.replicate:replicate", "Copy another server's archives here, and heal."),
        Command("clock accept", "server.clock:accept", "Say that this machine's clock is right."),
        Command("rules check", "server.rules:check", "Check a file with the rules of profiles."),
        Command("rules set", "server.rules:set_", "Let a file with rules be that of all servers."),
        Command("rules get", "server.rules:get", "Print the rules that all servers have."),
        Command("rules show", "server.rules:show_", "Show the rules that a profile has, and from where."),
        Command("token create", "server.access:create_token", "Make a token and print it."),
        Command("token list", "server.access:list_tokens", "List the tokens and what each is for."),
        Command("token revoke", "server.access:revoke_token", "Revoke a token."),
        Command("tls self-signed", "server.access:self_signed", "Make a self-signed certificate."),
        Command("audit verify", "server.access:verify_audit", "Check that the audit log was not changed."),
        Command("audit head", "server.access:audit_head", "Print the head of the audit log, to be kept elsewhere."),
        Command("evidence export", "server.watching.evidence:export", "Write out what was proven in a month, signed."),
        Command("evidence verify", "server.watching.evidence:verify", "Check that the evidence was not changed."),
        Command("doctor store", "server.doctor:store", "Test whether a store is fit for archives."),
        Command("catalog upgrade", "server.serve:upgrade", "Upgrade the tables of the catalog."),
        Command("rebuild", "server.serve:rebuild", "Rebuild the catalog from the store."),
        Command("import", "server.serve:import_", "Import the archives of an original server."),
    ),
    "Help": (
        Command("help", "help_command:help_", "Explain tarkeep, or one of its commands."),
        Command("completion", "completion:completion", "Print a script that completes commands and options."),
    ),
}
FAMILIES = {
    "drill": "Prove that points restore, by restoring them.",
    "prune": "Remove archives by the retention policy of their profile.",
    "trash": "List and bring back what was removed.",
    "hold": "Keep archives whatever the policy says.",
    "brake": "What stops pruning after a suspicious archive.",
    "notify": "What people are told, and by which channels.",
    "job": "Show and run what the server does by itself.",
    "clock": "What the server makes of this machine's clock.",
    "catalog": "Upgrade the catalog.",
    "rules": "Check, show and set the rules of profiles.",
    "token": "Make, list and revoke tokens.",
    "audit": "Check the audit log.",
    "evidence": "Show and check what was proven.",
    "tls": "Make a certificate.",
    "doctor": "Try what the server is built on.",
}
"""The help of each family of two-word commands, by its first word."""


SERVERS = "Run a server"
HELP = "Help"


def named() -> Iterator[Command]:
    """Every command, in the order of the table."""
    for commands in GROUPS.values():
        yield from commands
