"""
The settings of the server, each with its meaning; given by option, ``TARKEEP_...`` variable or TOML file.

A setting is defined once, here: the command line, its help, the environment and the file all derive from this class.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from attrs import field, frozen
from cyclopts import Group, Parameter, Token

from ...domain.access.tokens import Network
from ...domain.errors.settings import InvalidSetting
from .files import url_with_home, with_home, with_home_if_any

MEBIBYTE = 1 << 20
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str) -> int:
    """
    A number of bytes: ``524288000``, ``500M``, ``20GiB`` (units are powers of 1024).

    Raises:
        ValueError: it is not a number of bytes.
    """
    number = text.strip().lower().removesuffix("b").removesuffix("i")
    digits = number.rstrip("kmgt")
    unit = number[len(digits) :]
    if not digits.strip().isdecimal() or unit not in _UNITS:
        raise ValueError(f"{text!r} is not a size such as 524288000, 500M or 20G")
    return int(digits) * _UNITS[unit]


def _size(_type: object, tokens: Sequence[Token]) -> int:
    return parse_size(tokens[0].value)


Size = Annotated[int, Parameter(converter=_size, metavar="SIZE")]


def _positive(_instance: object, attribute: object, value: float) -> None:
    if value <= 0:
        raise InvalidSetting(getattr(attribute, "name", "?"), f"must be greater than 0, is {value}")


def _positive_if_any(instance: object, attribute: object, value: int | None) -> None:
    if value is not None:
        _positive(instance, attribute, value)


def _not_negative(_instance: object, attribute: object, value: float) -> None:
    if value < 0:
        raise InvalidSetting(getattr(attribute, "name", "?"), f"must not be negative, is {value}")


def _port(_instance: object, _attribute: object, value: int) -> None:
    if not 0 <= value <= 65535:
        raise InvalidSetting("port", f"must be 0 to 65535, is {value}")


def _networks(_instance: object, attribute: object, value: tuple[str, ...]) -> None:
    for text in value:
        try:
            ip_network(text)
        except ValueError as error:
            reason = f"{error}; give networks such as 10.0.0.0/8 or single addresses"
            raise InvalidSetting(getattr(attribute, "name", "?"), reason) from None


@Parameter(name="*", group=Group("Options of the store", sort_key=20))
@frozen
class StorageSettings:
    """The settings of the store of archives."""

    data: Path = field(default=Path("tarkeep-data"), converter=with_home)
    """The data directory: archives, catalog, staging."""

    store: str | None = field(default=None, converter=url_with_home)
    """Where archives go: file:PATH, s3://BUCKET/PREFIX, or memory: for trials. Default: the data directory."""

    s3_endpoint: str = ""
    """The URL of the object store, if it is not that of Amazon."""

    s3_region: str = ""
    """The region of the bucket. Default: the configured one."""

    store_max_bytes: Size | None = field(default=None, validator=_positive_if_any)
    """How much archives in a bucket may use altogether. Default: no end. Units K, M, G, T."""

    catalog: str | None = field(default=None, converter=url_with_home)
    """Where the catalog is: sqlite:///PATH, postgresql://HOST/NAME, or memory:. Default: catalog.sqlite in the data
    directory."""

    validate: Literal["full", "off"] = "full"
    """Check while receiving that an archive is a whole gzip and a whole tar, or accept any bytes."""

    max_unpacked_bytes: Size = field(default=64 << 30, validator=_positive)
    """The largest unpacked size of an archive (64G); larger ones are refused. Units K, M, G, T."""

    max_members: int = field(default=10_000_000, validator=_positive)
    """The largest number of members in an archive."""

    same_name: Literal["reject", "keep-both"] = "reject"
    """Other bytes under a stored name: reject them, or keep both, with the receive time in the new name."""

    max_upload_bytes: Size | None = field(default=None, validator=_positive_if_any)
    """The largest archive accepted. Units K, M, G, T. Default: 500M by POST /upload, else what the disk can hold."""

    upload_idle_hours: float = field(default=24.0, validator=_positive)
    """How long an unfinished resumable upload may be idle before it is dropped."""

    max_open_uploads: int = field(default=1000, validator=_positive)
    """The largest number of unfinished resumable uploads."""

    max_open_uploads_per_client: int = field(default=100, validator=_positive)
    """The same for one address; raise it if all clients come through one proxy."""

    max_open_uploads_per_token: int = field(default=100, validator=_positive)
    """The same for one token, used from any address; the limit per address does not apply then."""

    reserve_bytes: Size | None = None
    """Space to keep free on the disk; uploads that need it are answered 507. Default: the larger of 1G and 5 %."""

    profiles: Path | None = field(default=None, converter=with_home_if_any)
    """A TOML file with rules for profiles. Default: profiles.toml in the data directory, if there is one."""

    notify: Path | None = field(default=None, converter=with_home_if_any)
    """A TOML file that says who is told of what. Default: notify.toml in the data directory, if there is one."""

    heartbeat_url: str = ""
    """An address that is called every minute while the jobs keep time, so that their silence is noticed elsewhere."""

    audit_key: Path | None = field(default=None, converter=with_home_if_any)
    """The file with the key of the audit log. Default: audit.key in the data directory, made at the first start."""

    max_adopted_archives: int = field(default=100_000, validator=_positive)
    """How many archives that the catalog lacks, as after its loss, are added at a start; about 10,000 per second.
    If there are more, the server does not start: run tarkeep rebuild."""

    max_tree_bytes: Size = field(default=256 * MEBIBYTE, validator=_positive)
    """The limit for the names of one archive or tree (256M), each counted with 20 bytes more than its length,
    a directory with 100: some 5 million names. Merging takes up to four times as much memory."""

    job_prune: str = "0 4 * * *"
    """When every profile with a retention policy is pruned: a cron line, or off."""

    job_purge: str = "0 5 * * *"
    """When the trash is emptied of what was in it long enough: a cron line, or off."""

    job_scrub: str = "0 1 * * *"
    """When archives that were not read for long are read again: a cron line, or off."""

    job_rehearse: str = "0 2 * * *"
    """When restores are rehearsed in the server, where no machine runs drills: a cron line, or off."""

    job_replicate: str = "*/15 * * * *"
    """When archives of the server that replicate_from names are copied: a cron line, or off."""

    job_watch: str = "often"
    """When profiles that changed, or are due, are looked at, and notices are delivered: often, which is twice a minute,
    a cron line, or off."""

    replicate_from: str = ""
    """The address of another Tarkeep server, whose archives are copied here, and damaged ones healed from there."""

    replicate_token_file: Path | None = field(default=None, converter=with_home_if_any)
    """A file with a token of that server that has the scopes list and pull, and no other."""

    replicate_profiles: tuple[str, ...] = ("*",)
    """Patterns of the profiles that are copied."""

    replicate_cacert: Path | None = field(default=None, converter=with_home_if_any)
    """A PEM file with the authorities to trust for the certificate of that server. Default: those the system trusts."""

    replicate_fingerprint: str | None = None
    """The SHA-256 of its certificate; only this certificate is then trusted, whoever signed it."""

    scrub_every: str = "30d"
    """How often every archive is read again, such as 14d or 8w."""

    scrub_rate: Size = field(default=0, validator=_not_negative)
    """How many bytes per second are read at most, a quarter of it while people send or restore; 0 is any rate,
    then 25 MB/s. Units K, M, G, T."""

    scrub_window: str = ""
    """The part of the day in which archives begin to be read again, such as 22:00-06:00. Default: any time."""

    drill_every: str = "30d"
    """How often a point of each profile is restored as a drill, such as 14d or 8w."""

    drill_bytes: Size = field(default=20 << 30, validator=_positive)
    """How much of a tree a drill restores at most (20G); of a larger one random folders. Units K, M, G, T."""

    drill_minutes: int = field(default=60, validator=_positive)
    """How long tar may take to restore in a drill before it is killed."""

    job_time_zone: str = "UTC"
    """The time zone of these times, such as Europe/Paris."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level of events that are logged."""

    log_format: Literal["text", "json"] = "text"
    """The format of log lines."""


@Parameter(name="*", group=Group("Options of listening", sort_key=21))
@frozen
class ServerSettings:
    """The settings of listening."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = field(default=5000, validator=_port)
    """The port to listen on; 0 takes a free one."""

    tls_certificate: Path | None = field(default=None, converter=with_home_if_any)
    """A PEM file with the certificate, followed by its issuers: the server then uses https."""

    tls_key: Path | None = field(default=None, converter=with_home_if_any)
    """A PEM file with the key of the certificate, without a password."""

    behind_proxy: bool = False
    """Listen beyond this machine without TLS, because a proxy before the server provides it."""

    trusted_proxies: tuple[str, ...] = field(default=(), validator=_networks)
    """Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted. Default: none."""

    allowed_hosts: tuple[str, ...] = ()
    """Names that a server without tokens answers to, besides localhost and loopback addresses."""

    max_uploads: int = field(default=64, validator=_positive)
    """How many uploads are received at once; more wait for their turn."""

    upload_wait_seconds: float = field(default=60.0, validator=_positive)
    """How long an upload may wait for its turn before it is answered 503 with Retry-After."""

    max_inventory_bytes: Size = field(default=256 * MEBIBYTE, validator=_positive)
    """The largest inventory accepted for comparison (256M)."""

    max_snapshot_bytes: Size = field(default=64 * MEBIBYTE, validator=_positive)
    """The largest tar snapshot file kept with an archive (64M)."""

    metrics_profiles: int = field(default=2000, validator=_positive)
    """How many profiles get lines of their own in the metrics; of more only the sums are told."""

    header_seconds: float = field(default=10.0, validator=_positive)
    """How long a client may take to send the head of a request."""

    body_seconds: float = field(default=30.0, validator=_positive)
    """How long a client may pause within the body of a request."""

    min_body_rate: Size = field(default=1 << 10, validator=_not_negative)
    """The lowest average rate of a body in bytes per second (1K); 0 accepts any rate."""

    body_rate_seconds: float = field(default=60.0, validator=_positive)
    """The time spent waiting for a client over which that average is taken; also the grace at the beginning."""

    stop_seconds: int = field(default=30, validator=_positive)
    """How long running requests may take to end when the server is stopped."""

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The value of `trusted_proxies`, parsed."""
        return tuple(map(ip_network, self.trusted_proxies))
