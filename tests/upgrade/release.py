"""Freezes the version at hand as a release, and begins the next one: ``make release NEXT=0.4.0``.

The release is its install script, and rows that its own functions wrote. From then on every test run
upgrades them to the version at hand and compares the outcome with a fresh installation.
"""

import re
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import build, postgres, venv
from harness.cluster import Cluster
from harness.places import REPO
from harness.progress import HarnessError, progress
from upgrade import releases, stock

CRATES = ("sendgate", "sendgate-decision", "sendgate-test-driver", "sendgated")


def freeze(version: str, home: Path) -> None:
    """Write the install script and the data of the version at hand into ``home``."""
    import psycopg

    install = postgres.for_version(postgres.EMBEDDED_DEFAULT, progress)
    build.build_and_install(install)
    with Cluster(install, conf={"fsync": "off", "sendgate.test_clock": "on"}) as server:
        server.psql(f"CREATE EXTENSION sendgate VERSION '{version}'")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            stock.fill(connection)
            data = stock.data(connection)
    home.mkdir(parents=True)
    (home / "install.sql").write_text(build.install_script())
    (home / "data.sql").write_text(data)


def begin(root: Path, version: str, following: str) -> list[Path]:
    """Make ``following`` the version at hand, with an upgrade script that does nothing yet."""
    old, new = re.escape(version), following
    edits = {
        "extension/sendgate.control": (rf"(default_version = ')({old})(')", 1),
        "Cargo.toml": (rf'(\[workspace\.package\]\nversion = ")({old})(")', 1),
        "Cargo.lock": (rf'(name = "(?:{"|".join(CRATES)})"\nversion = ")({old})(")', len(CRATES)),
        "META.json": (rf'("version": ")({old})(",?\n)', 2),
    }
    for file, (pattern, expected) in edits.items():
        path = root / file
        text, count = re.subn(pattern, rf"\g<1>{new}\g<3>", path.read_text())
        if count != expected:
            raise HarnessError(f"{file} names {version} {count} times, not {expected} times.")
        path.write_text(text)
    script = root / "sql" / f"{build.EXTENSION}--{version}--{following}.sql"
    script.write_text(releases.HEAD)
    return [*(root / file for file in edits), script]


def main(arguments: list[str]) -> None:
    """The command."""
    version = build.default_version()
    home = releases.FROZEN / version
    following = arguments[0] if arguments else ""
    if not re.fullmatch(r"\d+\.\d+\.\d+", following):
        raise HarnessError("Say which version comes next: make release NEXT=0.4.0")
    if releases.numbers(following) <= releases.numbers(version):
        raise HarnessError(f"{following} does not come after {version}, which is at hand.")
    if home.exists():
        raise HarnessError(f"{version} is frozen already: {home.relative_to(REPO)}")
    venv.use()
    freeze(version, home)
    written = begin(REPO, version, following)
    progress(f"froze {version} in {home.relative_to(REPO)}; the version at hand is now {following}:")
    for path in written:
        progress(f"  {path.relative_to(REPO)}")
    progress("Still yours: CHANGELOG.md and README.md, a commit, a tag. Then see CONTRIBUTING.md.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
