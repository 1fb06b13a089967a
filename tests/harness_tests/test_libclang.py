"""Which libclang bindgen is given, and what is said of one that it cannot load."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from harness import libclang, wheel
from harness.progress import HarnessError


def shared_library(path: Path, *functions: str) -> Path:
    """A library that can be loaded and has these functions."""
    source = "\n".join(f"int {name}(void) {{ return 0; }}" for name in functions)
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path]
    subprocess.run(command, input=source, text=True, check=True)
    return path


def test_libclang_cpp_is_not_libclang(tmp_path):
    shared_library(tmp_path / "libclang-cpp.so.14", "clang_createIndex")
    assert libclang.candidates(tmp_path) == []
    with pytest.raises(HarnessError, match=r"no libclang\.so is in it\.\nUnset LIBCLANG_PATH"):
        libclang.loadable(tmp_path)


def test_libclang_is_found_by_the_names_that_bindgen_knows(tmp_path):
    for name in ("libclang.so.1", "libclang-14.so.14.0.6", "libclang-9.so", "libclang.so", "libclang.a", "libLLVM.so"):
        (tmp_path / name).touch()
    found = [path.name for path in libclang.candidates(tmp_path)]
    assert found == ["libclang.so", "libclang-14.so.14.0.6", "libclang-9.so", "libclang.so.1"]


def test_a_loadable_libclang_is_taken_from_a_directory_and_as_a_file(tmp_path):
    library = shared_library(tmp_path / "libclang.so.1", "clang_createIndex")
    assert libclang.loadable(tmp_path) == library
    assert libclang.loadable(library) == library


def test_a_broken_libclang_gives_way_to_a_whole_one(tmp_path):
    (tmp_path / "libclang.so").write_text("not a library")
    whole = shared_library(tmp_path / "libclang-14.so", "clang_createIndex")
    assert libclang.loadable(tmp_path) == whole


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_text("not a library"), "libclang.so"),
        (lambda path: shared_library(path, "unrelated"), "is another library, without libclang's functions"),
    ],
)
def test_what_cannot_be_loaded_is_named(tmp_path, make, why):
    make(tmp_path / "libclang.so")
    with pytest.raises(HarnessError, match=why):
        libclang.loadable(tmp_path)


def test_a_missing_libclang_path_is_named(tmp_path):
    with pytest.raises(HarnessError, match="there is no such file or directory"):
        libclang.loadable(tmp_path / "nowhere")


def test_without_clangs_headers_the_c_compilers_are_added(tmp_path, monkeypatch):
    shared_library(tmp_path / "lib/libclang.so", "clang_createIndex")
    monkeypatch.setenv("LIBCLANG_PATH", str(tmp_path / "lib"))
    monkeypatch.setenv("BINDGEN_EXTRA_CLANG_ARGS", "-DMINE")
    own, added = libclang.environment()["BINDGEN_EXTRA_CLANG_ARGS"].split()
    assert own == "-DMINE"
    assert Path(added.removeprefix("-I"), "stddef.h").exists()


def test_with_clangs_headers_nothing_is_added(tmp_path, monkeypatch):
    shared_library(tmp_path / "lib/libclang.so", "clang_createIndex")
    headers = tmp_path / "lib/clang/14.0.6/include"
    headers.mkdir(parents=True)
    (headers / "stddef.h").touch()
    monkeypatch.setenv("LIBCLANG_PATH", str(tmp_path / "lib"))
    assert libclang.environment() == {}


def test_an_installed_libclang_is_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("LIBCLANG_PATH", raising=False)
    monkeypatch.setattr(libclang, "run_dir", lambda: tmp_path)
    monkeypatch.setattr(libclang, "locked", contextlib.nullcontext)
    shared_library(tmp_path / "wheel/clang/native/libclang.so", "clang_createIndex")
    monkeypatch.setattr(wheel, "unpacked", lambda source, target, progress: tmp_path / "wheel")
    variables = libclang.environment()
    assert variables["LIBCLANG_PATH"] == str(tmp_path / "wheel/clang/native")
