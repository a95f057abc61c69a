"""The commands that do what a page does, quoted for a shell."""

from __future__ import annotations

import shlex

from starlette.requests import Request

from ..edge.guard import principal_of


def server_url(request: Request) -> str:
    """The address of this server as the reader of the page has it, without a slash at its end."""
    return str(request.base_url).rstrip("/")


def curl(request: Request, path: str, *options: str) -> str:
    """The line that gets *path*, which is percent-encoded, with the token in a variable if the server asks for one."""
    login = '-u ":$TARKEEP_TOKEN" ' if principal_of(request).token is not None else ""
    return f"curl {login}{shlex.join([*options, server_url(request) + path])}"


def at_client(request: Request, *words: str) -> str:
    """The line for a machine that is a client of this server; it takes the token from ``TARKEEP_TOKEN``."""
    return shlex.join(["tarkeep", *words, "--server", server_url(request)])


def at_server(*words: str) -> str:
    """The line for the host of this server, where a token is not asked for."""
    return shlex.join(["tarkeep", *words])
