"""What is shown of a build that failed: the first error, and where the whole log is."""

from harness import failures

RUSTC = """\
   Compiling sendgate-decision v0.2.0 (/src/extension/decision)
warning: unused variable: `x`
 --> extension/decision/src/lib.rs:3:9

error[E0308]: mismatched types
  --> extension/src/lib.rs:10:5
   |
10 |     "text"
   |     ^^^^^^ expected `i32`, found `&str`

error[E0425]: cannot find value `y` in this scope
 --> extension/src/lib.rs:12:5

error: could not compile `sendgate` (lib) due to 2 previous errors
"""
BUILD_SCRIPT = """\
   Compiling pgrx-pg-sys v0.18.1
error: failed to run custom build command for `pgrx-pg-sys v0.18.1`

Caused by:
  process didn't exit successfully: `/src/target/build/pgrx-pg-sys/build-script-build` (exit status: 101)
  --- stdout
  cargo:rerun-if-env-changed=LIBCLANG_PATH

  --- stderr

  thread 'main' (42) panicked at /registry/bindgen-0.72.1/lib.rs:616:27:
  Unable to find libclang: "couldn't find any valid shared libraries matching: ['libclang.so']"
  stack backtrace:
     0:     0x55d0c1a2b3c4 - std::backtrace_rs::backtrace::libunwind::trace
warning: build failed, waiting for other jobs to finish...
"""
DOWNLOAD = """\
    Updating crates.io index
error: failed to get `pgrx` as a dependency of package `sendgate v0.2.0`

Caused by:
  failed to load source for dependency `pgrx`

Caused by:
  Could not resolve host
"""
LINKER = """\
error: linking with `cc` failed: exit status: 1
  |
  = note: /usr/bin/ld: cannot find Scrt1.o: No such file or directory
          collect2: error: ld returned 1 exit status

error: could not compile `proc-macro2` (build script) due to 1 previous error
"""
SPOKEN = """\
error: failed to run custom build command for `pgrx-pg-sys v0.18.1`

Caused by:
  process didn't exit successfully: `build-script-build` (exit status: 1)
  --- stderr
  Error: PostgreSQL 14 is not supported
"""


def test_the_compilers_first_error_is_shown():
    said = failures.first_error(RUSTC)
    assert said.startswith("error[E0308]: mismatched types") and said.endswith("expected `i32`, found `&str`")


def test_a_build_scripts_panic_is_shown_without_its_backtrace():
    assert failures.first_error(BUILD_SCRIPT) == (
        "the build script of pgrx-pg-sys v0.18.1 failed:\n"
        "Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so']\""
    )


def test_a_build_script_that_ends_by_itself_is_quoted():
    assert failures.first_error(SPOKEN).splitlines()[-1] == "Error: PostgreSQL 14 is not supported"


def test_causes_belong_to_cargos_own_errors():
    assert failures.first_error(DOWNLOAD).endswith("Could not resolve host")


def test_the_linkers_words_are_shown():
    assert "cannot find Scrt1.o" in failures.first_error(LINKER)


def test_output_without_an_error_has_none():
    assert failures.first_error("   Compiling a v1.0.0\nKilled\n") is None


def test_the_whole_log_is_kept_and_named(monkeypatch, tmp_path):
    monkeypatch.setattr(failures, "run_dir", lambda: tmp_path)
    failure = failures.CommandFailed(["cargo", "build"], 101, BUILD_SCRIPT)
    said = str(failures.explained(failure, "building sendgate", "build-pg18"))
    log = tmp_path / "logs/build-pg18.log"
    assert log.read_text() == BUILD_SCRIPT
    assert said.startswith("building sendgate failed. The first error:\n    the build script of pgrx-pg-sys")
    assert said.endswith(f"The whole log: {log}")
    assert "backtrace" not in said
