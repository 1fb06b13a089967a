"""The stages that need cargo and no server: formatting, lints, unit tests."""

import re

from .build import cargo_environment, target_dir
from .places import REPO
from .postgres import Install
from .progress import REASON_CHARS, CommandFailed, note_failure, own_environment, progress, watched

# Of the property tests, through proptest.
SEED = "20260524"
# Crates whose tests run without PostgreSQL. A pgrx crate's tests cannot: it links to the server.
TESTED = ["sendgate-decision", "sendgated"]
# Of `make check`: what `make test` builds for them needs PostgreSQL's headers in the same run.
CHECK_TARGET = REPO / "target" / "check"


def formatting(install: Install) -> tuple[int, int]:
    """``cargo fmt --check``; like lints, it adds nothing to the count unless it fails."""
    command = ["cargo", "fmt", "--all", "--check"]
    watched(command, "cargo fmt --check", env=cargo_environment(install), cwd=REPO)
    return 0, 0


def lints(install: Install) -> tuple[int, int]:
    """Clippy over everything, with warnings as errors.

    In the release profile, because the build after it then finds pgrx's bindings made already.
    """
    features = f"sendgate/pg{install.major}"
    command = ["cargo", "clippy", "--workspace", "--all-targets", "--release"]
    command += ["--features", features, "--target-dir", target_dir(install)]
    command += ["--", "--deny", "warnings"]
    watched(command, "cargo clippy", env=cargo_environment(install), cwd=REPO)
    return 0, 0


def unit_tests(install: Install) -> tuple[int, int]:
    """The tests of the crates that know nothing of PostgreSQL: (passed, failed)."""
    packages = [word for crate in TESTED for word in ("-p", crate)]
    command = ["cargo", "test", *packages, "--no-fail-fast", "--target-dir", target_dir(install)]
    try:
        output = watched(
            # The same cases every time: what fails is the change at hand. Set another seed to search.
            command,
            "cargo test",
            env={"PROPTEST_RNG_SEED": SEED} | cargo_environment(install),
            cwd=REPO,
        )
    except CommandFailed as error:
        passed, failed = counts(error.output)
        progress(str(error))
        names = re.findall(r"^test (\S+) \.\.\. FAILED", error.output, re.MULTILINE)
        note_failure("rust tests", ", ".join(names) or str(error)[-REASON_CHARS:])
        return passed, max(failed, 1)
    return counts(output)


def quick_formatting() -> tuple[int, int]:
    """``cargo fmt --check``, without PostgreSQL."""
    watched(["cargo", "fmt", "--all", "--check"], "cargo fmt --check", env=_environment(), cwd=REPO)
    return 0, 0


def quick_lints() -> tuple[int, int]:
    """Clippy over the crates that know nothing of PostgreSQL's headers."""
    packages = [word for crate in TESTED for word in ("-p", crate)]
    command = ["cargo", "clippy", *packages, "--all-targets", "--target-dir", CHECK_TARGET, "--", "--deny", "warnings"]
    watched(command, "cargo clippy", env=_environment(), cwd=REPO)
    return 0, 0


def decision_tests() -> tuple[int, int]:
    """The tests of the decision crate: (passed, failed)."""
    command = ["cargo", "test", "-p", TESTED[0], "--no-fail-fast", "--target-dir", CHECK_TARGET]
    output = watched(command, "cargo test", env={"PROPTEST_RNG_SEED": SEED} | _environment(), cwd=REPO)
    return counts(output)


# Of ``make check``, by the names of their stages.
CHECKS = {"fmt": quick_formatting, "clippy": quick_lints, "decision tests": decision_tests}


def _environment() -> dict[str, str]:
    return own_environment()


def counts(output: str) -> tuple[int, int]:
    """Sum the lines ``test result: ok. 12 passed; 0 failed; …``."""
    found = re.findall(r"test result: \S+ (\d+) passed; (\d+) failed", output)
    return sum(int(p) for p, _ in found), sum(int(f) for _, f in found)
