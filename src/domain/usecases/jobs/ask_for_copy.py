"""Asking for the archives of another server to be copied now."""

from __future__ import annotations

from attrs import frozen

from ...jobs.run import Run
from ...ports.system import Turns
from ...ports.upkeep.peers import PeerAddress
from ..replicating.sources import REPLICATE, PeerSource
from .show_jobs import AskForRun


@frozen
class AskForCopy:
    """Have archives copied now, from the server of the settings or from another one."""

    source: PeerSource
    ask_for_run: AskForRun
    turns: Turns

    def __call__(self, address: PeerAddress | None = None, who: str | None = None) -> Run:
        """
        Ask for a run of the job. Returns it.

        Raises:
            JobRunning: a run is under way, and copies from where it began to.
        """
        # in one turn: a run that is entered may begin before the next line
        with self.turns.take(REPLICATE):
            run = self.ask_for_run(REPLICATE, who)
            if address is not None:
                self.source.ask(address)
            return run
