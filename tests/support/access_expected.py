"""
Which scopes each route requires, written down a second time: a slip in a route's declaration makes the two differ.
"""

from __future__ import annotations

from tarkeep.domain.access.tokens import Scope
from tarkeep.entrypoints.http.edge.access import Access, Where

PROFILE = "/api/v1/profiles/{profile}"
ARCHIVE = PROFILE + "/archives/{type}/{name}"
WHOLE_ARCHIVE = PROFILE + "/archives/{type}/{name:path}"
UPLOADS = "/api/v1/uploads"
UPLOAD = UPLOADS + "/{upload}"


def _rows(scopes: tuple[Scope, ...], profile: Where, *routes: str) -> dict[tuple[str, str], Access]:
    """*routes* as ``METHOD /path``; those for GET also cover HEAD."""
    found = {}
    for route in routes:
        method, _, path = route.partition(" ")
        found[method, path] = Access(scopes, profile)
        if method == "GET":
            found.setdefault(("HEAD", path), Access(scopes, profile))
    return found


EXPECTED: dict[tuple[str, str], Access] = {
    ("GET", "/healthz"): Access(is_open=True),
    ("HEAD", "/healthz"): Access(is_open=True),
    **_rows((), Where.NONE, "GET /", "GET /readyz", "GET /openapi.json", "GET /api/v1"),
    **_rows((), Where.NONE, f"OPTIONS {UPLOADS}", f"OPTIONS {UPLOAD}"),
    **_rows((Scope.PUSH,), Where.HANDLER, "POST /upload", f"POST {UPLOADS}"),
    **_rows((Scope.PUSH,), Where.PATH, f"PUT {WHOLE_ARCHIVE}", f"PUT {ARCHIVE}/snapshot"),
    **_rows(
        (Scope.PUSH,),
        Where.UPLOAD,
        *(f"{method} {UPLOAD}" for method in ("HEAD", "GET", "PATCH", "PUT", "DELETE", "POST")),
    ),
    **_rows((Scope.PULL,), Where.HANDLER, "GET /download/{type}/{name:path}"),
    **_rows(
        (Scope.PULL,),
        Where.PATH,
        f"GET {WHOLE_ARCHIVE}",
        f"GET {ARCHIVE}/snapshot",
        f"POST {ARCHIVE}/suspect",
        f"GET {ARCHIVE}/members/{{path:path}}",
        f"GET {PROFILE}/restore.tar",
        f"GET {PROFILE}/restore.tar.gz",
    ),
    **_rows((Scope.PULL, Scope.LIST, Scope.VERIFY, Scope.PUSH), Where.PATH, f"HEAD {WHOLE_ARCHIVE}"),
    **_rows((Scope.METRICS,), Where.HANDLER, "GET /metrics"),
    **_rows(
        (Scope.LIST,),
        Where.HANDLER,
        "GET /list",
        "GET /list/{type}",
        "GET /stats",
        "GET /api/v1/archives",
        "GET /api/v1/profiles",
        "GET /api/v1/trash",
        "GET /api/v1/jobs",
        "GET /api/v1/jobs/{job}/runs",
        "GET /api/v1/status",
        "GET /api/v1/drills",
    ),
    **_rows((Scope.DRILL,), Where.HANDLER, "GET /api/v1/drills/due", "POST /api/v1/drills/{id}/report"),
    **_rows(
        (Scope.LIST,),
        Where.PATH,
        f"GET {PROFILE}/prune",
        f"POST {PROFILE}/prune/simulate",
        f"GET {ARCHIVE}/marks",
        f"GET {PROFILE}/brake",
        f"GET {PROFILE}/status",
    ),
    **_rows(
        (Scope.PRUNE,),
        Where.PATH,
        f"POST {PROFILE}/prune",
        f"POST {PROFILE}/prune/approve",
        f"POST {ARCHIVE}/undelete",
        f"PUT {ARCHIVE}/holds/{{hold:path}}",
        f"PUT {ARCHIVE}/lock",
    ),
    **_rows((Scope.LIST,), Where.EVERY, "GET /api/v1/evidence"),
    **_rows(
        (Scope.ADMIN,),
        Where.EVERY,
        "POST /api/v1/clock/accept",
        "POST /api/v1/jobs/{job}/run",
        "POST /api/v1/scrub",
        "POST /api/v1/replicate",
    ),
    **_rows((Scope.ADMIN,), Where.PATH, f"DELETE {ARCHIVE}/holds/{{hold:path}}", f"DELETE {PROFILE}/brake"),
    **_rows(
        (Scope.LIST,),
        Where.PATH,
        f"GET {PROFILE}",
        *(f"GET {PROFILE}/{last}" for last in ("points", "points/{type}/{name}", "chains", "plan", "gaps")),
        *(f"GET {PROFILE}/{last}" for last in ("tree", "find", "history")),
        f"GET {ARCHIVE}/members",
    ),
    **_rows((Scope.PUSH, Scope.LIST), Where.PATH, f"GET {PROFILE}/base"),
    **_rows((Scope.VERIFY,), Where.HANDLER, "POST /verify", "POST /api/v1/verify"),
}
