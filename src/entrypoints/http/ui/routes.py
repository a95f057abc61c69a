"""The routes of all pages."""

from __future__ import annotations

from ....domain.access.tokens import Scope
from ..edge.access import OPEN, Access, GuardedRoute, Where, own
from ..routes import archives as v1
from ..routes import trees
from .coming_in import log_in, log_out, show_login
from .entries import FLEET, LOG, SETTINGS, STORAGE, TOKENS, UPKEEP
from .pages import archive_forms, profile_forms, prune_forms
from .pages.archive import show_archive
from .pages.fleet import show_fleet
from .pages.profile import show_profile
from .pages.prune import show_prune
from .pages.server.log import show_log
from .pages.server.settings import show_settings, try_channel
from .pages.server.storage import show_storage
from .pages.server.tokens import revoke, show_tokens
from .pages.server.upkeep import run_job, show_upkeep, undelete
from .pages.tree import show_tree
from .sending.static_files import PREFIX, send_static

_ANYBODY_IN = Access(is_page=True)
_PROFILE = "/ui/p/{profile}"
_LOOK = Access((Scope.LIST,), Where.PATH, is_page=True)
_GET = Access((Scope.PULL,), Where.PATH, is_page=True)
_KEEP = Access((Scope.PRUNE,), Where.PATH, is_page=True)
_RUN = Access((Scope.ADMIN,), Where.EVERY, is_page=True)
_ARCHIVE = _PROFILE + "/{type}/{name}"


def pages() -> list[GuardedRoute]:
    """Every page, and what pages need."""
    return [
        GuardedRoute(PREFIX + "{name}", send_static, {"GET": OPEN}),
        GuardedRoute("/ui/login", show_login, {"GET": OPEN}),
        GuardedRoute("/ui/login", log_in, {"POST": OPEN}),
        GuardedRoute("/ui/logout", log_out, {"POST": _ANYBODY_IN}),
        GuardedRoute(FLEET.path, show_fleet, {"GET": FLEET.access}),
        GuardedRoute(UPKEEP.path, show_upkeep, {"GET": UPKEEP.access}),
        GuardedRoute(UPKEEP.path + "/jobs/{job}/run", run_job, {"POST": _RUN}),
        GuardedRoute(UPKEEP.path + "/trash/{profile}/{type}/{name}/undelete", undelete, {"POST": _KEEP}),
        GuardedRoute(STORAGE.path, show_storage, {"GET": STORAGE.access}),
        GuardedRoute(LOG.path, show_log, {"GET": LOG.access}),
        GuardedRoute(SETTINGS.path, show_settings, {"GET": SETTINGS.access}),
        GuardedRoute(SETTINGS.path + "/channels/{name}/test", try_channel, {"POST": SETTINGS.access}),
        GuardedRoute(TOKENS.path, show_tokens, {"GET": TOKENS.access}),
        GuardedRoute(TOKENS.path + "/{id}/revoke", revoke, {"POST": TOKENS.access}),
        GuardedRoute(_PROFILE + "/tree", show_tree, {"GET": _LOOK}),
        GuardedRoute(_PROFILE + "/restore.tar", trees.restore_tar, {"GET": _GET}),
        GuardedRoute(_PROFILE + "/restore.tar.gz", trees.restore_tar_gz, {"GET": _GET}),
        GuardedRoute(_PROFILE + "/archives/{type}/{name}/members/{path:path}", trees.get_member, {"GET": _GET}),
        GuardedRoute(_PROFILE + "/archives/{type}/{name}", v1.get_archive, {"GET": _GET}),
        GuardedRoute(_PROFILE + "/prune", show_prune, {"GET": _LOOK}),
        own(_PROFILE + "/prune/apply", {"POST": _LOOK}, prune_forms.apply_plan),
        GuardedRoute(_PROFILE + "/brake", profile_forms.release_brake, {"POST": _LOOK}),
        GuardedRoute(_ARCHIVE, show_archive, {"GET": _LOOK}),
        GuardedRoute(_ARCHIVE + "/hold", archive_forms.hold, {"POST": _KEEP}),
        GuardedRoute(_ARCHIVE + "/release", archive_forms.release, {"POST": _LOOK}),
        GuardedRoute(_ARCHIVE + "/lock", archive_forms.lock, {"POST": _KEEP}),
        GuardedRoute(_ARCHIVE + "/scrub", archive_forms.scrub, {"POST": _RUN}),
        GuardedRoute(_PROFILE, show_profile, {"GET": _LOOK}),
    ]
