"""The SQL contract: ``tests/regress/sql/*.sql`` against ``tests/regress/expected/*.out``."""

from .driver import Driver

REGRESS = Driver(kind="regress", program="regress/pg_regress", inputs="sql", suffix=".sql")
