"""RPMs in the layout of PGDG's PostgreSQL, written by rpmbuild: the same bytes from the same content."""

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from harness import apt
from harness.places import run_dir
from harness.progress import own_environment, quiet

from . import content
from .content import HOMEPAGE, PACKAGING, REVISION, File, Package

# Said by rpm for the machine that built it, unless told otherwise.
BUILD_HOST = "sendgate"
SETTINGS = {
    "_buildhost": BUILD_HOST,
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    # The files are stripped already, and are to stay as they are.
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
    "_build_id_links": "none",
    "_binary_payload": "w6.xzdio",
}


def ensure() -> None:
    """rpmbuild is here; as root it is installed, as another user the command is named."""
    if shutil.which("rpmbuild") is None:
        apt.install_packages(["rpm"], "there is no rpmbuild, which writes the RPMs")


def write(package: Package, directory: Path, epoch: int) -> Path:
    """Write the package into the directory; ``epoch`` is the time of all its files, in seconds since 1970."""
    with tempfile.TemporaryDirectory(dir=run_dir()) as name:
        top, stage = Path(name), Path(name, "stage")
        for file in package.files:
            path = stage / file.place.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            path.chmod(mode(package, file))
            os.utime(path, (epoch, epoch))
        (top / "package.spec").write_text(spec(package, stage))
        settings = {"_topdir": top, "_rpmdir": top / "out", "_dbpath": top / "db", **SETTINGS}
        defined = [part for key, value in settings.items() for part in ("--define", f"{key} {value}")]
        environment = own_environment({"SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"})
        quiet(["rpmbuild", "-bb", "--nodeps", *defined, top / "package.spec"], env=environment)
        (built,) = (top / "out").rglob("*.rpm")
        return Path(shutil.move(built, directory / built.name))


def spec(package: Package, stage: Path) -> str:
    """The description that rpmbuild reads."""
    text = (PACKAGING / "rpm" / f"{'extension' if package.major else package.name}.spec").read_text()
    values = {
        "STAGE": stage,
        "NAME": package.name,
        "VERSION": package.version,
        "RELEASE": REVISION,
        "SUMMARY": package.summary,
        "MAJOR": package.major,
        "PACKAGER": packager(),
        "URL": HOMEPAGE,
        "DESCRIPTION": package.description,
        "FILES": "\n".join(listed(package)),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def packager() -> str:
    """Who made the package, as META.json says."""
    name, address = content.maintainer()
    return f"{name} <{address or content.NO_ADDRESS}>"


def mode(package: Package, file: File) -> int:
    """A file's mode: rpmbuild asks only executable files which libraries they need."""
    return 0o755 if file.place in package.compiled else file.mode


def own_directories(package: Package) -> list[str]:
    """The directories of its pages: unlike dpkg, rpm removes only those that a package lists."""
    home = f"/usr/share/doc/{package.name}"
    found = {str(parent) for file in package.files for parent in PurePosixPath(file.place).parents}
    return sorted(place for place in found if place == home or place.startswith(f"{home}/"))


def listed(package: Package) -> list[str]:
    """The package's files as a spec lists them, with modes and owners."""
    lines = [f"%dir %attr(0755, root, root) {place}" for place in (*package.directories, *own_directories(package))]
    for file in package.files:
        group = "sendgated" if file.is_configuration else "root"
        mark = "%config(noreplace) " if file.is_configuration else ""
        mark = "%doc " if file.place.startswith("/usr/share/doc/") else mark
        lines.append(f"{mark}%attr({mode(package, file):04o}, root, {group}) {file.place}")
    return lines
