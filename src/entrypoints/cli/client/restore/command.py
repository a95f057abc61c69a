"""``tarkeep restore``: a tree restored into a directory, by the server's plan, checked downloads, and tar."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from .....domain.client.ports.chains import LATEST, RestorePlan
from .....domain.client.restore.restore import PlannedRestore
from .....domain.errors.client import NotRestorable, Refused, ServerUnreachable
from .....domain.errors.settings import UsageError
from ....settings.backups import tar_program
from ....settings.client import ClientSettings
from ....settings.files import expanded
from ...shared.lacking import beside, lacks_words, tell_lacks
from ...shared.moments import point_at
from ...shared.opening import facts_of_server, opening, required_profile, retry_notice
from ...shared.options import At, DryRun
from ...shared.paths import given_path
from ...terminal.exits import DIFFERENT, FAILED, OK, PARTLY, exit_code
from ...terminal.hints import hint
from ...terminal.output import Output
from .check import check as compare
from .run import Left, RestoreRun


def restore(
    profile: str | None = None,
    /,
    *,
    into: Path,
    at: At = LATEST,
    path: str | None = None,
    merged: bool = False,
    overwrite: bool = False,
    allow_gaps: bool = False,
    numeric_owner: bool = False,
    work: Path | None = None,
    tar: str = "tar",
    check: bool = False,
    dry_run: DryRun = False,
    client: ClientSettings | None = None,
) -> int:
    """
    Restore the tree of a profile, as it was at some time, into an empty directory.

    The required archives are downloaded, their digests and all their members are checked, and only then tar extracts
    them in order, with extended attributes and ACLs. An interrupted restore continues when the same command is run
    again, also if tar was extracting. If the point cannot be restored, nothing is changed, and the points that can be
    restored are listed, the nearest first. With --path only that part must be complete, whatever is missing elsewhere.
    Exit codes: 0 restored; 1 not restored; 3 restored, except for names that were reported; 10 there is no such point
    or path; 13 --check found differences; 14 the server did not answer; 130 interrupted.

    Parameters
    ----------
    profile
        The profile to restore. Default: the one in the settings.
    into
        The directory to restore into; it is created if it does not exist.
    path
        Restore this file or folder only, written as tarkeep ls shows it.
    merged
        Have the server merge the tree into one tar, instead of downloading archives: this takes no space beside the
        directory. It is done without being asked for if extracting the archives with tar would not produce the tree. An
        interrupted restore then begins anew.
    overwrite
        Restore into a directory that is not empty. Files are replaced by those in the archives; in directories that the
        archives list completely, files that did not exist at that time are removed.
    allow_gaps
        Restore what is available of a point whose archives are damaged or missing. Reported are the names that are
        missing, and those that are restored as they were before a missing archive; if there are more than 20, all are
        listed in a file beside the directory, DIR.tarkeep-gaps.
    numeric_owner
        Set owners by their numbers, whatever the names of these are on this machine.
    work
        Where to keep the archives during the restore: a folder that only you can enter, created if it does not exist.
        Default: beside the directory, DIR.tarkeep-work.
    tar
        The GNU tar to use.
    check
        Compare names, types, sizes, times and link targets with the server's record; after restoring, or with --dry-run
        without restoring.
    dry_run
        Show what would be done, and do nothing.
    """
    from ....wiring.client_dumps import restoring

    settings = client or ClientSettings()
    output = Output(settings.json, settings.quiet)
    profile = required_profile(profile, settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    into = expanded("into", into).absolute()
    if work is None and not into.name:
        raise UsageError("--into", f"there is no place beside {into}: give a folder for the archives with --work")
    work = expanded("work", work or into.with_name(f"{into.name}.tarkeep-work")).absolute()
    if work == into or into in work.parents:
        raise UsageError("--work", "must be outside the directory to restore into")
    at = point_at(at, output)
    wanted = given_path(path) if path is not None else b""
    left = Left()
    # Noted inside as well, so that the JSON summary includes it.
    with left.told(), opening(settings) as opened, left.told():
        facts_of_server(opened, output, "restore", profile)
        how = restoring(opened, into, work, tar=tar_program(tar))
        run = RestoreRun(
            how,
            output,
            settings,
            profile,
            into,
            work,
            left,
            numeric_owner=numeric_owner,
            overwrite=overwrite,
            allow_gaps=allow_gaps,
        )
        code = FAILED

        def planned(at: str) -> PlannedRestore:
            notice = retry_notice(output)
            if path is None:
                return how.plan(profile, at, notice, allow_gaps=allow_gaps)
            return PlannedRestore(how.plan.point(profile, at, notice, path=wanted, allow_gaps=allow_gaps), ())

        def carry_out(planned: PlannedRestore) -> int:
            if path is None:
                return run.whole(planned, merged=merged, dry_run=dry_run)
            return run.part(planned.plan, wanted, dry_run=dry_run)

        try:
            # The point is fixed here for everything that follows, even if newer archives are stored meanwhile.
            point, code = _carried_out(planned, at, carry_out, output, allow_gaps=allow_gaps)
            if code == OK and check:
                left.words = f"{into} was not compared to the end; --dry-run --check compares it again"
                code = compare(how, output, profile, wanted, point, allow_gaps=allow_gaps)
            if code in (OK, DIFFERENT) and not point.is_whole:
                if dry_run:
                    output.error(lacks_words(point.lacks))
                else:
                    tell_lacks(
                        output,
                        point,
                        how.chains.gaps(profile, point.point.label, wanted),
                        beside(into, work),
                        how.keep_list,
                    )
                code = code or PARTLY
        except NotRestorable as error:
            return _explain(output, profile, error)
        finally:
            if code not in (OK, PARTLY):
                how.tree.unmake()
        if output.as_json:
            output.result("", summary=True, exit_code=code)
    return code


def _carried_out(
    planned: Callable[[str], PlannedRestore],
    at: str,
    carry_out: Callable[[PlannedRestore], int],
    output: Output,
    *,
    allow_gaps: bool,
) -> tuple[RestorePlan, int]:
    """
    Plan the restore for *at* and carry it out: the plan that was used, and the exit code.

    If the server finds new damage meanwhile and *allow_gaps* is set, the restore begins anew without the damaged names.
    Each round has more gaps than the one before, so the loop ends.
    """
    now = planned(at)
    while True:
        code, error = FAILED, None
        try:
            code = carry_out(now)
        except (ServerUnreachable, Refused) as failed:
            error = failed
        if error is None and code == OK:
            return now.plan, code
        if allow_gaps:
            again = planned(now.plan.point.label)
            if (again.plan.lacks, again.plan.unknown) != (now.plan.lacks, now.plan.unknown):
                output.error("the server has found more damage; the restore begins anew without the damaged files")
                now = again
                continue
        if error is not None:
            raise error
        return now.plan, code


def _explain(output: Output, profile: str, error: NotRestorable) -> int:
    output.error(str(error))
    if advice := hint(error):
        output.error(advice)
    if error.nearest:
        output.error(f"points of {profile} that can be restored, the nearest first:")
        for point in error.nearest:
            output.error(f"  {point}")
        output.error(f"restore one of them with --at NAME; tarkeep points {profile} shows all")
    else:
        output.error(f"no other point of {profile} can be restored either")
    if output.as_json:
        output.result(
            "",
            summary=True,
            error=str(error),
            exit_code=exit_code(error),
            obstacles=list(error.obstacles),
            nearest=list(error.nearest),
            gaps=None if error.lacks is None else error.lacks.lacking,
            uncertain=None if error.lacks is None else error.lacks.uncertain,
        )
    return FAILED
