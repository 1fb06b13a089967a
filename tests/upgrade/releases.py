"""The frozen releases, and putting an earlier version's scripts where PostgreSQL finds them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.build import EXTENSION, scripts_lock
from harness.places import locked
from harness.postgres import Install

FROZEN = Path(__file__).resolve().parent / "releases"

# What every upgrade script begins with.
HEAD = """-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\\echo Use "ALTER EXTENSION sendgate UPDATE" to load this file. \\quit

-- ALTER EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;

-- No decision is made while rules and tables change. The second statement changes nothing, and tells every
-- session of a change, so that one with the library of another version looks again, and refuses.
LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sendgate.accounts SET (fillfactor = 70);
"""


@dataclass(frozen=True)
class Release:
    """A version as it was: what CREATE EXTENSION ran, and rows that its own functions wrote."""

    version: str
    script: str
    data: str
    # Upgrade scripts that are not in sql/ anyway, by "from--to".
    deltas: dict[str, str] = field(default_factory=dict)


def numbers(version: str) -> tuple[int, ...]:
    """A version to be compared."""
    return tuple(int(part) for part in version.split("."))


def released() -> list[Release]:
    """Every release that was frozen, the oldest first."""
    homes = [home for home in FROZEN.glob("*") if home.is_dir()]
    return [
        Release(home.name, (home / "install.sql").read_text(), (home / "data.sql").read_text())
        for home in sorted(homes, key=lambda home: numbers(home.name))
    ]


@contextmanager
def placed(install: Install, release: Release) -> Iterator[None]:
    """Its scripts in this PostgreSQL for a while, one release at a time; what an installation ships
    lacks old versions."""
    scripts = {release.version: release.script} | release.deltas
    files = {install.sharedir / "extension" / f"{EXTENSION}--{name}.sql": text for name, text in scripts.items()}
    with locked(scripts_lock(install)):
        assert not any(path.exists() for path in files), f"{release.version} is there already"
        try:
            for path, text in files.items():
                path.write_text(text)
                path.chmod(0o644)
            yield
        finally:
            for path in files:
                path.unlink(missing_ok=True)
