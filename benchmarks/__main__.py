"""
The command line: choose benches, run them, print their tables, write RESULTS.md if told to.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from .contestants import WrongAnswer
from .machine import describe
from .processes import CannotRun
from .report import Table, as_text
from .results import write_results
from .runner import Context
from .suites import BENCHES

_HERE = Path(__file__).parent


def main() -> int:
    """Run what the command line asks for; 1 if a server answered wrongly or could not run; missed targets give 0."""
    signal.signal(signal.SIGTERM, _end)
    options = _parser().parse_args()
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    rounds = options.rounds or (3 if options.quick else 5)
    context = Context(work, rounds, options.quick, lambda text: print(text, file=sys.stderr, flush=True), options.only)
    machine = describe(work)
    print("\n".join(f"{name}: {value}" for name, value in machine), flush=True)

    tables: list[Table] = []
    failed = False
    for name in options.benches or BENCHES:
        context.say(f"\n{name}")
        try:
            table = BENCHES[name](context)
        except (WrongAnswer, CannotRun) as error:
            failed = True
            print(f"\n{name}: no result, {error}", flush=True)
            continue
        tables.append(table)
        print(f"\n{as_text(table)}", flush=True)

    if options.quick:
        print("\n--quick: small archives and few rounds; good for trying, not for judging")
    if options.write_results:
        told = f"{rounds} rounds" + (", --quick: not for judging" if options.quick else "")
        write_results(_HERE / "RESULTS.md", machine, tables, told)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help=f"which to run, all by default: {', '.join(BENCHES)}"
    )
    parser.add_argument("--rounds", type=int, help="how often each is measured (default 5, with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="small archives, for trying things out")
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="of the bench growth: measures with this in their names"
    )
    parser.add_argument("--write-results", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    parser.add_argument("--work", type=Path, default=_HERE / "work", help="folder for all generated files")
    return parser


def _end(signum: int, frame: FrameType | None) -> None:
    # As an exception, so that every server that was started is ended on the way out.
    del signum, frame
    raise SystemExit("ended")


if __name__ == "__main__":
    sys.exit(main())
