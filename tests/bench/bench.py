"""``make bench``: the gate next to the same writes by hand, and to what others use, as ratios.

Everything runs in one throwaway cluster, in turn, several rounds; quoted are medians and their
ratios, because absolute numbers are the machine's. Durability is on (fsync, synchronous commit),
statements are prepared, caches are warm, a checkpoint precedes each round. The processor time beside
them is the server's own and says more than the rate where something else runs on the machine.

With --write the generated part of docs/performance.md and the charts in docs/pictures are replaced. With --parts
only some of it is measured; the report carries the others as they were measured last, if nothing has changed since.

With --against another revision is built too, and both are measured in turn, call by call: compare.py.
With --against and --after two other revisions are measured, such as the ones before and after a past change.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench import (
    balance,
    batches,
    causes,
    compare,
    contenders,
    contest,
    crowds,
    earlier,
    instructions,
    report,
    results,
    sessions,
)
from bench.outside import Outside
from bench.server import CLIENTS, CONF, Cost, Server
from bench.wanted import SINGLE_OF_BATCHES
from harness import build, postgres
from harness.cluster import Cluster
from harness.places import RESULTS
from harness.progress import HarnessError, duration, ended, progress

QUICK = {"accounts": 30_000, "seconds": 2, "rounds": 2, "calls": 50_000}


def main() -> int:
    """Builds, measures, prints and, if asked, writes the documentation."""
    options = arguments()
    if options.against:
        return against(options)
    started = time.monotonic()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    taken_on = machine(install, options) | {"revision": earlier.present(), "profile": earlier.profile()}
    taken_on |= {"sources": earlier.sources(), "quick": options.quick}
    found = results.kept(taken_on, results.BENCH)
    with Cluster(install, conf=CONF) as cluster:
        progress(f"  loading {options.accounts:,} accounts")
        server = Server(cluster, options.accounts)
        failed = measured(MEASURE, server, options, found)
    taken_on["took"] = duration(time.monotonic() - started)
    found["machines"] |= {part: taken_on for part in options.parts if part not in failed}
    results.keep(found, results.BENCH)
    print("\n" + report.text(found))
    if failed:
        raise HarnessError(f"not measured: {', '.join(failed)}")
    if options.write:
        report.write(found)
    return 0


def measured(parts: dict, subject, options: argparse.Namespace, found: dict) -> list[str]:
    """Measures the parts that were asked for into ``found``; returns those that failed."""
    failed = []
    for part, measure in parts.items():
        if part in options.parts:
            progress(f"== {part}")
            try:
                found[part] = measure(subject, options)
            except HarnessError as error:
                failed.append(part)
                progress(f"FAILED: {error}")
    return failed


def against(options: argparse.Namespace) -> int:
    """Another revision and the present one, or two others, in one report."""
    started = time.monotonic()
    ours = postgres.for_version(options.pg)
    revisions = [earlier.Revision.named(name) for name in (options.against, options.after) if name]
    installs = [earlier.installed(revision, ours) for revision in revisions]
    if options.build_only:
        for revision, install in zip(revisions, installs, strict=True):
            progress(f"  {revision} is in {install.sharedir.parent}")
        return 0
    names = [str(revision) for revision in revisions]
    if not options.after:
        build.build_and_install(ours)
        installs.append(ours)
        names.append(earlier.present())
    found: dict = {"machine": machine(ours, options)}
    found["machine"] |= dict(zip(compare.SIDES, names, strict=True)) | {"profile": earlier.profile()}
    with Cluster(installs[0], conf=CONF) as before, Cluster(installs[1], conf=CONF) as after:
        progress(f"  loading {options.accounts:,} accounts, twice")
        clusters = zip(compare.SIDES, (before, after), strict=True)
        servers = {side: Server(cluster, options.accounts, compare.SETUP) for side, cluster in clusters}
        failed = measured(compare.MEASURE, servers, options, found)
    found["machine"]["took"] = duration(time.monotonic() - started)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "bench-against.json").write_text(json.dumps(found, indent=1, default=vars))
    print("\n" + report.comparison(found))
    if failed:
        raise HarnessError(f"not measured: {', '.join(failed)}")
    if options.write:
        report.write_comparison(found)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, help="accounts to spread the load over (100,000)")
    parser.add_argument("--seconds", type=float, help="length of one run of one contender (4)")
    parser.add_argument("--rounds", type=int, help="runs of each contender (4)")
    parser.add_argument("--calls", type=int, help="calls for the memory figures (1,000,000)")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version (18)")
    parser.add_argument("--quick", action="store_true", help="everything, but small: to see that it runs")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and the charts")
    parser.add_argument(
        "--parts", help=f"which of {', '.join(MEASURE)}; with --against which of {', '.join(compare.MEASURE)}"
    )
    parser.add_argument("--against", metavar="COMMIT", help="measure this revision and the present one in turn")
    parser.add_argument("--after", metavar="COMMIT", help="with --against: this revision in place of the present one")
    parser.add_argument("--build-only", action="store_true", help="with --against: build that revision, and no more")
    options = parser.parse_args()
    usual = {"accounts": 100_000, "seconds": 4, "rounds": 8 if options.against else 4, "calls": 1_000_000}
    for name, value in (QUICK if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    parts = compare.MEASURE if options.against else MEASURE
    options.parts = options.parts.split(",") if options.parts else list(parts)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"--parts: {', '.join(unknown)} is not one of {', '.join(parts)}")
    if (options.build_only or options.after) and not options.against:
        parser.error("--build-only and --after need --against")
    counting = {"instructions", "balance", "contest"} & set(options.parts)
    if counting and not instructions.available():
        progress("  instructions are not counted: there is no valgrind in PATH")
        options.parts = [part for part in options.parts if part not in counting]
    return options


def machine(install, options: argparse.Namespace) -> dict:
    """What the numbers are taken on and with."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "cores": int(cores),
        "processor": model[1] if model else "unknown processor",
        "memory": f"{int(memory[1]) / 2**20:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "postgresql": str(install.version),
        "accounts": options.accounts,
        "clients": CLIENTS,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "calls": options.calls,
        "settings": "fsync = on, synchronous_commit = on, "
        + ", ".join(f"{key} = {value}" for key, value in CONF.items()),
        "load": Path("/proc/loadavg").read_text().split()[0],
    }


def throughput(server: Server, options: argparse.Namespace) -> dict:
    """Contenders in turn, round after round."""
    outside = Outside(server)
    taken: dict[str, list[Cost]] = {name: [] for name in [*contenders.SCRIPTS, *outside.runs]}
    for name, script in contenders.SCRIPTS.items():
        progress(f"  warming up: {name}")
        server.run(script, 1)
    for number in range(1, options.rounds + 1):
        server.psql("CHECKPOINT")
        for name, script in contenders.SCRIPTS.items():
            progress(f"  round {number} of {options.rounds}: {name}")
            taken[name].append(server.run(script, options.seconds))
        for name, run in list(outside.runs.items()):
            progress(f"  round {number} of {options.rounds}: {name}")
            try:
                taken[name].append(run(options.seconds))
            except HarnessError as error:
                progress(f"  missing: {name}: {error}")
                outside.missing[name] = str(error).splitlines()[-1].strip()
                del outside.runs[name], taken[name]
    return figures(taken) | {"missing": outside.missing}


def figures(taken: dict[str, list]) -> dict:
    """Rates and processor times of each row, round by round."""
    return {
        "rates": {name: [one.rate for one in runs] for name, runs in taken.items()},
        "cpu": {name: [one.cpu for one in runs] for name, runs in taken.items()},
    }


def measure_batches(server: Server, options: argparse.Namespace) -> dict:
    """Slots a second by slots a call, single reserves in the same rounds."""
    runs = {SINGLE_OF_BATCHES: contenders.RESERVE} | batches.scripts()
    taken: dict[str, list[batches.Figure]] = {name: [] for name in runs}
    accounts = min(options.accounts, batches.ACCOUNTS_MAX)
    rounds, seconds = min(options.rounds, 2), min(options.seconds, 3)
    for number in range(1, rounds + 1):
        for name, script in runs.items():
            progress(f"  round {number} of {rounds}: {name}")
            taken[name].append(batches.run(server, script, accounts, seconds))
    return figures(taken)


def measure_crowds(server: Server, options: argparse.Namespace) -> dict:
    """Many clients on few accounts."""
    taken = crowds.measure(server, options.seconds, min(options.rounds, 3))
    return figures(taken) | {"refusals": crowds.refusals_write(server)}


def measure_causes(server: Server, _options: argparse.Namespace) -> dict:
    """What a call writes and runs."""
    return {"writes": causes.writes(server), "statements": causes.statements(server)}


def measure_sessions(server: Server, options: argparse.Namespace) -> dict:
    """A session's first answers, and what its settings cost."""
    settings = sessions.settings(server, min(options.seconds, 2), min(options.rounds, 3))
    return {"firsts": sessions.firsts(server), "settings": settings}


def measure_contest(server: Server, _options: argparse.Namespace) -> dict:
    """Single calls in instructions, and what the triggers of the gate's tables cost a contender."""
    return contest.measure(server)


def measure_balance(server: Server, _options: argparse.Namespace) -> dict:
    """What known credits cost."""
    return balance.measure(server)


MEASURE = {
    "throughput": throughput,
    "batches": measure_batches,
    "crowds": measure_crowds,
    "sessions": measure_sessions,
    "causes": measure_causes,
    "memory": lambda server, options: causes.memory(server, options.calls),
    "contest": measure_contest,
    "balance": measure_balance,
}


if __name__ == "__main__":
    sys.exit(ended(main))
