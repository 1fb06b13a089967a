"""What users made around an earlier release works on after the upgrade, and is dumped as before."""

from e2e.install.test_upgrade import UPDATE, connect
from e2e.support import equal, run_program
from harness.cluster import Cluster
from upgrade import catalog, releases

# Grants of a DBA's own, one more that was taken away, and objects that depend on what the upgrade changes.
AROUND = """
CREATE ROLE upgrade_dba LOGIN;
GRANT USAGE ON SCHEMA sendgate TO upgrade_dba;
GRANT EXECUTE ON FUNCTION sendgate.clear_cooldown(text, text) TO upgrade_dba WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION sendgate.set_error_rule(integer, text, text, text, text, text) TO upgrade_dba;
GRANT EXECUTE ON FUNCTION sendgate.enqueue(text, text, text, text, timestamptz, boolean) TO upgrade_dba WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION sendgate.dispatch(integer, text, text, uuid) TO upgrade_dba;
GRANT SELECT ON sendgate.counters, sendgate.linkedin_accounts TO upgrade_dba;
REVOKE EXECUTE ON FUNCTION sendgate.clear_cooldown(text, text) FROM sendgate_operator;
CREATE VIEW public.weeks AS SELECT id, inmails_sent_this_week, counters_day, counters_week FROM sendgate.linkedin_accounts;
CREATE VIEW public.rules AS SELECT * FROM sendgate.error_rules;
CREATE FUNCTION public.clear_all(note text) RETURNS void LANGUAGE sql
BEGIN ATOMIC SELECT sendgate.clear_cooldown(a.id, clear_all.note) FROM sendgate.linkedin_accounts a; END;
CREATE FUNCTION public.put_in(prospect text) RETURNS boolean LANGUAGE sql
BEGIN ATOMIC SELECT sendgate.enqueue('campaign', put_in.prospect, 'mine', 'message'); END;
CREATE FUNCTION public.hand_out() RETURNS SETOF text LANGUAGE sql
BEGIN ATOMIC SELECT d.prospect_id FROM sendgate.dispatch(10, 'message') d; END;
CREATE VIEW public.handed AS SELECT * FROM sendgate.dispatch(10, 'invite');
INSERT INTO sendgate.error_rule_overrides (rule_order, outcome, http_status) VALUES (3, 'transient', '4xx');
INSERT INTO sendgate.accounts (id, tier, day, week, cooldown_until)
VALUES ('mine', 'recruiter', '2026-05-20', '2026-05-18', 'infinity');
"""
# Who may call each function that got more arguments: the old names before, the new ones after.
CALLERS = """
SELECT p.proname, x.grantee::regrole::text, x.is_grantable
FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) x
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.proname IN ('clear_cooldown', 'dispatch', 'enqueue', 'set_error_rule')
ORDER BY 1, 2"""


def test_what_users_made_works_on(env):
    fresh = catalog.facts(env.connect())
    for old in releases.released():
        with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
            with releases.placed(env.install, old):
                server.psql(f"CREATE EXTENSION sendgate VERSION '{old.version}'")
                server.psql(AROUND)
                connection = connect(env, server, "postgres")
                before = connection.execute(CALLERS).fetchall()
                connection.execute(UPDATE)
            equal(connection.execute(CALLERS).fetchall(), before, f"who may call, after the upgrade of {old.version}")
            for name in ("clear_cooldown", "enqueue"):
                assert (name, "upgrade_dba", True) in before, before
            # To a DBA's grants the initial ones, by which pg_dump tells them, have no likeness.
            found = catalog.facts(connection)
            told = catalog.differences(of("initial grants", found), of("initial grants", fresh))
            equal(told, [], f"initial grants after the upgrade of {old.version}")
            works_on(server, f"after the upgrade of {old.version}")
            dump = run_program(env, "pg_dump", "--dbname", server.dsn())
            server.psql("CREATE DATABASE restored")
            run_program(env, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.dsn("restored"), input=dump)
            restored = connect(env, server, "restored")
            told = catalog.differences(catalog.facts(restored), found)
            equal(told, [], f"catalog of a dump after the upgrade of {old.version}")


def works_on(server: Cluster, when: str) -> None:
    """The role that got its grants from a DBA, and the objects that name the extension's."""
    server.psql("SELECT sendgate.set_error_rule(4, 'rejected', http_status => '404')", user="upgrade_dba")
    server.psql("SELECT sendgate.clear_cooldown('mine', 'by the role')", user="upgrade_dba")
    shown = "SELECT inmails_sent_this_week IS NULL, counters_day - counters_week FROM public.weeks"
    equal(server.psql(shown), "t|6", f"a view of users' {when}")
    equal(server.psql("SELECT count(*) FROM public.rules WHERE NOT shipped"), "2", f"their rules {when}")
    server.psql("UPDATE sendgate.accounts SET cooldown_until = 'infinity'")
    server.psql("SELECT public.clear_all('by a function')")
    cooling = "SELECT count(*) FROM sendgate.accounts WHERE cooldown_until > now()"
    equal(server.psql(cooling), "0", f"cooldowns after a function of users' {when}")
    by_role = "SELECT sendgate.enqueue('campaign', 'by the role', 'mine', 'invite', step => 2, payload => '7')"
    equal(server.psql(by_role, user="upgrade_dba"), "t", f"work put in by the role {when}")
    equal(server.psql("SELECT public.put_in('by a function')"), "t", f"work put in by a function of users' {when}")
    equal(server.psql("SELECT public.hand_out()"), "by a function", f"handed out by a function of users' {when}")
    equal(server.psql("SELECT prospect_id, attempt FROM public.handed"), "by the role|1", f"by a view of users' {when}")


def of(kind: str, facts: catalog.Facts) -> catalog.Facts:
    """The facts of one kind."""
    return {key: fact for key, fact in facts.items() if key[0] == kind}
