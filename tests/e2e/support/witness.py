"""Another extension with a planner hook, built from ``witness.c``: it counts the plannings of a session."""

import subprocess
from pathlib import Path

from harness.places import locked, server_dir

SOURCE = Path(__file__).with_suffix(".c")


def built(install) -> Path:
    """The library, for LOAD and ``shared_preload_libraries``."""
    library = server_dir() / f"witness-pg{install.major}.so"
    with locked(f"witness-pg{install.major}"):
        if not library.exists() or library.stat().st_mtime < SOURCE.stat().st_mtime:
            said = subprocess.run(
                [install.pg_config, "--includedir-server"],
                env=install.environment(),
                check=True,
                capture_output=True,
                text=True,
            )
            include = f"-I{said.stdout.strip()}"
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", include, "-o", library, SOURCE], check=True)
    return library


def watched(env, connection):
    """Load it into a session; a function that says how many statements that session has planned."""
    library = built(env.install)
    connection.execute(
        f"CREATE OR REPLACE FUNCTION public.witness_plannings() RETURNS bigint LANGUAGE c AS '{library}'"
    )
    connection.execute(f"LOAD '{library}'")
    return lambda: connection.execute("SELECT public.witness_plannings()").fetchone()[0]
