"""pg_repack rewrites our tables while workers send."""

import subprocess

from e2e.durability.test_ddl_under_load import ACCOUNTS, CAP, INMAIL_CAP, TABLES, agree, all_of, working
from e2e.support import equal, provision, wait_for
from harness import debian

# Debian has it for its own PostgreSQL.
ONLY_ON = (15,)


def test_tables_are_repacked_under_load(env):
    program = debian.pg_repack(env.install)
    for account in ACCOUNTS:
        provision(env, account, inmail=INMAIL_CAP, message=CAP, invite=CAP)
    env.psql("CREATE EXTENSION pg_repack")
    with working(env) as workers:
        pids = [worker.connection.info.backend_pid for worker in workers]
        for table in TABLES:
            command = [program, "--no-kill-backend", f"--table=sendgate.{table}", f"--dbname={env.dbname}"]
            where = {"PGHOST": env.cluster.host, "PGPORT": str(env.cluster.port), "PGUSER": "postgres"}
            before = env.psql(f"SELECT pg_relation_filenode('sendgate.{table}')")
            done = subprocess.run(
                command, env=env.install.environment(where), capture_output=True, text=True, timeout=120
            )
            equal(done.returncode, 0, done.stdout + done.stderr)
            assert env.psql(f"SELECT pg_relation_filenode('sendgate.{table}')") != before, f"{table} is where it was"
            all_of(workers, lambda worker: len(worker.granted), f"grants after pg_repack of {table}")
        equal([worker.connection.info.backend_pid for worker in workers], pids, "the same sessions")
        equal(sum(worker.errors["55000"] for worker in workers), 0, "refusals")
        least = "SELECT min(sent_today) FROM sendgate.counters WHERE action = 'inmail'"
        wait_for(lambda: env.psql(least) == str(INMAIL_CAP), "each account to be at its cap of InMails")
    agree(env, workers)
