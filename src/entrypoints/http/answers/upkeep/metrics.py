"""
What is measured, in the text format of Prometheus (0.0.4).

The rule: a value is true or its line is missing. Labels are profiles, jobs and outcomes, never archives, so that the
number of series does not grow with the archives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from attrs import define, frozen

from .....domain.usecases.watching.read_metrics import Metrics, ServerFigures
from .....domain.watching.figures import ProfileFigures

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PROFILE = "tarkeep_profile_"


@frozen
class _Told:
    """What is told of each profile: *value* is None where it is not known."""

    name: str
    help: str
    value: Callable[[ProfileFigures, Metrics], float | None]


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


_OF_PROFILES = (
    _Told(
        "received_timestamp_seconds", "When the newest archive was received.", lambda one, _: _seconds(one.received_at)
    ),
    _Told(
        "restorable_timestamp_seconds",
        "When the newest archive that restores was received.",
        lambda one, _: _seconds(one.restorable_at),
    ),
    _Told(
        "verified_oldest_timestamp_seconds",
        "Since when no archive was found right, of the one that was not for the longest time; receiving it counts.",
        lambda one, _: _seconds(one.known_right_at),
    ),
    _Told(
        "overdue",
        "Whether an archive that was to come did not come.",
        lambda one, all: all.overdue.get(one.profile),
    ),
    _Told("braked", "Whether pruning is stopped by the brake.", lambda one, all: one.profile in all.braked),
    _Told("archives", "How many archives are stored.", lambda one, _: one.archives),
    _Told("bytes", "The bytes of the stored archives.", lambda one, _: one.size_bytes),
    _Told("damaged_archives", "How many archives are known to be damaged.", lambda one, _: one.damaged),
    _Told("chain_archives", "How many archives the newest restorable point needs.", lambda one, _: one.chain_archives),
    _Told(
        "drilled_timestamp_seconds",
        "When the last restore drill ended that found everything equal.",
        lambda one, _: _seconds(one.drilled_at),
    ),
    _Told(
        "restore_seconds",
        "How long that drill took to restore the whole point.",
        lambda one, _: one.restore_seconds,
    ),
)


def metrics_text(metrics: Metrics, most_profiles: int) -> bytes:
    """All *metrics*; of more than *most_profiles* profiles only the sums."""
    from prometheus_client import CollectorRegistry, generate_latest  # costs 90 ms, and only monitors need it

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(metrics, most_profiles))
    text = generate_latest(registry)
    if len(metrics.profiles) > most_profiles:
        return text
    return text + "".join(_lines_of_profiles(metrics)).encode()


def _lines_of_profiles(metrics: Metrics) -> Iterator[str]:
    # not by the library, which needs 7 us for a line, 0.1 s for 2,000 profiles; names of profiles need no escaping
    for told in _OF_PROFILES:
        name = _PROFILE + told.name
        values = ((one.profile, told.value(one, metrics)) for one in metrics.profiles)
        lines = [f'{name}{{profile="{profile}"}} {value:.16g}\n' for profile, value in values if value is not None]
        yield f"# HELP {name} {told.help}\n# TYPE {name} gauge\n"
        yield from lines


@define(eq=False)
class _Collected:
    """A collector of the library: what is told of all together, and of the server."""

    metrics: Metrics
    most_profiles: int

    def collect(self) -> Iterator[Metric]:
        sums, braked = self.metrics.sums, self.metrics.braked
        yield _gauge("tarkeep_profiles", "How many profiles have archives.", sums.profiles)
        yield _gauge(
            "tarkeep_profiles_left_out",
            "How many profiles have no series of their own, since there are more than metrics_profiles.",
            sums.profiles if sums.profiles > self.most_profiles else 0,
        )
        yield _gauge("tarkeep_profiles_unrestorable", "How many have no archive known to restore.", sums.unrestorable)
        yield _gauge("tarkeep_profiles_braked", "How many are stopped by the brake.", len(braked))
        yield _gauge("tarkeep_archives", "How many archives are stored.", sums.archives)
        yield _gauge("tarkeep_bytes", "The bytes of the stored archives.", sums.size_bytes)
        yield _gauge("tarkeep_damaged_archives", "How many archives are known to be damaged.", sums.damaged)
        if (oldest := _seconds(sums.known_right_at)) is not None:
            text = "The oldest tarkeep_profile_verified_oldest_timestamp_seconds."
            yield _gauge("tarkeep_verified_oldest_timestamp_seconds", text, oldest)
        if self.metrics.server is not None:
            yield from _of_server(self.metrics.server)


def _of_server(server: ServerFigures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    if server.free_bytes is not None:
        yield _gauge("tarkeep_free_bytes", "The free bytes of the disk that holds the archives.", server.free_bytes)
    yield _gauge(
        "tarkeep_reserve_bytes", "So many of them stay free: no archive is accepted then.", server.reserve_bytes
    )
    yield _gauge(
        "tarkeep_trash_bytes", "The bytes of the archives in the trash, counted every ten minutes.", server.trash_bytes
    )
    yield _gauge("tarkeep_channels", "How many channels there are by which people are told.", server.channels)
    if server.full_at is not None:
        text = "When there may be no room at the earliest, if it goes on like this."
        yield _gauge("tarkeep_full_timestamp_seconds", text, datetime.combine(server.full_at, time(), UTC).timestamp())
    yield _by_label(
        "tarkeep_job_last_success_timestamp_seconds",
        "When a run of the job last ended well.",
        "job",
        ((job.job, job.succeeded_at.timestamp()) for job in server.jobs if job.succeeded_at is not None),
    )
    yield _by_label(
        "tarkeep_job_failed",
        "Whether the last run of the job that ended failed.",
        "job",
        ((job.job, job.has_failed) for job in server.jobs),
    )
    text = "Archives that were sent since the server started, by what became of them."
    uploads = CounterMetricFamily("tarkeep_uploads", text, labels=["outcome"])
    for outcome, count in sorted(server.uploads.items()):
        uploads.add_metric([outcome], count)
    yield uploads
    yield _by_label(
        "tarkeep_notices_undelivered",
        "How many notices of the channel wait to be delivered, and one more if it failed for good.",
        "channel",
        server.undelivered.items(),
    )
    text = "Bytes of stored archives that were read since the server started, to give them back or to check them."
    yield CounterMetricFamily("tarkeep_read_bytes", text, value=server.read_bytes)


def _gauge(name: str, text: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, value=value)


def _by_label(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family
