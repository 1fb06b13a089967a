"""The tooling behind ``make run`` and ``make test``, in the standard library alone.

Read the modules in this order:

- ``progress``   progress lines, running commands, the one error type
- ``places``     where private files live, and as whom servers run
- ``apt``        packages of the system, or the command that installs them
- ``wheel``      pinned wheels, fetched with pip and unpacked
- ``postgres``   a private PostgreSQL per major version
- ``debian``     what has to be installed first (PostgreSQL 15, libclang, a linker)
- ``build``      cargo, then the extension's files into an ``Install``
- ``cluster``    a throwaway server on its own port
- ``driver``, ``regress``, ``isolation``, ``e2e``, ``rust``   the kinds of tests
- ``venv``       psycopg for the e2e tests and the demo
- ``browser``    Chromium and axe-core, for the tests of the console
- ``run``        everything together: ``make test``
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        f"sendgate's tooling needs Python 3.11 or newer; {sys.executable} is "
        f"{sys.version.split()[0]}.\nRun make with a newer one: make PYTHON=python3.12 test"
    )
