"""The routes of version 1, under ``/api/v1``, and the server's own: health, readiness, description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .... import __version__
from ....domain.access.tokens import Scope
from ....domain.archives.archive import BackupArchive, Offer
from ....domain.identity.archive_id import ArchiveId, BackupType
from ....domain.identity.invalid import InvalidName
from ....domain.identity.naming import ARCHIVE_SUFFIX, check_archive_name, check_profile
from ....domain.ports.scratch import ScratchFile
from ....domain.scrubbing.unread import LastChecked
from ....domain.usecases.receiving.outcome import Received, ReceiveOutcome
from ..answers.archives import archive_location, link_json, v1_archive, v1_listed_archive, v1_profiles, verdict_json
from ..answers.download import archive_response
from ..answers.problems import Problem
from ..answers.sync_report import v1_report, written
from ..context import Context, announced_bytes, answer_json
from ..edge.access import ANY_PRINCIPAL, OPEN, GuardedRoute, Where, get, needs, post, put
from ..edge.guard import note_received, principal_of
from ..requests.inventory import InventoryDocument, line_entries
from ..requests.parameters import (
    declared_digests,
    lineage,
    lineage_headers,
    noted,
    optional_profile,
    optional_type,
    stated_time,
    whole_number,
)

MAX_PAGE = 1000
BELOW_AN_ARCHIVE = "holds/ID, lock, marks, members, members/PATH, snapshot, suspect or undelete"
_NEVER = LastChecked()


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    archive = "/api/v1/profiles/{profile}/archives/{type}/{name:path}"
    return [
        put(archive, needs(Scope.PUSH), put_archive),
        # a duplicate or a conflict shows a sender that the archive exists, and its digest
        get(archive, needs(Scope.PULL), get_archive, head=needs(Scope.PULL, Scope.LIST, Scope.VERIFY, Scope.PUSH)),
        get("/api/v1", ANY_PRINCIPAL, facts),
        get("/api/v1/archives", needs(Scope.LIST, profile=Where.HANDLER), list_archives),
        get("/api/v1/profiles", needs(Scope.LIST, profile=Where.HANDLER), list_profiles),
        get("/api/v1/profiles/{profile}", needs(Scope.LIST), show_profile),
        post("/api/v1/verify", needs(Scope.VERIFY, profile=Where.HANDLER), verify),
        get("/healthz", OPEN, alive),
        get("/readyz", ANY_PRINCIPAL, ready),
        get("/openapi.json", ANY_PRINCIPAL, description),
    ]


def _requested_id(request: Request) -> ArchiveId:
    parameters = request.path_params
    profile, type, name = check_profile(parameters["profile"]), BackupType.parse(parameters["type"]), parameters["name"]
    if f"{ARCHIVE_SUFFIX}/" in name and not name.endswith(ARCHIVE_SUFFIX):  # meant for a route below an archive
        raise InvalidName("archive", name, f"has a slash in it; what an archive has below it is {BELOW_AN_ARCHIVE}")
    return ArchiveId(profile, type, check_archive_name(name))


async def put_archive(request: Request) -> Response:
    context = Context.of(request)
    if "content-range" in request.headers:
        raise Problem(400, "invalid-parameter", "an archive is sent whole; Content-Range belongs to an upload's URL")
    said = lineage_headers(request.headers)
    digests, taken_at = declared_digests(request.headers), stated_time(said.get("taken_at"))
    offer = Offer(_requested_id(request), digests, taken_at, lineage=lineage(said), notes=noted(request.headers))
    announced = announced_bytes(request)
    was_admitted = offer.lineage.parent is not None
    if was_admitted:  # refuse a wrong parent before its sender has sent a byte of the archive
        await context.run(lambda: context.tarkeep.admission.offer(offer, announced))

    def receive(blocks: Iterator[bytes]) -> Received:
        received = context.tarkeep.receive(offer, blocks, announced, was_admitted=was_admitted)
        note_received(request, received)
        return received

    received = await context.receive_upload(request, receive)
    new = received.outcome in (ReceiveOutcome.NEW, ReceiveOutcome.KEPT_BOTH)
    body = msgspec.to_builtins(v1_archive(received.archive)) | {"outcome": received.outcome.value}
    if received.point is not None and received.point.link is not None and received.point.standing is not None:
        body |= {"link": link_json(received.point.link), "warnings": list(received.warnings)}
        body |= verdict_json(received.point.standing)
    elif received.warnings:
        body |= {"warnings": list(received.warnings)}
    return answer_json(body, 201 if new else 200, {"Location": archive_location(received.archive.id)})


async def get_archive(request: Request) -> Response:
    context = Context.of(request)
    id = _requested_id(request)

    def find() -> tuple[BackupArchive, LastChecked]:
        found = context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal_of(request))
        return found, context.tarkeep.show_checks([id]).get(id, _NEVER)

    archive, checked = await context.run(find)
    return await archive_response(
        request, archive, context.tarkeep.read_archive, context.executor, checked, attachment=True
    )


async def list_archives(request: Request) -> Response:
    context = Context.of(request)
    query = request.query_params
    profile, type, principal = optional_profile(query), optional_type(query), principal_of(request)
    limit = whole_number(query, "limit", 100, 1, MAX_PAGE)
    try:
        page = await context.run(
            lambda: context.tarkeep.list_archives(
                profile=profile, type=type, cursor=query.get("cursor"), limit=limit, principal=principal
            )
        )
        checks = await context.run(lambda: context.tarkeep.show_checks([archive.id for archive in page.archives]))
    except ValueError:
        detail = "cursor is not one that a page gave out; start without one"
        raise Problem(400, "invalid-parameter", detail) from None
    listed = [v1_listed_archive(archive, checks.get(archive.id, _NEVER)) for archive in page.archives]
    body = {"archives": listed, "next_cursor": page.next_cursor}
    headers = {}
    if page.next_cursor is not None:
        kept = {"profile": profile, "type": type and type.value, "limit": str(limit), "cursor": page.next_cursor}
        following = urlencode({name: value for name, value in kept.items() if value})
        headers["Link"] = f'</api/v1/archives?{following}>; rel="next"'
    return answer_json(body, headers=headers)


async def list_profiles(request: Request) -> Response:
    context = Context.of(request)
    return await context.answer(
        lambda: {"profiles": v1_profiles(context.tarkeep.summarise(principal=principal_of(request)))}
    )


async def show_profile(request: Request) -> Response:
    context = Context.of(request)
    profile = request.path_params["profile"]
    return await context.answer(lambda: v1_profiles(context.tarkeep.summarise_profile(profile))[0])


async def verify(request: Request) -> Response:
    context = Context.of(request)
    by_line = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/x-ndjson"
    asked, principal = optional_profile(request.query_params), principal_of(request)

    def compare(blocks: Iterator[bytes]) -> ScratchFile:
        document = InventoryDocument(blocks)
        entries = line_entries(blocks) if by_line else document.entries()

        def profile() -> str | None:
            return context.profile(document.profile) or asked

        with closing(context.tarkeep.verify(entries, profile, principal=principal)) as judged:
            return written(
                context.tarkeep.scratch, judged, lambda names: v1_report(names, profile()), with_issues=False
            )

    return await context.compare(request, compare)


async def facts(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)
    profile = optional_profile(request.query_params)
    sees = profile is None or principal.sees(profile)
    return answer_json(
        {
            "name": "Tarkeep",
            "version": __version__,
            "max_upload_bytes": context.tarkeep.admission.max_bytes,
            "max_unpacked_bytes": context.tarkeep.max_unpacked_bytes,
            "profile": profile,
            "scopes": [scope.value for scope in Scope if sees and principal.may(scope)],
        }
    )


async def alive(request: Request) -> Response:
    return answer_json({"status": "alive"})


async def ready(request: Request) -> Response:
    context = Context.of(request)

    def answer() -> dict[str, object]:
        free_bytes = context.tarkeep.check_readiness()
        return {"status": "ready", "free_bytes": free_bytes, "clock": context.tarkeep.read_clock_note().doubt or None}

    return await context.answer(answer)


async def description(request: Request) -> Response:
    return await Context.of(request).answer(openapi)


@cache
def openapi() -> dict[str, object]:
    """The contract in the package, ``openapi.yaml``, as data."""
    import yaml  # costs 20 ms, and few clients ask for it

    loaded = yaml.load(
        files(__package__.rpartition(".")[0]).joinpath("openapi.yaml").read_bytes(),
        getattr(yaml, "CSafeLoader", yaml.SafeLoader),
    )
    return msgspec.convert(loaded, dict[str, object])
