"""Tokens: what each may do, whether anybody uses it, and revoking it. They are made on the host of the server alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from ......domain.access.token_doubts import TokenDoubt, doubts_about, is_over
from ......domain.access.tokens import EVERY_PROFILE, Scope, Token, is_pattern
from ......domain.errors.access import TokenNotFound
from ......domain.text.paths import printable
from ....answers.problems import Problem
from ....context import Context
from ....edge.access import Access, Where
from ....requests.parameters import checked_text
from ...commands import at_server
from ...done import Done
from ...entries import TOKENS
from ...forms import SentForm, carry_out
from ...frame import frame
from ...rendering import render

_REVOKES = Access((Scope.ADMIN,), Where.EVERY)

MEANINGS = {
    Scope.PUSH: "send archives; it never overwrites any",
    Scope.PULL: "get archives and what is in them",
    Scope.LIST: "see what is stored, and these pages",
    Scope.VERIFY: "compare archives with those that are stored",
    Scope.METRICS: "read figures, for a monitor",
    Scope.DRILL: "restore points to prove that they restore",
    Scope.PRUNE: "remove archives and bring them back",
    Scope.ADMIN: "release holds and brakes, run jobs, revoke tokens",
}


@frozen
class ShownToken:
    """A token as it is shown; texts are printable."""

    id: str
    scopes: str
    profiles: str
    networks: str
    note: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None
    state: str
    doubts: tuple[TokenDoubt, ...]


@frozen
class Wish:
    """What somebody wants a token for, as they typed it, and the *command* that makes it, or what it lacks."""

    profiles: str = ""
    scopes: tuple[Scope, ...] = ()
    note: str = ""
    days: str = ""
    command: str = ""
    complaint: str = ""


async def show_tokens(request: Request) -> Response:
    """The tokens that are valid, those that are over, and the command that makes one."""
    context, wish = Context.of(request), _wish(request.query_params)

    def answer() -> Response:
        now = context.tarkeep.clock.now()
        tokens = [
            (is_over(token, now), _shown(token, used_at, now)) for token, used_at in context.tarkeep.list_tokens()
        ]
        values = {
            **frame(request),
            "valid": [shown for over, shown in tokens if not over],
            "over": [shown for over, shown in tokens if over],
            "now": now,
            "wish": wish,
            "meanings": MEANINGS,
            "lines": {"list": at_server("token", "list"), "revoke": at_server("token", "revoke", "ID")},
        }
        return render("tokens.html", values)

    return await context.run(answer)


async def revoke(request: Request) -> Response:
    """Revoke a token, and with it end its sessions."""
    context, id = Context.of(request), request.path_params["id"]
    address = request.client.host if request.client else ""

    def work(asked: SentForm) -> str:
        try:
            context.tarkeep.revoke_token(id, asked.principal.token, address)
        except TokenNotFound as error:  # no route of the API names tokens, so its table of errors lacks this one
            raise Problem(404, "not-found", str(error)) from None
        return Done.REVOKED.at(TOKENS.path)

    return await carry_out(request, show_tokens, work, proof=_REVOKES)


def _shown(token: Token, used_at: datetime | None, now: datetime) -> ShownToken:
    state = "revoked" if token.revoked_at is not None else "expired" if is_over(token, now) else "valid"
    return ShownToken(
        token.id,
        ", ".join(_words(token.scopes)),
        ", ".join("all profiles" if one == EVERY_PROFILE else one for one in token.profiles),
        ", ".join(map(str, token.networks)),
        printable(token.note),
        token.created_at,
        used_at,
        token.expires_at,
        state,
        doubts_about(token, used_at, now),
    )


def _words(scopes: Sequence[Scope] | frozenset[Scope]) -> list[str]:
    return [scope.value for scope in Scope if scope in scopes]


def _wish(query: QueryParams) -> Wish:
    """What the form of the page asks for; nothing if it was not sent."""
    if "profile" not in query:
        return Wish()
    profiles, note, days = (checked_text(query.get(name, "").strip(), name) for name in ("profile", "note", "days"))
    scopes = tuple(scope for scope in Scope if scope.value in query.getlist("scope"))
    wish = Wish(profiles, scopes, note, days)
    patterns = profiles.split()
    wrong = [pattern for pattern in patterns if not is_pattern(pattern)]
    if not patterns:
        return _lacking(wish, "Say for which profiles it is, such as laptop, or web-* for all that begin so.")
    if wrong:
        return _lacking(wish, f"{wrong[0][:100]} is no pattern of names of profiles such as laptop, web-* or *.")
    if not scopes:
        return _lacking(wish, "Choose at least one thing that it may do.")
    if days and not (days.isascii() and days.isdigit() and len(days) < 6 and int(days)):
        return _lacking(wish, "The number of days is a whole number from 1 on; without one the token never ends.")
    options = [word for pattern in patterns for word in ("--profile", pattern)]
    options += [word for scope in scopes for word in ("--scope", scope.value)]
    options += ["--note", note] if note else []
    options += ["--expires", f"{int(days)}d"] if days else []
    return Wish(profiles, scopes, note, days, command=at_server("token", "create", *options))


def _lacking(wish: Wish, complaint: str) -> Wish:
    return Wish(wish.profiles, wish.scopes, wish.note, wish.days, complaint=complaint)
