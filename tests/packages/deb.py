"""Debian's packages, written by dpkg-deb: the same bytes from the same content."""

import email.utils
import hashlib
import os
import tempfile
import textwrap
from pathlib import Path

from harness.places import run_dir
from harness.progress import own_environment, quiet

from . import compiled, content
from .content import HOMEPAGE, NO_ADDRESS, PACKAGING, REVISION, Package, zipped

SCRIPTS = ("postinst", "prerm", "postrm")
# Debian's package of each library that compiled files may need.
LIBRARIES = {
    "libc.so.6": "libc6",
    "libm.so.6": "libc6",
    "ld-linux-x86-64.so.2": "libc6",
    "ld-linux-aarch64.so.1": "libc6",
}
LIBRARIES |= {"libgcc_s.so.1": "libgcc-s1"}


def write(package: Package, directory: Path, epoch: int) -> Path:
    """Write the package into the directory; ``epoch`` is the time of all its files, in seconds since 1970."""
    target = directory / f"{package.name}_{full_version(package)}_{architecture()}.deb"
    with tempfile.TemporaryDirectory(dir=run_dir()) as name:
        stage = Path(name, "root")
        files = installed(package, epoch)
        size = 0
        for place, (content, mode) in files.items():
            _put(stage, place, content, mode)
            size += -(-len(content) // 1024)
        for file, (content, mode) in control_files(package, size, files).items():
            _put(stage, f"/DEBIAN/{file}", content, mode)
        for path in (stage, *stage.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (epoch, epoch))
        # One thread: several cut the archive into blocks, and their size depends on the machine.
        environment = own_environment({"SOURCE_DATE_EPOCH": str(epoch), "DPKG_DEB_THREADS_MAX": "1"})
        quiet(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", stage, target], env=environment)
    return target


def installed(package: Package, epoch: int) -> dict[str, tuple[bytes, int]]:
    """The package's files and those that only Debian has, by place, with their modes."""
    home = f"/usr/share/doc/{package.name}"
    files = {file.place: (file.content, file.mode) for file in package.files}
    files[f"{home}/changelog.Debian.gz"] = (zipped(changelog(package, epoch).encode()), 0o644)
    overrides = PACKAGING / "deb" / f"{kind(package)}.lintian-overrides"
    text = overrides.read_text().replace("@PACKAGE@", package.name).replace("@MAJOR@", str(package.major))
    files[f"/usr/share/lintian/overrides/{package.name}"] = (text.encode(), 0o644)
    return files


def control_files(package: Package, size_kib: int, files: dict[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """What dpkg reads: the control file, sums, configuration files, maintainer scripts; with their modes."""
    sums = "".join(
        f"{hashlib.md5(content).hexdigest()}  {place.lstrip('/')}\n" for place, (content, _) in sorted(files.items())
    )
    found = {"control": (control(package, size_kib).encode(), 0o644), "md5sums": (sums.encode(), 0o644)}
    if configuration := [file.place for file in package.files if file.is_configuration]:
        found["conffiles"] = ("".join(f"{place}\n" for place in configuration).encode(), 0o644)
    for name in SCRIPTS:
        script = PACKAGING / "deb" / f"{kind(package)}.{name}"
        if script.exists():
            text = script.read_text().replace("@PACKAGE@", package.name).replace("@VERSION@", package.version)
            found[name] = (text.encode(), 0o755)
    return found


def control(package: Package, size_kib: int) -> str:
    """The control file."""
    name, address = maintainer()
    fields = {
        "Package": package.name,
        "Version": full_version(package),
        "Architecture": architecture(),
        "Maintainer": f"{name} <{address}>",
        "Installed-Size": str(size_kib),
        "Depends": ", ".join(depends(package)),
        "Section": "database",
        "Priority": "optional",
        "Homepage": HOMEPAGE,
        "Description": package.summary + "\n" + textwrap.indent(textwrap.fill(package.description, 78), " "),
    }
    return "".join(f"{field}: {value}\n" for field, value in fields.items())


def depends(package: Package) -> list[str]:
    """The server, or what the daemon's scripts and TLS need; and the libraries of the compiled files."""
    found = (
        [f"postgresql-{package.major}"]
        if package.major
        else ["adduser", "ca-certificates", "init-system-helpers (>= 1.54)"]
    )
    contents = {file.place: file.content for file in package.files}
    return found + compiled.debian_libraries([contents[place] for place in package.compiled], LIBRARIES)


def changelog(package: Package, epoch: int) -> str:
    """Debian's changelog, of the package alone."""
    name, address = maintainer()
    return (
        f"{package.name} ({full_version(package)}) unstable; urgency=medium\n\n"
        f"  * Version {package.version}; what is new is in changelog.gz.\n\n"
        f" -- {name} <{address}>  {email.utils.formatdate(epoch)}\n"
    )


def maintainer() -> tuple[str, str]:
    """The name and address that the package gives: META.json's, unless Debian's own variables name another builder."""
    name, address = content.maintainer()
    return os.environ.get("DEBFULLNAME") or name, os.environ.get("DEBEMAIL") or address or NO_ADDRESS


def full_version(package: Package) -> str:
    """Debian's version: sendgate's, and the package's revision."""
    return f"{package.version}-{REVISION}"


def architecture() -> str:
    """Debian's name for this kind of machine."""
    return quiet(["dpkg", "--print-architecture"]).strip()


def kind(package: Package) -> str:
    """The name that the package's files in ``packaging`` begin with."""
    return "extension" if package.major else package.name


def _put(stage: Path, place: str, content: bytes, mode: int) -> None:
    path = stage / place.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
