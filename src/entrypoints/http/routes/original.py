"""
The routes of the original server, which deployed shell scripts and curl commands use.

Members may be added to their answers; none is ever removed or renamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from starlette.requests import Request
from starlette.responses import Response

from .... import __version__
from ....domain.access.tokens import Scope
from ....domain.errors.archives import ArchiveNotFound
from ....domain.identity.archive_id import BackupType
from ....domain.identity.invalid import InvalidName
from ....domain.identity.naming import check_archive_name
from ....domain.ports.catalog import ListedArchive
from ....domain.ports.scratch import ScratchFile
from ....domain.text.sizes import human_size
from ....domain.text.times import rfc3339
from ....domain.usecases.receiving.outcome import Received, ReceiveOutcome
from ..answers.archives import listed_by_type, listed_of_type, original_statistics
from ..answers.download import archive_response
from ..answers.sync_report import original_report, written
from ..context import Context, answer_json
from ..edge.access import ANY_PRINCIPAL, GuardedRoute, Where, get, needs, post
from ..edge.guard import note_received, principal_of
from ..requests.inventory import InventoryDocument
from ..requests.multipart_form import FORM_BYTES, MultipartUpload, boundary_of
from ..requests.parameters import optional_profile, optional_type

ENDPOINTS = {
    "GET /": "this overview",
    "POST /upload": "store an archive: multipart form with file, type, profile",
    "GET /list": "every archive, by type; ?type= and ?profile= narrow it",
    "GET /list/{type}": "the archives of one type",
    "GET /download/{type}/{name}": "the bytes of an archive",
    "POST /verify": "compare an inventory with what is stored",
    "GET /stats": "counts and sizes",
    "/api/v1/...": "the current interface, described by /openapi.json",
}


def routes() -> list[GuardedRoute]:
    """The routes of this family."""
    return [
        get("/", ANY_PRINCIPAL, overview),
        post("/upload", needs(Scope.PUSH, profile=Where.HANDLER), upload),
        get("/list", needs(Scope.LIST, profile=Where.HANDLER), list_all),
        get("/list/{type}", needs(Scope.LIST, profile=Where.HANDLER), list_type),
        get("/download/{type}/{name:path}", needs(Scope.PULL, profile=Where.HANDLER), download),
        post("/verify", needs(Scope.VERIFY, profile=Where.HANDLER), verify),
        get("/stats", needs(Scope.LIST, profile=Where.HANDLER), statistics),
    ]


async def overview(request: Request) -> Response:
    return answer_json(
        {
            "name": "Tarkeep",
            "version": __version__,
            "description": "Keeps backup archives made with plain tar, and can prove that they restore",
            "endpoints": ENDPOINTS,
        }
    )


async def upload(request: Request) -> Response:
    context = Context.of(request)
    boundary, principal = boundary_of(request.headers.get("content-type", "")), principal_of(request)
    limit = context.tarkeep.admission.max_bytes or FORM_BYTES

    def receive(blocks: Iterator[bytes]) -> Received:
        form = MultipartUpload(boundary, blocks, principal, limit)
        received = context.tarkeep.receive_late_offer(form.offer, form.file_blocks())
        note_received(request, received)
        return received

    received = await context.receive_upload(request, receive, limit)
    archive = received.archive
    answer: dict[str, object] = {
        "status": "success",
        "message": _MESSAGES[received.outcome],
        "file": archive.id.name,
        "type": archive.id.type.value,
        "profile": archive.id.profile,
        "size": human_size(archive.size_bytes),
        "size_bytes": archive.size_bytes,
        "md5": archive.digests.md5,
        "sha256": archive.digests.sha256,
    }
    if received.outcome in (ReceiveOutcome.DUPLICATE, ReceiveOutcome.REPAIRED):
        answer["duplicate"] = True
    if received.outcome is ReceiveOutcome.REPAIRED:
        answer["repaired"] = True
    if received.outcome is ReceiveOutcome.KEPT_BOTH:
        answer["kept_both"] = True
    if received.warnings:
        answer["warnings"] = list(received.warnings)
    return answer_json(answer, 201)  # also for a duplicate: deployed scripts take only 201 for success


_MESSAGES = {
    ReceiveOutcome.NEW: "Backup stored",
    ReceiveOutcome.DUPLICATE: "Backup was stored already, with the same bytes",
    ReceiveOutcome.REPAIRED: "Backup was stored already; its damaged copy is repaired",
    ReceiveOutcome.KEPT_BOTH: "The name is taken by other bytes; stored under a name with the receive time in it",
}


async def list_all(request: Request) -> Response:
    context = Context.of(request)
    profile, only = optional_profile(request.query_params), optional_type(request.query_params)
    principal = principal_of(request)

    def pages(type: BackupType) -> Iterator[Sequence[ListedArchive]]:
        is_asked = only in (None, type)
        return (
            context.tarkeep.list_all_archives(profile=profile, type=type, principal=principal) if is_asked else iter(())
        )

    return context.stream_json(request, listed_by_type(pages))


async def list_type(request: Request) -> Response:
    context = Context.of(request)
    type = BackupType.parse(request.path_params["type"])
    profile, principal = optional_profile(request.query_params), principal_of(request)
    pages = context.tarkeep.list_all_archives(profile=profile, type=type, principal=principal)
    return context.stream_json(request, listed_of_type(type, pages))


async def download(request: Request) -> Response:
    context = Context.of(request)
    type = BackupType.parse(request.path_params["type"])
    name = _possible_name(type, request.path_params["name"])
    profile, principal = optional_profile(request.query_params), principal_of(request)
    archive = await context.run(lambda: context.tarkeep.find_archive(type, name, profile, principal=principal))
    return await archive_response(request, archive, context.tarkeep.read_archive, context.executor, attachment=True)


def _possible_name(type: BackupType, name: str) -> str:
    """*name*, if an archive may have it; an impossible name cannot be stored either."""
    try:
        return check_archive_name(name)
    except InvalidName:
        raise ArchiveNotFound(f"{type.value}/{name}") from None


async def verify(request: Request) -> Response:
    context, principal = Context.of(request), principal_of(request)

    def compare(blocks: Iterator[bytes]) -> ScratchFile:
        document = InventoryDocument(blocks)
        entries = document.entries()
        verify = context.tarkeep.verify
        with closing(verify(entries, lambda: context.profile(document.profile), principal=principal)) as judged:
            return written(context.tarkeep.scratch, judged, original_report, with_issues=True)

    return await context.compare(request, compare)


async def statistics(request: Request) -> Response:
    context = Context.of(request)

    def collect() -> dict[str, object]:
        return {
            "status": "success",
            "timestamp": rfc3339(context.tarkeep.clock.now()),
            **original_statistics(context.tarkeep.summarise_types(principal=principal_of(request))),
        }

    return await context.answer(collect)
