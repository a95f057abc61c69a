"""The settings of an object store, as the address of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.errors.settings import InvalidSetting
from ..settings.server import StorageSettings

if TYPE_CHECKING:
    from ...adapters.s3.bucket.client import BucketAddress  # its library is an extra, and slow to import


def bucket_address(url: str, settings: StorageSettings) -> BucketAddress:
    """
    The address that *url* names, ``s3://BUCKET/PREFIX``, at the object store of *settings*.

    Raises:
        InvalidSetting: it names none, or the library of object stores is not installed.
    """
    try:
        from ...adapters.s3.bucket.client import BucketAddress
    except ImportError:
        raise InvalidSetting("store", "an object store needs: pip install 'tarkeep[s3]'") from None
    try:
        return BucketAddress.parse(url, settings.s3_endpoint, settings.s3_region)
    except ValueError as error:
        raise InvalidSetting("store", str(error)) from None
