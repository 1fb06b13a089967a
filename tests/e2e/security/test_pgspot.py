"""pgspot finds no hole in the scripts that a superuser runs, but for what is listed here with its reason."""

import re
import subprocess
import tempfile

from e2e.security.test_privileges import AUDITED
from e2e.support import equal
from harness import venv
from harness.build import EXTENSION, install_script
from upgrade import earlier

NEWEST_ONLY = True

# PS003, SECURITY DEFINER without a search_path of its own: the hot path, where a SET clause costs more
# than the gate itself. These are C functions whose statements name every object and operator with its
# schema; test_hostile.py attacks each of them.
ACCEPTED = {f"PS003 {name}" for name in AUDITED}
# PS005, a function without one: it commits between batches, which PostgreSQL forbids to a procedure with
# a SET clause. It runs with its caller's rights, and names every object and operator too.
ACCEPTED |= {"PS005 tick"}


def test_the_install_script(env):
    equal(findings(install_script()), ACCEPTED, "findings of pgspot in the install script")


def test_the_upgrade_scripts(env):
    """Each behind the install script, so that pgspot knows whose schema it is."""
    scripts = {file.name: file.read_text() for file in (env.repo / "sql").glob(f"{EXTENSION}--*--*.sql")}
    scripts["the one that is tried"] = next(iter(earlier.release().deltas.values()))
    for name, script in scripts.items():
        equal(findings(f"{install_script()}\n{script}") - ACCEPTED, set(), f"findings of pgspot in {name}")


def test_holes_are_found(env):
    """Faults that pgspot has to find, each put behind the install script."""
    definer = "LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
    for hole, finding in (
        (f"CREATE FUNCTION sendgate.mine() RETURNS int {definer}", "PS003 mine"),
        (f"CREATE OR REPLACE FUNCTION public.mine() RETURNS int {definer} SET search_path = pg_catalog, pg_temp", "PS002"),
        ("CREATE TABLE IF NOT EXISTS public.mine (x int)", "PS012"),
        ("CREATE SCHEMA IF NOT EXISTS mine", "PS010 mine"),
        ("SET search_path = public; SELECT count(*) FROM sendgate.accounts", "PS016"),
    ):  # fmt: skip
        found = findings(f"{install_script()}\n{hole};\n") - ACCEPTED
        assert any(line.startswith(finding) for line in found), f"{hole}: {found}"


def findings(script: str) -> set[str]:
    """Code and function of everything that pgspot says about a script."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run([*venv.pgspot(), file.name], capture_output=True, text=True)
    assert "Errors:" in done.stdout, done.stdout + done.stderr
    said = re.findall(r"^(PS\d+): ([^:]+: (?:\w+\.)?(\w+).*)$", done.stdout, re.MULTILINE)
    assert len(said) == len(re.findall(r"^PS", done.stdout, re.MULTILINE)), done.stdout
    return {f"{code} {name}" for code, _, name in said}
