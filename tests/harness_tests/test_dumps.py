"""A dump that warns counts as failed, as one that ends badly does, or one that is empty."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import dumps
from harness.progress import HarnessError
from harness.regress import REGRESS


def cluster(directory: Path, said: str, warned: str = "", status: int = 0) -> SimpleNamespace:
    """A server whose pg_dump does this."""
    program = directory / "pg_dump"
    script = f"import sys; print({said!r}); sys.stderr.write({warned!r}); sys.exit({status})"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    install = SimpleNamespace(program=lambda name: directory / name, environment=dict)
    return SimpleNamespace(install=install, dsn=lambda database: f"dbname={database}")


def test_a_silent_dump_counts(tmp_path):
    assert dumps.of_the_tests(cluster(tmp_path, f"{dumps.SIGN}(id) FROM stdin;"), REGRESS) == (1, 0)


@pytest.mark.parametrize(
    ("said", "warned", "status", "why"),
    [
        (dumps.SIGN, "pg_dump: warning: unsupported pg_init_privs entry", 0, "unsupported pg_init_privs"),
        (dumps.SIGN, "", 1, "ended with status 1"),
        ("-- PostgreSQL database dump", "", 0, "does not carry the journal"),
    ],
)
def test_any_other_fails(tmp_path, said, warned, status, why):
    with pytest.raises(HarnessError, match=why):
        dumps.of_the_tests(cluster(tmp_path, said, warned, status), REGRESS)
