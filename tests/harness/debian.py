"""What has to be there before a build: a linker, cargo, libclang, and PostgreSQL 15 for the tests.

As root, missing packages are installed with apt-get. As another user, libclang comes from a wheel
and PostgreSQL 15 is unpacked from its packages into ``.run``, without installing anything. Packages
that would start a service, or write into the system's PostgreSQL, are only ever unpacked.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from . import libclang, machine, wheel
from .apt import install_packages
from .places import locked, server_dir
from .progress import HarnessError, progress, quiet, watched

CREATECLUSTER = Path("/etc/postgresql-common/createcluster.conf")
# The release that lends what Debian 12 has in no, or too old, a version.
NEWER_RELEASE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def toolchain() -> dict[str, str]:
    """Check for cargo and a linker, find libclang; the environment variables for cargo."""
    compilers()
    return libclang.environment()


def compilers() -> None:
    """Check for cargo, and for a C compiler that links; as root, install the latter."""
    if shutil.which("cargo") is None:
        raise HarnessError(
            "cargo is not in PATH. Install Rust from https://rustup.rs and open a new shell;\n"
            "rustup then picks the right version from rust-toolchain.toml by itself."
        )
    if machine.c_compiler().notes:  # what root gets installed; problems end in the linker's own words
        install_packages(machine.C_PACKAGES, "there is no C compiler (cc) that builds a program")
    elif shutil.which("cc") is None:
        raise HarnessError(machine.told(machine.c_compiler()))


def postgresql(major: int, installs: bool = True) -> tuple[Path, Path | None]:
    """The ``pg_config`` of Debian's PostgreSQL, which is fetched first if it is not installed. Root installs it
    unless told not to.

    With it, for one that was only unpacked, the directory of the libraries that came along.
    """
    packages = [f"postgresql-{major}", f"postgresql-server-dev-{major}"]
    if not is_installed(major):
        if os.geteuid() != 0 or not installs:
            return _unpacked(major, packages)
        with _no_cluster():
            install_packages(packages, f"PostgreSQL {major} is not installed")
    return _home(major) / "bin/pg_config", None


def is_installed(major: int) -> bool:
    """Whether Debian's PostgreSQL of this version is there, with headers and test drivers."""
    needed = [
        _home(major) / "bin/postgres",
        _home(major) / "lib/pgxs/src/test/regress/pg_regress",
        Path(f"/usr/include/postgresql/{major}/server/postgres.h"),
    ]
    return all(path.exists() for path in needed)


def pg_cron(install) -> None:
    """Put Debian's pg_cron for this version into a private copy of PostgreSQL."""
    _into_copy(install, unpacked(f"postgresql-{install.major}-cron"), "pg_cron")


def pg_repack(install) -> Path:
    """The same with pg_repack; its program."""
    root = unpacked(f"postgresql-{install.major}-repack")
    _into_copy(install, root, "pg_repack")
    return root / f"usr/lib/postgresql/{install.major}/bin/pg_repack"


def plproxy(install) -> None:
    """The same with PL/Proxy."""
    _into_copy(install, unpacked(f"postgresql-{install.major}-plproxy"), "plproxy")


def _into_copy(install, root: Path, extension: str) -> None:
    """Copy an extension's library and scripts out of an unpacked package."""
    if not install.pkglibdir.resolve().is_relative_to(server_dir().resolve()):
        raise HarnessError(f"{install.pkglibdir} is not a private copy: {extension} is not put there.")
    library = root / f"usr/lib/postgresql/{install.major}/lib/{extension}.so"
    scripts = root / f"usr/share/postgresql/{install.major}/extension"
    for file in (library, *scripts.glob(f"{extension}*")):
        place = install.pkglibdir if file == library else install.sharedir / "extension"
        # Beside its place and renamed: another run's server may have it loaded.
        fresh = place / f".{file.name}.{os.getpid()}"
        shutil.copyfile(file, fresh)
        fresh.replace(place / file.name)


def prometheus() -> Path:
    """The directory with Prometheus' programs; its package would start a server."""
    return unpacked("prometheus") / "usr/bin"


def systemd_analyze() -> tuple[Path, dict[str, str]]:
    """The checker of units, and the environment in which it finds its libraries and units."""
    if found := shutil.which("systemd-analyze"):
        return Path(found), {}
    root = unpacked("systemd", lacking=True)
    libraries = root / "usr/lib" / _multiarch()
    return root / "usr/bin/systemd-analyze", {
        "LD_LIBRARY_PATH": f"{libraries}:{libraries}/systemd:{root / 'lib' / _multiarch()}",
        "SYSTEMD_UNIT_PATH": f"{root / 'lib/systemd/system'}:",
    }


def unpacked(package: str, lacking: bool = False, also: tuple[str, ...] = (), source: str | None = None) -> Path:
    """One of Debian's packages, unpacked below ``.run``: nothing is installed, no service starts.

    With ``lacking`` also the packages that it needs and that this system does not have; with
    ``also`` the named ones; from the system's own sources, or from the ``source`` given as a line
    of apt's ``sources.list``.
    """
    target, stamp = server_dir() / f"debian-{package}", " ".join((package, *also))
    with locked(target.name):
        if not wheel.is_stamped(target, stamp):
            progress(f"unpacking Debian's {package} (once)")
            try:
                with wheel.building(target, stamp) as work:
                    _download_and_unpack(
                        work,
                        lambda apt: [package, *also, *(_lacking(apt, package) if lacking else [])],
                        source,
                    )
            except HarnessError as error:
                raise HarnessError(
                    f"{error}\n{package}, which the tests use, could not be fetched from Debian. "
                    "Check the network and /etc/apt/sources.list."
                ) from error
    return target


def newer_source() -> str | None:
    """`NEWER_RELEASE` in the archive that this Debian itself installs from, as apt writes it; None elsewhere."""
    # Only Debian and what is made from it has them, and with them the file that names the release.
    if shutil.which("apt-get") is None or not Path(KEYRING).exists():
        return None
    release = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    if not release:
        return None
    targets = ["Created-By: Packages", f"Release: {release[1]}", "Component: main"]
    archives = quiet(["apt-get", "indextargets", "--format", "$(REPO_URI)", *targets]).split()
    if not archives:
        return None
    # Others may call a release of theirs like Debian's.
    archive = next((one for one in archives if one.rstrip("/").endswith("/debian")), archives[0])
    return f"deb [signed-by={KEYRING}] {archive} {NEWER_RELEASE} main"


def _home(major: int) -> Path:
    return Path(f"/usr/lib/postgresql/{major}")


@contextlib.contextmanager
def _no_cluster():
    """Keep Debian's packages from creating and starting a server of their own."""
    if not CREATECLUSTER.exists():
        install_packages(["postgresql-common"], "PostgreSQL's common files are not installed")
    before = CREATECLUSTER.read_text()
    CREATECLUSTER.write_text(before + "\ncreate_main_cluster = false\n")
    try:
        yield
    finally:
        CREATECLUSTER.write_text(before)


def _unpacked(major: int, packages: list[str]) -> tuple[Path, Path]:
    """PostgreSQL out of Debian's packages, unpacked below ``.run``: needs no root."""
    target = server_dir() / f"debian{major}"
    with locked(f"debian{major}"):
        if not wheel.is_stamped(target, " ".join(packages)):
            progress(f"PostgreSQL {major} is not installed: unpacking its packages (once)")
            try:
                with wheel.building(target, " ".join(packages)) as work:
                    _download_and_unpack(work, lambda apt: _server_packages(apt, packages))
            except HarnessError as error:
                raise HarnessError(
                    f"{error}\nPostgreSQL {major} is not installed, and its packages could not be "
                    "unpacked privately.\nInstall them:\n    sudo apt-get install "
                    f"--no-install-recommends {' '.join(packages)}\n"
                    "or test only the version that needs no installation: make test PG=18"
                ) from error
    pg_config = target / f"usr/lib/postgresql/{major}/bin/pg_config"
    return pg_config, target / "usr/lib" / _multiarch()


def _server_packages(apt: list, packages: list[str]) -> list[str]:
    """A server, its headers, and what this system lacks for them."""
    server, headers = packages
    # psql and pg_config may be installed, but a private copy needs its own.
    client = server.replace("postgresql-", "postgresql-client-")
    return [*_lacking(apt, server), server, client, headers]


def _lacking(apt: list, package: str) -> list[str]:
    """The packages that installing this one would bring along."""
    plan = [*apt, "--simulate", "--no-install-recommends", "install", package]
    return re.findall(r"^Inst (\S+)", quiet(plan), re.MULTILINE)


def _download_and_unpack(work: Path, wanted: Callable[[list], list[str]], source: str | None = None) -> None:
    """Fetch the packages that ``wanted`` names when it is given the apt command, and unpack them."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise HarnessError(f"{program} is not in PATH.")
    # Lists and cache of its own: the system's may be empty, and belong to root.
    state, cache = work / "apt/state", work / "apt/cache"
    (state / "lists/partial").mkdir(parents=True)
    (cache / "archives/partial").mkdir(parents=True)
    apt = ["apt-get", "-o", f"Dir::State::lists={state / 'lists'}", "-o", f"Dir::Cache={cache}"]
    if source is not None:
        (work / "apt/sources.list").write_text(f"{source}\n")
        apt += ["-o", f"Dir::Etc::sourcelist={work}/apt/sources.list", "-o", "Dir::Etc::sourceparts=-"]
    watched([*apt, "update"], "refreshing private package lists")
    packages = sorted(set(wanted(apt)))
    watched([*apt, "download", *packages], f"downloading {len(packages)} packages", cwd=work)
    for package in work.glob("*.deb"):
        quiet(["dpkg-deb", "--extract", package, work])
        package.unlink()
    shutil.rmtree(work / "apt")


def _multiarch() -> str:
    """The system's library directory, such as ``x86_64-linux-gnu``."""
    return quiet(["cc", "-print-multiarch"]).strip()
