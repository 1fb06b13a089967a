"""The gate and what is done by hand, call by call in instructions: noise of the machine does not change them.

Both are called by the same login, in a backend of its own. The writes by hand are counted twice, the second time with the
triggers of the gate's tables on their tables: such a trigger fires on none of their columns, but PostgreSQL asks it.
Every count has the same on top: such a backend reads EXECUTE as a text and prints the answer, column by column.
"""

from harness.progress import progress

from . import contenders, instructions
from .server import Server

# A call, and what it is measured against.
PAIRS = (
    ("reserve", "two writes by hand"),
    ("preview", "primary-key SELECT"),
    ("breaker_check, closed", "primary-key SELECT"),
)
WITH_TRIGGERS = "two writes by hand, with the triggers"
TRIGGERS = """
DO $$
DECLARE
    declared text;
BEGIN
    FOR declared IN
        SELECT replace(pg_get_triggerdef(t.oid), ' ON sendgate.', ' ON byhand.') FROM pg_trigger t
        WHERE NOT t.tgisinternal AND t.tgrelid IN ('sendgate.accounts'::regclass, 'sendgate.send_operations'::regclass)
    LOOP
        EXECUTE declared;
    END LOOP;
END $$;
"""
UNDONE = """
DO $$
DECLARE
    undone text;
BEGIN
    FOR undone IN
        SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'byhand'::regnamespace AND NOT t.tgisinternal
    LOOP
        EXECUTE undone;
    END LOOP;
END $$;
"""


def measure(server: Server) -> dict[str, float]:
    """Instructions of one call, by its name. The server is stopped meanwhile."""
    names = dict.fromkeys(name for pair in PAIRS for name in pair)
    server.cluster.stop()
    found = {name: counted(server, name) for name in names}
    server.cluster.start()
    server.psql(TRIGGERS)
    server.cluster.stop()
    found[WITH_TRIGGERS] = counted(server, "two writes by hand")
    server.cluster.start()
    server.psql(UNDONE)
    return found


def counted(server: Server, name: str) -> float:
    """Of one call of the application's login."""
    progress(f"  instructions: {name}")
    return instructions.per_call(server.cluster, name, login=contenders.APPLICATION)
