"""A version before the one at hand that never was, and the script that leads from it to this one.

It differs in one thing of every kind that an upgrade can change. So the comparison is tested before the
first release, and later for what no real upgrade happened to need: with a step left out or done
otherwise, it has to find that.
"""

import functools
import re
from dataclasses import dataclass

from harness.build import default_version, install_script

from .releases import HEAD, Release

VERSION = "0.0.1"
# Columns of the version at hand that the earlier one did not have.
LATER_COLUMNS = {"admin_log": {"note", "operation_id"}}

# The version at hand, and then back: run at the end of its own install script.
_BACK = """
ALTER TABLE sendgate.admin_log DROP COLUMN note, DROP COLUMN operation_id;
ALTER TABLE sendgate.accounts ALTER COLUMN credit_reset_day SET DEFAULT 2;
ALTER TABLE sendgate.enrollments SET (fillfactor = 100);
ALTER TABLE sendgate.breaker_log DROP CONSTRAINT breaker_log_skip_check;
DROP INDEX sendgate.admin_log_account_idx;
DROP TRIGGER append_only_truncate ON sendgate.counter_drift;
DROP VIEW sendgate.delivered_daily;
CREATE VIEW sendgate.delivered_daily AS SELECT e.account_id FROM sendgate.linkedin_events e;
ALTER VIEW sendgate.delivered_daily OWNER TO sendgate_owner;
GRANT SELECT ON sendgate.delivered_daily TO sendgate_reader;
ALTER FUNCTION sendgate.next_credit_period(integer, timestamptz) STABLE;
DROP FUNCTION sendgate.acknowledge_alert(uuid, text);
CREATE FUNCTION sendgate.acknowledge_alert(alert_id uuid) RETURNS void
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_acknowledge_alert';
ALTER FUNCTION sendgate.acknowledge_alert(uuid) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.acknowledge_alert(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.acknowledge_alert(uuid) TO sendgate_operator;
DROP FUNCTION sendgate.clear_cooldown(text, text, text);
DROP FUNCTION sendgate.set_pace(text, interval, integer, boolean, text);
CREATE FUNCTION sendgate.set_pace(account_id text, minimum_gap interval) RETURNS void
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_pace';
ALTER FUNCTION sendgate.set_pace(text, interval) OWNER TO sendgate_owner;
REVOKE ALL ON FUNCTION sendgate.set_pace(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sendgate.set_pace(text, interval) TO sendgate_operator, sendgate_daemon;
ALTER DOMAIN sendgate.month_day DROP CONSTRAINT month_day_check;
ALTER DOMAIN sendgate.month_day ADD CONSTRAINT month_day_check CHECK (VALUE BETWEEN 1 AND 32);
COMMENT ON TABLE sendgate.alerts IS 'What it said before.';
REVOKE SELECT ON sendgate.counter_drift FROM sendgate_reader;
REVOKE sendgate_reader FROM sendgate_daemon;
UPDATE sendgate.tier_defaults SET daily_cap = daily_cap + 1 WHERE tier = 'recruiter';
DELETE FROM sendgate.error_rule_defaults WHERE rule_order = 1315;
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, outcome) VALUES (1999, 'old', 'transient');
"""
# As in sql/sendgate--0.2.0--0.3.0.sql: the function stays the object that it is.
_ARGUMENTS = """
UPDATE pg_catalog.pg_proc AS p
SET pronargs = l.pronargs, proargtypes = l.proargtypes, proargnames = l.proargnames,
    pronargdefaults = l.pronargdefaults, proargdefaults = l.proargdefaults
FROM pg_catalog.pg_proc l
WHERE l.pronamespace = 'sendgate'::pg_catalog.regnamespace AND p.pronamespace = l.pronamespace
  AND l.proname = 'longer_' || p.proname;
DROP FUNCTION sendgate.longer_set_pace(text, interval, integer, boolean, text);
"""
_REGISTRATION = "SELECT pg_catalog.pg_extension_config_dump('sendgate.paused_campaigns', '');\n"


@dataclass(frozen=True)
class Mutant:
    """An upgrade script with a mistake in one step, and what the comparison has to say about it."""

    step: str
    instead: str
    finds: str


def release(steps: dict[str, str] | None = None, data: str = "") -> Release:
    """The earlier version, and the way from it to this one in these steps."""
    script = _script()
    assert _REGISTRATION in script
    script = script.replace(_REGISTRATION, "") + _BACK
    delta = HEAD + "\n".join((steps or forward()).values())
    return Release(VERSION, script, data, {f"{VERSION}--{default_version()}": delta})


@functools.cache
def _script() -> str:
    return install_script()


def statement(beginning: str) -> str:
    """The statement of the install script that begins so."""
    found = re.findall(rf"^{re.escape(beginning)}.*?;$", _script(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{len(found)} statements begin with {beginning}"
    return found[0]


def forward() -> dict[str, str]:
    """The upgrade in steps."""
    defaults = re.search(r"^-- sql/70_\w+\.sql\n(.*?)^-- sql/", _script(), re.MULTILINE | re.DOTALL)
    view_comments = re.findall(
        r"^COMMENT ON (?:VIEW sendgate\.delivered_daily|COLUMN sendgate\.delivered_daily\.\w+) IS.*?';$",
        _script(), re.MULTILINE | re.DOTALL,
    )  # fmt: skip
    acknowledge = "sendgate.acknowledge_alert(uuid, text)"
    clear = "sendgate.clear_cooldown(text, text, text)"
    people = "sendgate_operator, sendgate_daemon"
    return {
        "columns": "ALTER TABLE sendgate.admin_log ADD COLUMN note text, ADD COLUMN operation_id uuid;",
        "column comments": statement("COMMENT ON COLUMN sendgate.admin_log.note IS")
        + statement("COMMENT ON COLUMN sendgate.admin_log.operation_id IS"),
        "column default": "ALTER TABLE sendgate.accounts ALTER COLUMN credit_reset_day SET DEFAULT 1;",
        "table option": "ALTER TABLE sendgate.enrollments SET (fillfactor = 85);",
        "constraint": "ALTER TABLE sendgate.breaker_log ADD CONSTRAINT breaker_log_skip_check"
        " CHECK (action <> 'skip' OR exhausted_at IS NOT NULL);",
        "constraint comment": statement("COMMENT ON CONSTRAINT breaker_log_skip_check ON sendgate.breaker_log IS"),
        "domain": "ALTER DOMAIN sendgate.month_day DROP CONSTRAINT month_day_check;"
        "ALTER DOMAIN sendgate.month_day ADD CONSTRAINT month_day_check CHECK (VALUE BETWEEN 1 AND 31);",
        "index": statement("CREATE INDEX admin_log_account_idx"),
        "index comment": statement("COMMENT ON INDEX sendgate.admin_log_account_idx IS"),
        "trigger": statement("CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.counter_drift"),
        "trigger always": "ALTER TABLE sendgate.counter_drift ENABLE ALWAYS TRIGGER append_only_truncate;",
        "old view": "DROP VIEW sendgate.delivered_daily;",
        "view": statement("CREATE VIEW sendgate.delivered_daily"),
        "view owner": "ALTER VIEW sendgate.delivered_daily OWNER TO sendgate_owner;",
        "view grant": "GRANT SELECT ON sendgate.delivered_daily TO sendgate_reader;",
        "view comments": "\n".join(view_comments),
        "volatility": "ALTER FUNCTION sendgate.next_credit_period(integer, timestamptz) IMMUTABLE;",
        "old function": "DROP FUNCTION sendgate.acknowledge_alert(uuid);",
        "functions": statement("CREATE FUNCTION sendgate.acknowledge_alert")
        + statement("CREATE FUNCTION sendgate.clear_cooldown"),
        "function owner": f"ALTER FUNCTION {acknowledge} OWNER TO sendgate_owner;"
        f"ALTER FUNCTION {clear} OWNER TO sendgate_owner;",
        "function public": f"REVOKE ALL ON FUNCTION {acknowledge}, {clear} FROM PUBLIC;",
        "function grant": f"GRANT EXECUTE ON FUNCTION {acknowledge}, {clear} TO {people};",
        "function comments": statement(f"COMMENT ON FUNCTION {acknowledge} IS")
        + statement(f"COMMENT ON FUNCTION {clear} IS"),
        "longer": statement("CREATE FUNCTION sendgate.set_pace(").replace(
            "sendgate.set_pace", "sendgate.longer_set_pace"
        ),
        "arguments": _ARGUMENTS,
        "longer comment": statement("COMMENT ON FUNCTION sendgate.set_pace("),
        "table comment": statement("COMMENT ON TABLE sendgate.alerts IS"),
        "table grant": "GRANT SELECT ON sendgate.counter_drift TO sendgate_reader;",
        "membership": "GRANT sendgate_reader TO sendgate_daemon;",
        "registration": _REGISTRATION,
        "defaults": "DELETE FROM sendgate.tier_defaults; DELETE FROM sendgate.error_rule_defaults;\n" + defaults[1],
    }


def mutants() -> list[Mutant]:
    """Every step forgotten, and some done in another way than the install script does them."""
    steps = forward()
    forgotten = {
        "columns": None,  # without them their comments fail by themselves
        "column comments": "missing: comment table column sendgate.admin_log.note",
        "column default": "other: column sendgate.accounts.credit_reset_day",
        "table option": "other: relation sendgate.enrollments",
        "constraint": None,
        "constraint comment": "missing: comment table constraint breaker_log_skip_check",
        "domain": "other: constraint sendgate.month_day.month_day_check",
        "index": None,
        "index comment": "missing: comment index sendgate.admin_log_account_idx",
        "trigger": None,
        "trigger always": "other: trigger sendgate.counter_drift.append_only_truncate",
        "old view": None,
        "view": None,
        "view owner": "other: owner relation sendgate.delivered_daily",
        "view grant": "other: grants relation sendgate.delivered_daily",
        "view comments": "missing: comment view sendgate.delivered_daily",
        "volatility": "other: function sendgate.next_credit_period(",
        "old function": "too many: function sendgate.acknowledge_alert(uuid)",
        "functions": None,
        "function owner": "other: owner function sendgate.acknowledge_alert(uuid,text)",
        "function public": "EXECUTE to PUBLIC",
        "function grant": "other: grants function sendgate.clear_cooldown(text,text,text)",
        "function comments": "missing: comment function sendgate.acknowledge_alert(",
        "longer": None,
        "arguments": None,  # without it the comment fails by itself
        "longer comment": "missing: comment function sendgate.set_pace(",
        "table comment": "other: comment table sendgate.alerts",
        "table grant": "other: grants relation sendgate.counter_drift",
        "membership": "other: role sendgate_daemon",
        "registration": "missing: dumped sendgate.paused_campaigns",
        "defaults": "shipped row sendgate.error_rule_defaults",
    }
    assert forgotten.keys() == steps.keys(), "a step without a mutant"
    add = "ALTER TABLE sendgate.admin_log ADD COLUMN"
    return [
        *(Mutant(step, "", finds) for step, finds in forgotten.items() if finds),
        Mutant("columns", f"{add} operation_id uuid; {add} note text;", "other: column sendgate.admin_log.note"),
        Mutant("columns", f"{add} note text; {add} operation_id text;", "other: column sendgate.admin_log.operation_id"),
        Mutant("columns", f"{add} note text COLLATE \"C\"; {add} operation_id uuid;", "other: column sendgate.admin_log.note"),
        Mutant("columns", f"{add} note text NOT NULL DEFAULT ''; {add} operation_id uuid;", "other: column sendgate.admin_log.note"),
        Mutant("constraint", steps["constraint"].replace("'skip'", "'set'"), "other: constraint sendgate.breaker_log.breaker_log_skip_check"),
        Mutant("constraint", steps["constraint"].replace(");", ") NOT VALID;"), "other: constraint sendgate.breaker_log.breaker_log_skip_check"),
        Mutant("index", steps["index"].replace("(account_id, at)", "(account_id)"), "other: index sendgate.admin_log_account_idx"),
        Mutant("index", steps["index"].replace("admin_log_account_idx", "other_idx") + "ALTER INDEX sendgate.other_idx RENAME TO admin_log_account_idx; CREATE INDEX one_more ON sendgate.alerts (day);", "too many: index sendgate.one_more"),
        Mutant("trigger", steps["trigger"].replace("TRUNCATE ON", "INSERT ON"), "other: trigger sendgate.counter_drift.append_only_truncate"),
        Mutant("view", steps["view"].replace("count(*)", "count(e.id)", 1), "other: rule sendgate.delivered_daily._RETURN"),
        Mutant("functions", steps["functions"].replace("note text", "note text DEFAULT NULL", 1), "other: function sendgate.acknowledge_alert"),
        Mutant("functions", steps["functions"].replace("SECURITY DEFINER\n", "", 1), "other: function sendgate.acknowledge_alert"),
        Mutant("functions", steps["functions"].replace("SET search_path = pg_catalog, pg_temp\n", "", 1), "other: function sendgate.acknowledge_alert"),
        Mutant("function grant", steps["function grant"] + "GRANT EXECUTE ON FUNCTION sendgate.clear_cooldown(text, text, text) TO sendgate_sender;", "other: grants function sendgate.clear_cooldown"),
        Mutant("longer", steps["longer"].replace("spread boolean DEFAULT", "spreads boolean DEFAULT"), "other: function sendgate.set_pace("),
        Mutant("longer", steps["longer"].replace("jitter_percent integer DEFAULT 0", "jitter_percent integer DEFAULT 1"), "other: function sendgate.set_pace("),
        Mutant("arguments", _ARGUMENTS.replace("proargdefaults = l.proargdefaults", "proacl = NULL").replace("pronargdefaults = l.pronargdefaults, ", ""), "other: grants function sendgate.set_pace("),
        Mutant("registration", "SELECT pg_catalog.pg_extension_config_dump('sendgate.paused_campaigns', 'WHERE true');", "other: dumped sendgate.paused_campaigns"),
        Mutant("registration", _REGISTRATION + "ALTER EXTENSION sendgate DROP FUNCTION sendgate.clear_cooldown(text, text, text);", "other: object function sendgate.clear_cooldown"),
        Mutant("membership", "GRANT sendgate_reader TO sendgate_daemon; GRANT sendgate_reader TO sendgate_sender;", "other: role sendgate_sender"),
    ]  # fmt: skip
