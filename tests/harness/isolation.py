"""The races, written out as permutations: ``tests/isolation/specs/*.spec`` and ``expected/``."""

from .driver import Driver

ISOLATION = Driver(kind="isolation", program="isolation/pg_isolation_regress", inputs="specs", suffix=".spec")
