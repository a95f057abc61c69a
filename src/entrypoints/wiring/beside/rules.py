"""
The rules of profiles as a server uses them: those of its own file, or, with a catalog in PostgreSQL, those that all its
servers have from there.

The rule: two servers never judge by different rules for longer than some seconds. So where the catalog has rules, a
file with others is an error at the start; and each server looks every few seconds whether they were set anew. If they
cannot be read, those that were there before stay in use, and the log says so once.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field, frozen

from ....adapters.cron_lines import CronsimLines
from ....adapters.filesystem.data_directory import RULES
from ....adapters.sql.agreed.rule_rows import KeptRules, SqlRuleTexts
from ....domain.errors.settings import InvalidSetting
from ....domain.profiles.rules import ProfileRules, RuleBook
from ...logs import Log
from ...settings.profiles import read_rules, rules_from
from ...settings.server import StorageSettings

log = Log("tarkeep")

LOOK_SECONDS = 2.0
IN_CATALOG = "the rules in the catalog"


@frozen
class RuleSource:
    """Where the rules of a server come from: *texts* are those of all servers, None if each has a file of its own."""

    settings: StorageSettings
    texts: SqlRuleTexts | None

    @property
    def file(self) -> Path:
        """The server's own file, whether it is there or not."""
        return self.settings.profiles or self.settings.data / RULES

    def place(self, kept: KeptRules | None) -> str:
        """What the rules are called in messages: *kept* are those of the catalog."""
        return str(self.file) if kept is None else IN_CATALOG

    def kept(self) -> KeptRules | None:
        """The rules in the catalog; None if there are none, or that is not where they are kept."""
        return None if self.texts is None else self.texts.newest()

    def read(self, kept: KeptRules | None) -> RuleBook:
        """
        The rules as they are now, *kept* being those of the catalog.

        Raises:
            InvalidSetting: they contain something that is not a rule, cannot be read, or the server's own file has
                others than the catalog.
        """
        read_times = CronsimLines().read
        if kept is None:
            return read_rules(self.file, must_exist=self.settings.profiles is not None, read_times=read_times)
        if self.differs_from(kept):
            detail = (
                f"{self.file} is not what the catalog has, where the rules of all servers are; remove it, or make it "
                f"the one for all with: tarkeep rules set {self.file}"
            )
            raise InvalidSetting("profiles", detail)
        return rules_from(kept.text, IN_CATALOG, read_times=read_times)

    def differs_from(self, kept: KeptRules) -> bool:
        """Whether this server has a file of its own that is another. Raises InvalidSetting."""
        try:
            return hashlib.sha256(self.file.read_bytes()).hexdigest() != kept.sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InvalidSetting("profiles", f"{self.file}: {error.strerror}") from error


@define(eq=False)
class RulesInUse:
    """`Rules` from *source*, read anew by `load`, and looked at every few seconds if other servers may set them."""

    source: RuleSource
    seconds: Callable[[], float] = time.monotonic
    _book: RuleBook = field(factory=RuleBook, init=False)
    _number: int = field(default=0, init=False)  # of the rules in the catalog that `_book` was read from
    _looked: float = field(default=0.0, init=False)
    _told: str = field(default="", init=False)
    _turn: threading.Lock = field(factory=threading.Lock, init=False)

    def load(self) -> int:
        """Use the rules as they are now; returns the number of patterns. Raises as `RuleSource.read`."""
        with self._turn:
            kept = self.source.kept()
            self._use(kept, self.source.read(kept))
            return len(self._book.entries)

    @property
    def book(self) -> RuleBook:
        """The rules in use. Never waits for the catalog."""
        if self.source.texts is not None and self.seconds() - self._looked >= LOOK_SECONDS:
            self._looked = self.seconds()
            threading.Thread(target=self.look, name="rules", daemon=True).start()
        return self._book

    def look(self) -> None:
        """Use the rules of the catalog if they are others than before; what is wrong with them is logged."""
        texts = self.source.texts
        if texts is None or not self._turn.acquire(blocking=False):
            return
        try:
            self._take_newest(texts)
            failure = None
        except Exception as error:  # whatever it is, the server goes on with the rules that it has
            failure = error
        finally:
            self._turn.release()
        if failure is not None and str(failure) != self._told:
            log.error("not reloaded", what="rules", reason=failure, so="what was there before stays in use")
        self._told = "" if failure is None else str(failure)

    def _take_newest(self, texts: SqlRuleTexts) -> None:
        kept = texts.newest() if texts.newest_number() != self._number else None
        if kept is not None:
            self._use(kept, rules_from(kept.text, IN_CATALOG, read_times=CronsimLines().read))
            log.info("the rules were set anew", patterns=len(self._book.entries))
            if self.source.differs_from(kept):
                log.warning("the rules of this server's own file count no more", file=str(self.source.file))

    def _use(self, kept: KeptRules | None, book: RuleBook) -> None:
        self._book, self._number, self._looked = book, 0 if kept is None else kept.number, self.seconds()

    def of(self, profile: str) -> ProfileRules:
        return self.book.of(profile)

    def pattern_of(self, profile: str) -> str | None:
        return self.book.pattern_of(profile)

    def has_quota(self, profile: str) -> bool:
        return self.book.has_quota(profile)

    @property
    def may_allow_opaque(self) -> bool:
        return self.book.may_allow_opaque

    @property
    def may_prune(self) -> bool:
        return self.book.may_prune

    @property
    def fingerprint(self) -> str:
        return self.book.fingerprint
