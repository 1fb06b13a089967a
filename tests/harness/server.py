"""A throwaway server for tests: with the settings that they want, and a log that is read at the end."""

import re
import shutil

from .build import EXTENSION
from .cluster import LOG, Cluster
from .places import REPO, RESULTS
from .postgres import Install
from .progress import HarnessError, progress

# The library must work without preloading, so shared_preload_libraries stays empty here.
CONF = {
    "fsync": "off",  # the machine does not crash in a test, only the server
    "max_prepared_transactions": "0",
    "sendgate.test_clock": "on",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%d ",
}
# Databases are copied from this one, which is faster than creating the extension in each.
TEMPLATE = f"{EXTENSION}_template"
# SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS; and what PostgreSQL gives up with.
CRASHES = re.compile(r"^.*(?:was terminated by signal (?:4|5|6|7|8|11|31)\b|PANIC:|TRAP:).*$", re.MULTILINE)


class Server:
    """A cluster of one job or of one worker; ``name`` is the directory of its results."""

    def __init__(self, install: Install, name: str, **settings: str):
        self.name = name
        # Each test makes a database and drops it: the journal of a disk costs more than the copy.
        self.cluster = Cluster(install, conf=CONF | settings, in_memory=True)
        # How much of the log was searched for crashes already, in bytes.
        self._searched = 0

    def start(self) -> None:
        """Create and start the cluster."""
        self.cluster.create()
        self.cluster.start()
        progress(f"  PostgreSQL {self.cluster.install.version} on {self.cluster.host}:{self.cluster.port}")

    def make_template(self) -> None:
        """The database with the extension in it that those of tests are copied from."""
        self.cluster.fresh_database(TEMPLATE, EXTENSION)

    def check_log(self) -> None:
        """No test may pass over a server process that crashed by itself; being killed is another thing."""
        fresh = self.cluster.log_from(self._searched)
        self._searched += len(fresh)
        if found := CRASHES.findall(fresh.decode(errors="replace")):
            raise HarnessError("a process of the server crashed:\n" + "\n".join(found))

    def end(self) -> None:
        """Keep the log beside the other results, and remove the server."""
        log = self.cluster.datadir / LOG
        if log.exists():
            into = RESULTS / self.name / LOG
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, into)
            progress(f"  server log: {into.relative_to(REPO)}")
        self.cluster.destroy()
