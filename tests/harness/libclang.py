"""libclang, with which bindgen reads PostgreSQL's headers: the pinned wheel, or what ``LIBCLANG_PATH`` names.

An installed libclang is not looked for. Systems carry it in many versions and places, some without
its headers, and ``libclang-cpp``, which is another library, has nearly the same name.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from . import wheel
from .places import locked, run_dir
from .progress import HarnessError, progress, quiet

WHEEL = wheel.Wheel(
    "libclang",
    "18.1.1",
    {
        "x86_64": "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b",
        "aarch64": "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592",
    },
)
VARIABLE = "LIBCLANG_PATH"
# The names that bindgen looks for in a directory, which are clang-sys's for loading at run time.
NAMES = re.compile(r"libclang(-[^/]*)?\.so(\..+)?")
# A process of its own: a library that is no libclang may do anything while it is loaded.
LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).clang_createIndex"
LOAD_SECONDS_MAX = 20
REMEDY = (
    f"Unset {VARIABLE}: the right one is then fetched into .run/. Or let it name the directory\n"
    "of a libclang, such as /usr/lib/llvm-14/lib after: sudo apt-get install libclang-dev"
)


def environment() -> dict[str, str]:
    """The variables by which bindgen finds libclang and the C compiler's own headers."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        library, variables = loadable(Path(chosen)), {}
    else:
        library = pinned()
        variables = {VARIABLE: str(library.parent)}
    if not has_headers(library):
        # Such a libclang knows no stddef.h; the C compiler's own serves as well.
        headers = quiet(["cc", "-print-file-name=include"]).strip()
        arguments = [os.environ.get("BINDGEN_EXTRA_CLANG_ARGS", ""), shlex.quote(f"-I{headers}")]
        variables["BINDGEN_EXTRA_CLANG_ARGS"] = " ".join(filter(None, arguments))
    return variables


def pinned() -> Path:
    """The library out of the pinned wheel, which is fetched first if it is not there."""
    with locked("libclang"):
        root = wheel.unpacked(WHEEL, run_dir() / "libclang", progress)
    return next(root.glob("**/libclang.so"))


def loadable(chosen: Path) -> Path:
    """The library that bindgen will load for this ``LIBCLANG_PATH``, a directory or a file; an error if none."""
    said = "there is no such file or directory" if not chosen.exists() else "no libclang.so is in it"
    for library in candidates(chosen):
        said = _refusal(library)
        if said is None:
            return library
    raise HarnessError(f"{VARIABLE} is {chosen}, and bindgen cannot load that: {said}.\n{REMEDY}")


def candidates(chosen: Path) -> list[Path]:
    """The files that bindgen would take for libclang, the plain name first, then the newest."""
    if not chosen.is_dir():
        return [chosen] if chosen.exists() else []
    found = [path for path in chosen.iterdir() if NAMES.fullmatch(path.name) and "-cpp." not in path.name]
    return sorted(found, key=lambda path: (path.name == "libclang.so", _numbers(path.name)), reverse=True)


def has_headers(library: Path) -> bool:
    """Whether clang's own headers lie where this library looks for them: beside it, links not followed."""
    return any(library.parent.glob("clang/*/include/stddef.h"))


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _refusal(library: Path) -> str | None:
    """Why the library is no libclang that can be loaded, in one line; None if it is one."""
    command = [sys.executable, "-c", LOAD, str(library)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return f"{library} could not be loaded within {LOAD_SECONDS_MAX} s"
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    if "clang_createIndex" in last:
        return f"{library} is another library, without libclang's functions"
    return re.sub(r"^OSError: ", "", last)
