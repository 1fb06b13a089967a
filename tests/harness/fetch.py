"""What the demo has to fetch, side by side: the wait is then for the slowest download, not for their sum."""

import os
from concurrent.futures import ThreadPoolExecutor

from . import libclang, machine, postgres, venv
from .places import server_dir
from .progress import begin_lines_with, progress


def for_the_demo() -> None:
    """Fetch psycopg, and PostgreSQL and libclang unless others are named; what is there already costs nothing."""
    jobs = [venv.ensure]
    if not os.environ.get(libclang.VARIABLE):
        jobs.append(libclang.pinned)
    if not os.environ.get("PG_CONFIG"):
        server_dir()  # says, once, where it is
        jobs.append(lambda: postgres.embedded(progress))
    if not machine.pip_here():
        jobs[0]()  # root gets pip installed by the first one, while no other asks apt for it
    begin_lines_with("  ")  # several share the terminal: no line is rewritten
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            for done in [pool.submit(job) for job in jobs]:
                done.result()
    finally:
        begin_lines_with("")
