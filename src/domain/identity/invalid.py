"""Names, types and digests that break the rules."""

from __future__ import annotations

from attrs import define

from ..tarkeep_error import TarkeepError


@define
class InvalidName(TarkeepError):
    """A profile or archive name breaks a rule of `naming`. *what* is ``profile`` or ``archive``."""

    what: str
    value: str
    rule: str

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= 80 else self.value[:80] + "..."
        return f"{self.what} name {shown!a} {self.rule}"


@define
class InvalidType(TarkeepError):
    """Not one of the three backup types."""

    value: str

    def __str__(self) -> str:
        return f"unknown backup type {self.value[:80]!a}, use FULL, INC or DIFF"


@define
class InvalidDigest(TarkeepError):
    """A declared digest is not hex of the right length."""

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.value[:160]!a} is not a {self.algorithm} digest"


@define
class DigestMismatch(TarkeepError):
    """The received bytes have another digest than the one declared; both in lower-case hex."""

    algorithm: str
    declared: str
    actual: str

    def __str__(self) -> str:
        return (
            f"{self.algorithm} of the received bytes is {self.actual}, not {self.declared} as declared; send it again"
        )
