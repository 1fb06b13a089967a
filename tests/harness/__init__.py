"""The tooling behind ``make run`` and ``make test``, in the standard library alone.

Read the modules in this order:

- ``progress``   progress lines, running commands, the one error type
- ``places``     where private files live, and as whom servers run
- ``apt``        packages of the system, or the command that installs them
- ``machine``, ``preflight``   what is missing, all at once, before anything is fetched or built
- ``wheel``      pinned wheels, fetched with pip and unpacked
- ``postgres``   a private PostgreSQL per major version
- ``debian``     what has to be installed first (PostgreSQL 15, a linker)
- ``libclang``   with which bindgen reads PostgreSQL's headers
- ``fetch``      the demo's downloads, side by side
- ``failures``   what cargo's output says when a build failed
- ``build``      cargo, then the extension's files into an ``Install``
- ``cluster``, ``datadirs``   a throwaway server on its own port, and its files
- ``server``     a cluster with the settings that tests want, and a log that is searched for crashes
- ``driver``, ``regress``, ``isolation``   PostgreSQL's own test drivers
- ``env``        what a Python test is given; ``tests/conftest.py`` hands it out
- ``listing``, ``pytests``   which Python tests there are, and the pytest that runs them
- ``rust``, ``python``   formatting, lints and tests that need no server
- ``venv``       psycopg for the demo, and with pytest and ruff for the tests
- ``browser``    Chromium and axe-core, for the tests of the console
- ``run``        everything together: ``make test``
"""

import sys

if sys.version_info < (3, 7):
    sys.exit("error: Python 3.11 or newer is needed; %s is older.\n      make PYTHON=python3.12 …" % sys.executable)
if sys.version_info < (3, 11):
    from . import machine

    sys.exit("error: " + machine.told(machine.everything()))
