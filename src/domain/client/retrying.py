"""Retrying over a bad line: exponential backoff with full jitter, a limited number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from ..errors.client import Refused, ServerUnreachable
from ..tarkeep_error import TarkeepError

Result = TypeVar("Result")

Notice = Callable[[TarkeepError, float], None]
"""Called before each retry: what failed, and the seconds until then."""


@frozen
class Retrying:
    """
    Repeat calls that fail with a transient error, up to *retries* times in a row.

    *wait* sleeps for seconds, *fraction* draws from 0 to 1. The pause before try n is drawn from 0 to ``base_seconds *
    2**n``, at most *longest_seconds*; a longer pause requested by the server takes precedence.

    A server that was never reached is more likely stopped, or elsewhere, than busy: by the clock *seconds* it is given
    up *unreached_seconds* after the first try; None means no such limit.
    """

    retries: int
    wait: Callable[[float], None]
    fraction: Callable[[], float]
    base_seconds: float = 1.0
    longest_seconds: float = 60.0
    unreached_seconds: float | None = None
    seconds: Callable[[], float] = lambda: 0.0

    def __call__(
        self,
        attempt: Callable[[], Result],
        *,
        has_moved: Callable[[], bool] = lambda: False,
        on_retry: Notice = lambda _error, _pause: None,
    ) -> Result:
        """
        The result of *attempt*. If *has_moved* is true after a failure, the count starts anew.

        Raises:
            The last error of *attempt*.
        """
        failures = 0
        began_at = self.seconds()
        while True:
            try:
                return attempt()
            except TarkeepError as error:
                failures = 1 if has_moved() else failures + 1
                if failures > self.retries or not error.is_transient:
                    raise
                pause = self._pause(failures, error)
                if self.unreached_seconds is not None and isinstance(error, ServerUnreachable) and error.is_unreachable:
                    left = began_at + self.unreached_seconds - self.seconds()
                    if left <= 0:
                        raise
                    pause = min(pause, left)
                on_retry(error, pause)
            self.wait(pause)

    def _pause(self, failures: int, error: TarkeepError) -> float:
        drawn = self.fraction() * min(self.longest_seconds, self.base_seconds * 2.0**failures)
        asked = error.pause_seconds if isinstance(error, Refused) else None
        return max(drawn, asked or 0.0)
