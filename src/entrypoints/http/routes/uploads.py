"""
Resumable uploads: tus 1.0, and on the same URLs uploads that curl alone can do.

A tus client creates an upload with POST, asks for its offset with HEAD and continues with PATCH. ``curl -C OFFSET -T
FILE`` sends a PUT with ``Content-Range``, which continues it in the same way. GET shows its state to people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ....domain.access.tokens import Principal, Scope
from ....domain.archives.archive import Offer
from ....domain.errors.archives import ProfileNotFound
from ....domain.identity.archive_id import ArchiveId
from ....domain.identity.naming import check_profile
from ....domain.tarkeep_error import TarkeepError
from ....domain.text.times import rfc3339
from ....domain.uploads import ChecksumAlgorithm, Role, Upload
from ..answers.archives import archive_location, v1_archive
from ..answers.problems import Problem
from ..context import Context, answer_json
from ..edge.access import ANY_PRINCIPAL, Access, Endpoint, GuardedRoute, Where, needs
from ..edge.guard import note_stored, note_written, principal_of
from ..requests import tus_headers
from ..requests.parameters import noted
from ..requests.tus_headers import COLLECTION


def routes() -> list[GuardedRoute]:
    """The routes of resumable uploads."""
    own = needs(Scope.PUSH, profile=Where.UPLOAD)
    return [
        _by_method(
            COLLECTION,
            {
                "OPTIONS": (ANY_PRINCIPAL, describe),
                "POST": (needs(Scope.PUSH, profile=Where.HANDLER), create),
            },
        ),
        _by_method(
            COLLECTION + "/{upload}",
            {
                "OPTIONS": (ANY_PRINCIPAL, describe),
                "HEAD": (own, ask),
                "GET": (own, show),
                "PATCH": (own, append),
                "PUT": (own, put),
                "DELETE": (own, delete),
                "POST": (own, None),  # answered 405, unless it names another method (`method.effective_method`)
            },
        ),
    ]


def _by_method(path: str, offered: Mapping[str, tuple[Access, Endpoint | None]]) -> GuardedRoute:
    """One route for all methods, by the effective method (`method.effective_method`)."""
    endpoints = {method: endpoint for method, (_, endpoint) in offered.items() if endpoint is not None}

    async def dispatch(request: Request) -> Response:
        method = request.method
        if method not in endpoints:
            allowed = ", ".join(sorted(endpoints))
            detail = f"{method[:20]} is not offered here, only {allowed}"
            raise Problem(405, "method-not-allowed", detail, headers={"Allow": allowed})
        needs_version = method in ("POST", "PATCH", "DELETE")
        if method != "OPTIONS":
            tus_headers.check_version(request.headers, must_be_there=needs_version)
        response = await endpoints[method](request)
        response.headers["Tus-Resumable"] = tus_headers.VERSION
        return response

    return GuardedRoute(path, dispatch, {method: access for method, (access, _) in offered.items()})


async def describe(request: Request) -> Response:
    headers = {
        "Tus-Version": tus_headers.VERSION,
        "Tus-Extension": tus_headers.EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(algorithm.value for algorithm in ChecksumAlgorithm),
    }
    limit = Context.of(request).tarkeep.admission.max_bytes
    if limit is not None:
        headers["Tus-Max-Size"] = str(limit)
    return Response(status_code=204, headers=headers)


async def create(request: Request) -> Response:
    context = Context.of(request)
    uploads = context.tarkeep.uploads
    headers = request.headers
    role, parts = tus_headers.concatenation(headers)
    described = tus_headers.metadata(headers)
    client, told, owner = _client(request), headers.get("upload-metadata", ""), principal_of(request).token
    if role is Role.FINAL:
        if "upload-length" in headers:
            raise Problem(400, "invalid-parameter", "a final upload has the length of its parts; send no Upload-Length")
        join = partial(
            uploads.join, _seen(request, tus_headers.offer(described)), parts, client=client, metadata=told, owner=owner
        )
        upload = await context.receive_upload(request, lambda _blocks: _noted(request, join()))
        return _created(context, upload)
    length = tus_headers.declared_length(headers)
    offer = _seen(request, tus_headers.offer(described)) if role is Role.WHOLE else None
    profile = None if role is Role.WHOLE else _profile_of_piece(request, described)
    begin = partial(uploads.begin, offer, length, client=client, metadata=told, owner=owner, profile=profile)
    if _media_type(request) != tus_headers.CONTENT_TYPE:
        return _created(context, await context.run(begin))
    checksum = tus_headers.checksum(headers)
    announced = tus_headers.announced_length(headers)

    def begin_and_append(blocks: Iterator[bytes], when_wanted: Callable[[], None]) -> Upload:
        upload = begin()
        try:
            appended = uploads.append(
                upload.id, 0, blocks, announced_bytes=announced, checksum=checksum, when_wanted=when_wanted
            )
        except TarkeepError:
            with suppress(TarkeepError):  # already over, or it will expire
                uploads.end(upload.id)  # its sender never learns its URL
            raise
        return _noted(request, appended)

    upload = await context.receive_piece(request, begin_and_append)
    return _created(context, upload)


async def ask(request: Request) -> Response:
    context = Context.of(request)
    upload = await _current(request)
    return Response(status_code=200, headers=_standing(context, upload))


async def show(request: Request) -> Response:
    context = Context.of(request)
    upload = await _current(request)
    return await context.answer(lambda: _told(context, upload, principal_of(request)), _standing(context, upload))


async def append(request: Request) -> Response:
    context = Context.of(request)
    headers = request.headers
    if _media_type(request) != tus_headers.CONTENT_TYPE:
        raise Problem(415, "unsupported-media-type", f"send the bytes as Content-Type: {tus_headers.CONTENT_TYPE}")
    upload = await _append(
        request,
        partial(
            context.tarkeep.uploads.append,
            _named(request),
            tus_headers.needed_header(headers, "Upload-Offset"),
            length_bytes=tus_headers.whole_header(headers, "Upload-Length"),
            announced_bytes=tus_headers.announced_length(headers),
            checksum=tus_headers.checksum(headers),
            notes=noted(headers),
        ),
    )
    standing = _standing(context, upload)
    if upload.archive is not None and tus_headers.wants_representation(headers):
        body = await context.run(lambda: _told(context, upload, principal_of(request)))
        return answer_json(body, 200, {**standing, "Preference-Applied": tus_headers.REPRESENTATION})
    return Response(status_code=204, headers=standing)


async def put(request: Request) -> Response:
    context = Context.of(request)
    headers = request.headers
    announced = tus_headers.announced_length(headers)
    first, count, total = tus_headers.content_range(headers) or (0, announced, announced)
    upload = await _append(
        request,
        partial(
            context.tarkeep.uploads.append,
            _named(request),
            first,
            length_bytes=total,
            announced_bytes=count,
            is_the_rest="content-range" not in headers,
            notes=noted(headers),
        ),
    )
    stored = _standing(context, upload)
    if upload.archive is not None:
        stored["Location"] = archive_location(upload.archive)
    body = await context.run(lambda: _told(context, upload, principal_of(request)))
    return answer_json(body, 200 if upload.archive is None else 201, stored)


async def delete(request: Request) -> Response:
    context = Context.of(request)
    upload = _named(request)
    await context.run_waiting(lambda: context.tarkeep.uploads.end(upload))
    note_written(request, f"upload {upload}", None, "ended")
    return Response(status_code=204)


async def _append(request: Request, appending: Callable[..., Upload]) -> Upload:
    return await Context.of(request).receive_piece(
        request, lambda blocks, when_wanted: _noted(request, appending(blocks, when_wanted=when_wanted))
    )


def _noted(request: Request, upload: Upload) -> Upload:
    note_stored(request, upload)
    return upload


async def _current(request: Request) -> Upload:
    context = Context.of(request)
    named = _named(request)
    upload = await context.run_waiting(lambda: context.tarkeep.uploads.show(named))
    # the client may not know it yet, after a crash between storing the archive and recording that
    note_stored(request, upload)
    return upload


def _named(request: Request) -> str:
    return str(request.path_params["upload"])


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _seen(request: Request, offer: Offer) -> Offer:
    """*offer*, for a profile that the principal sees."""
    if not principal_of(request).sees(offer.id.profile):
        raise ProfileNotFound(offer.id.profile)
    return offer


def _profile_of_piece(request: Request, described: Mapping[str, str]) -> str | None:
    """The profile whose quota a piece counts for: the one it names, or the only one that the principal sees."""
    principal, named = principal_of(request), described.get("profile")
    if not named:
        return principal.only_profile
    if not principal.sees(check_profile(named)):
        raise ProfileNotFound(named)
    return named


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _created(context: Context, upload: Upload) -> Response:
    headers = {"Location": tus_headers.location(upload.id), **_standing(context, upload)}
    return Response(status_code=201, headers=headers)


def _standing(context: Context, upload: Upload) -> dict[str, str]:
    fields = tus_headers.standing(upload, context.tarkeep.uploads.under_way.idle)
    if upload.archive is not None:
        fields["Tarkeep-Archive"] = archive_location(upload.archive)
    return fields


def _told(context: Context, upload: Upload, principal: Principal) -> dict[str, object]:
    return {
        "id": upload.id,
        "state": "stored" if upload.archive else "complete" if upload.is_complete else "unfinished",
        "offset": upload.offset_bytes,
        "length": upload.length_bytes,
        "expires_at": rfc3339(upload.expires_at(context.tarkeep.uploads.under_way.idle)) if upload.is_open else None,
        "archive": _archive(context, upload.archive, principal) if upload.archive else None,
    }


def _archive(context: Context, id: ArchiveId, principal: Principal) -> object:
    return msgspec.to_builtins(
        v1_archive(context.tarkeep.find_archive(id.type, id.name, id.profile, principal=principal))
    )
