"""
The connection to an object store, and its errors as errors of the domain.

Credentials come from where every program for S3 looks for them, never from a setting. Addresses are of the path style,
since an endpoint of one's own rarely has names for buckets. Checksums that the library would add unasked are off: old
servers take the trailers that carry them for a part of the object.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from attrs import frozen
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.session import get_session

from ....domain.errors.capacity import BackendUnavailable, InsufficientStorage

_CONNECT_SECONDS, _READ_SECONDS, _TRIES, _CONNECTIONS = 3, 30, 4, 64
_REGION = "us-east-1"

logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells each time where it found the credentials
_NO_CREDENTIALS = "no keys for it were found, neither in the environment nor in the file of programs for S3"
_DENIED, _MISSING, _FULL = (401, 403), 404, 507
_FULL_CODES = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"})


@frozen
class BucketAddress:
    """
    Where archives are: *prefix* in *bucket*, without slashes around it; empty is the whole bucket.

    *endpoint* is the URL of the object store; empty means that of the region. An empty *region* is the configured one.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""

    @classmethod
    def parse(cls, url: str, endpoint: str = "", region: str = "") -> BucketAddress:
        """
        The address that ``s3://bucket/prefix`` names.

        Raises:
            ValueError: it names no bucket.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise ValueError("it names no bucket; write s3://BUCKET/PREFIX")
        return cls(bucket, prefix.strip("/"), endpoint, region)

    def client(self, *, signs_bodies: bool = False) -> Any:
        """A connection; any number of threads may use it. *signs_bodies* has each body signed, on TLS as well."""
        session = _session()
        region = self.region or session.get_config_variable("region") or _REGION
        config = Config(
            s3={"addressing_style": "path", "payload_signing_enabled": signs_bodies},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            max_pool_connections=_CONNECTIONS,
        )
        return session.create_client("s3", region_name=region, endpoint_url=self.endpoint or None, config=config)


@cache
def _session() -> Any:
    """One for all connections: reading what the library knows of S3 takes longer than a hundred requests."""
    return get_session()


def status_of(error: ClientError) -> int:
    """The status of the answer that *error* is about; 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def translated() -> Iterator[None]:
    """
    Turn an error of the library into that of the domain; neither addresses nor keys of the bucket are in its words.

    Raises:
        InsufficientStorage, BackendUnavailable: as the answer says.
    """
    try:
        yield
    except ClientError as error:
        code, status = str(error.response.get("Error", {}).get("Code", "")), status_of(error)
        if code in _FULL_CODES or status == _FULL:
            raise InsufficientStorage from error
        raise BackendUnavailable("store", _reason(code, status)) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise BackendUnavailable("store", _NO_CREDENTIALS) from error
    except (HTTPClientError, BotoCoreError) as error:
        raise BackendUnavailable("store", f"the object store cannot be reached ({type(error).__name__})") from error


def _reason(code: str, status: int) -> str:
    if code == "NoSuchBucket":
        return "the bucket does not exist"
    if status in _DENIED:
        return "the object store refuses access to the bucket"
    if status == _MISSING:
        return "something that has to be in the bucket is missing"
    return f"the object store answered {code or status}"
