"""Which file goes where in each package. One description serves Debian's packages and RPMs."""

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from harness import build
from harness.places import REPO
from harness.progress import HarnessError

PACKAGING = REPO / "packaging"
HOMEPAGE = "https://pgxn.org/dist/sendgate/"
# The package's own revision, counted anew for each version of sendgate.
REVISION = 1
SECRET = 0o640
# Of a maintainer whose address META.json does not name: no host has such a name, so that no mail goes astray.
NO_ADDRESS = "noreply@sendgate.invalid"
# Hosts that are set aside for examples and tests (RFC 2606): no mail arrives there.
RESERVED = re.compile(r"(^|\.)(invalid|example|test|localhost|localdomain|example\.(com|net|org))$")
LICENSE_OF_DEBIAN = "Expat"
# What people look up on the machine itself; the rest of docs/ is for those who work on sendgate.
PAGES = {
    "extension": [
        "README.md",
        *(f"docs/{name}.md" for name in ("application", "dba", "managed", "operator", "reference")),
    ],
    "daemon": ["docs/console.md", "docs/operations.md", "docs/operator.md"],
}
RECIPES = "sql/recipes"


@dataclass(frozen=True)
class File:
    """A file of a package: where it is installed, and what it holds."""

    place: str
    content: bytes
    mode: int = 0o644
    # An administrator changes it, and an upgrade keeps the change.
    is_configuration: bool = False


@dataclass(frozen=True)
class Package:
    """Everything that a package of any kind says and carries."""

    name: str
    version: str
    summary: str
    description: str
    files: tuple[File, ...]
    # The server's major version; None for the daemon.
    major: int | None = None
    # The programs and libraries in it, which say by themselves which libraries they need.
    compiled: tuple[str, ...] = ()
    # Directories with a mode of their own; others are the system's, or have the usual one.
    directories: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Layout:
    """Where a kind of package puts a server's files."""

    library: str
    scripts: str
    name: str

    def of(self, major: int) -> "Layout":
        """With the major version filled in."""
        return Layout(*(text.format(major=major) for text in (self.library, self.scripts, self.name)))


# Debian's PostgreSQL, and that of PGDG for Debian.
DEBIAN = Layout(
    "/usr/lib/postgresql/{major}/lib", "/usr/share/postgresql/{major}/extension", "postgresql-{major}-sendgate"
)
# PGDG's PostgreSQL for RPM-based systems.
PGDG_RPM = Layout("/usr/pgsql-{major}/lib", "/usr/pgsql-{major}/share/extension", "sendgate_{major}")


def extension(root: Path, layout: Layout, major: int, library: bytes, licences: bytes) -> Package:
    """The extension of the sources ``root`` for one major version; ``library`` is built and stripped already."""
    here, version = layout.of(major), build.default_version(root)
    library_place = f"{here.library}/{build.EXTENSION}.so"
    files = [File(library_place, library)]
    files += [File(f"{here.scripts}/{name}", text) for name, text in sorted(scripts(root).items())]
    files += documents(root, here.name, "extension", licences)
    recipes = sorted(path for path in (root / RECIPES).iterdir() if path.is_file())
    files += [File(f"/usr/share/doc/{here.name}/{RECIPES}/{path.name}", path.read_bytes()) for path in recipes]
    return Package(
        name=here.name,
        version=version,
        summary=f"gate for metered sends through others' accounts, for PostgreSQL {major}",
        description=(
            "Every worker asks sendgate before it sends through a third-party account. It takes a slot atomically "
            "under daily and weekly caps, stops InMails at the first answer that credits are used up, and keeps a "
            f"journal of attempts and a log of proven deliveries. This package has the extension for PostgreSQL {major}, "
            "and the scripts that update earlier versions to it."
        ),
        files=tuple(files),
        major=major,
        compiled=(library_place,),
    )


def daemon(root: Path, program: bytes, licences: bytes) -> Package:
    """The daemon with its unit, configuration and manual page."""
    name, version = build.DAEMON, build.default_version(root)
    manual = (PACKAGING / f"{name}.8").read_bytes().replace(b"@VERSION@", version.encode())
    files = [
        File(f"/usr/bin/{name}", program, 0o755),
        File(f"/usr/lib/systemd/system/{name}.service", (PACKAGING / f"{name}.service").read_bytes()),
        File(f"/usr/share/man/man8/{name}.8.gz", zipped(manual)),
        File(f"/etc/{name}/{name}.toml", (PACKAGING / f"{name}.toml").read_bytes(), SECRET, True),
        File(f"/etc/{name}/tokens.toml", (PACKAGING / "tokens.toml").read_bytes(), SECRET, True),
    ]
    return Package(
        name=name,
        version=version,
        summary="daemon and console of sendgate, the gate for metered sends",
        description=(
            "sendgated runs the jobs that keep sendgate's books, prints its breaker's lines as JSON, and serves the "
            "operators' console, metrics and health pages. It needs one connection to a database with the extension, "
            "on this machine or another one."
        ),
        files=(*files, *documents(root, name, "daemon", licences)),
        compiled=(f"/usr/bin/{name}",),
        directories=(f"/etc/{name}",),
    )


def scripts(root: Path) -> dict[str, bytes]:
    """What PostgreSQL reads: the control file, the install script, every upgrade script."""
    version = build.default_version(root)
    found = {f"{build.EXTENSION}.control": (root / f"extension/{build.EXTENSION}.control").read_bytes()}
    found[f"{build.EXTENSION}--{version}.sql"] = build.install_script(root).encode()
    for delta in sorted((root / "sql").glob(f"{build.EXTENSION}--*--*.sql")):
        found[delta.name] = delta.read_bytes()
    return found


def documents(root: Path, name: str, kind: str, licences: bytes) -> list[File]:
    """The pages, the changelog and the licences; links between the pages lead where they lead in the repository."""
    home = f"/usr/share/doc/{name}"
    pages = [File(f"{home}/{page}", (root / page).read_bytes()) for page in PAGES[kind] if (root / page).exists()]
    holder = re.search(r"^Copyright \(c\) (.+)$", (root / "LICENSE").read_text(), re.MULTILINE)[1]
    notice = (PACKAGING / "copyright").read_text().replace("@COPYRIGHT@", holder)
    legal = f"{notice}\nLicense: {LICENSE_OF_DEBIAN}\n{paragraphs(root)}"
    return [
        *pages,
        File(f"{home}/changelog.gz", zipped((root / "CHANGELOG.md").read_bytes())),
        File(f"{home}/copyright", legal.encode()),
        File(f"{home}/third-party.txt", licences),
    ]


def paragraphs(root: Path) -> str:
    """The licence's text as Debian's copyright file wants it: indented, a dot for an empty line."""
    text = (root / "LICENSE").read_text()
    body = text[text.index("Permission is hereby granted") :]
    return "".join(f" {line or '.'}\n" for line in body.rstrip().splitlines())


def zipped(content: bytes) -> bytes:
    """Compressed, without the time of day."""
    return gzip.compress(content, 9, mtime=0)


def maintainer(root: Path = REPO) -> tuple[str, str | None]:
    """The name that packages give, and the address, from META.json; None if it names none at which mail arrives."""
    (first, *_) = json.loads((root / "META.json").read_text())["maintainer"]
    found = re.fullmatch(r"(.+?) <([^<>@\s]+@([^<>@\s]+))>", first)
    if found is None or RESERVED.search(found[3].lower()):
        return re.sub(r" <.*", "", first), None
    return found[1], found[2]


def versions(root: Path) -> dict[str, set[str]]:
    """The version in every file that names it, by file."""
    patterns = {
        "Cargo.toml": r'^\[workspace\.package\]\nversion = "(.+)"',
        "Cargo.lock": r'^name = "(?:sendgate|sendgate-decision|sendgate-test-driver|sendgated)"\nversion = "(.+)"',
        "META.json": r'"version": "(.+)",?\n(?!\s*"url": "https://pgxn)',
        f"extension/{build.EXTENSION}.control": r"^default_version = '(.+)'",
    }
    return {
        file: set(re.findall(pattern, (root / file).read_text(), re.MULTILINE)) for file, pattern in patterns.items()
    }


def version(root: Path) -> str:
    """The one version of the sources; an error that names the files if they differ."""
    named = versions(root)
    if len(set().union(*named.values())) != 1 or not all(named.values()):
        told = ", ".join(f"{file}: {' and '.join(sorted(found)) or 'none'}" for file, found in named.items())
        raise HarnessError(f"the files name different versions ({told}).\nMake them equal; make release does it.")
    return build.default_version(root)
