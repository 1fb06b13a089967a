"""The daemon's pages, its flags, and its secrets."""

import socket
import tempfile
from pathlib import Path

from e2e.support import equal, operation, provision, wait_for
from e2e.support.daemon_process import JOBS, Daemon, all_ran, daemon_login, run, url_of

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
SECRET = "geheim%40wort"


def test_metrics_are_there_before_anything_happened(env):
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        found = daemon.metrics()
    for name in (
        'sendgate_breakers_open{state="open"}',
        'sendgate_breakers_open{state="forced_open"}',
        'sendgate_slots_used_today{action="inmail"}',
        'sendgate_slots_used_today{action="engagement"}',
        'sendgate_skips_today{action="inmail",reason="account_inmail_credits_exhausted"}',
        'sendgate_drift_corrections_today{action="inmail"}',
        'sendgate_alerts_open{kind="over_cap"}',
        "sendgate_outbox_rows",
        *(f'sendgate_job_stale{{job="{job}"}}' for job in JOBS),
        *(f'sendgate_job_runs_total{{job="{job}",outcome="failed"}}' for job in JOBS),
    ):
        equal(found.get(name), 0, name)
    for name in ("sendgate_database_up", "sendgate_test_clock_on"):
        equal(found.get(name), 1, name)
    for job in JOBS:
        assert found[f'sendgate_job_heartbeat_age_seconds{{job="{job}"}}'] >= 0
    assert found["sendgate_numbers_age_seconds"] < 15


def test_metrics_count_and_name_nobody(env):
    provision(env, "account-of-ada")
    provision(env, "account-of-bob")
    env.psql(
        f"""SELECT sendgate.reserve('account-of-ada', 'inmail', 'p', 'c', '{operation(1)}');
        SELECT sendgate.reserve('account-of-ada', 'invite', 'p', 'c', '{operation(2)}');
        SELECT sendgate.breaker_arm('account-of-ada', 'test');
        SELECT sendgate.breaker_force('account-of-bob', 'open', 'test');
        SELECT sendgate.reserve('account-of-ada', 'inmail', 'q', 'c', NULL);
        SELECT sendgate.reserve('account-of-ada', 'inmail', 'q', 'c', NULL)"""
    )
    with Daemon(env) as daemon:
        wait_for(lambda: all_ran(env), "every job to run")
        found = daemon.metrics()
        assert "account-of" not in daemon.get("/metrics")[1]
    skips = 'today{action="inmail",reason="account_inmail_credits_exhausted"}'
    for name, expected in {
        'sendgate_breakers_open{state="open"}': 1,
        'sendgate_breakers_open{state="forced_open"}': 1,
        'sendgate_slots_used_today{action="inmail"}': 1,
        'sendgate_slots_used_today{action="invite"}': 1,
        f"sendgate_skips_{skips}": 1,
        f"sendgate_skip_repeats_{skips}": 1,
        'sendgate_accounts{status="connected"}': 2,
    }.items():
        equal(found.get(name), expected, name)


def test_readyz_misses_the_extension(env):
    bare = env.fresh_database(extension=False)
    url = url_of(env, "postgres").rsplit("/", 1)[0] + f"/{bare}"
    with Daemon(env, url=url) as daemon:
        status, text = daemon.get("/readyz")
        equal(status, 503, "readyz")
        assert "lacks the extension" in text, text
        equal(daemon.get("/healthz")[0], 200, "healthz")
        env.psql("CREATE EXTENSION sendgate", bare)
        wait_for(daemon.ready, "readyz to notice")


def test_other_machines_are_not_let_in_by_mistake(env):
    for flags, environment in (
        (("--listen", "0.0.0.0:0"), {}),
        ((), {"SENDGATED_LISTEN": "0.0.0.0:0"}),
        (("--listen", "[::]:0"), {}),
    ):
        done = run(env, "run", *flags, **environment)
        equal(done.returncode, 2, "exit status")
        assert "--listen-anywhere" in done.stderr, done.stderr


def test_a_wrong_password_ends_it_and_no_output_shows_it(env):
    """In the URL, in the environment, on the command line, in a file: right or wrong, never shown."""
    with password_login(env, "geheim@wort") as login:
        with Daemon(env, url=url_of(env, login, SECRET), SENDGATED_LOG="trace") as daemon:
            wait_for(lambda: all_ran(env), "every job to run")
            assert daemon.ready()
            env.cluster.restart("immediate")
            wait_for(daemon.ready, "readyz to notice the return")
            daemon.stop()
            assert hides(daemon.out) and hides(daemon.err), daemon.err
        wrong = run(env, "run", "--listen=127.0.0.1:0", url=url_of(env, login, SECRET + "x"))
        equal(wrong.returncode, 1, wrong.stderr)
        assert "password authentication failed" in wrong.stderr, wrong.stderr
        assert hides(wrong.stdout + wrong.stderr)
        bare = url_of(env, login)
        equal(run(env, "tick", url=bare, PGPASSWORD="geheim@wort").returncode, 0, "PGPASSWORD")
        secret = env.cluster.datadir.parent / f"{env.dbname}.secret"
        try:
            secret.write_text("geheim@wort\n")
            equal(run(env, "--password-file", secret, "tick", url=bare).returncode, 0, "a file")
            secret.write_text(f"*:*:*:{login}:geheim@wort\n")
            secret.chmod(0o600)
            equal(run(env, "tick", url=bare, PGPASSFILE=str(secret)).returncode, 0, "PGPASSFILE")
            secret.chmod(0o644)
            open_to_all = run(env, "tick", url=bare, PGPASSFILE=str(secret))
            equal(open_to_all.returncode, 2, "a PGPASSFILE that others can read")
            assert hides(open_to_all.stderr)
            secret.write_text(f'database_url = "{url_of(env, login, SECRET)}"\nnonsense = "{SECRET}"\n')
            broken = run(env, "--config", secret, "tick")
            equal(broken.returncode, 2, "a file with a key that is unknown")
            assert hides(broken.stderr) and "nonsense" in broken.stderr, broken.stderr
        finally:
            secret.unlink()


def test_a_file_does_as_well_as_flags(env):
    """Flags win over the environment, the environment over the file."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "sendgated.toml")
        here = url_of(env, daemon_login(env))
        file.write_text(f'database_url = "{here}"\nlisten = "0.0.0.0:0"\n')
        equal(run(env, "tick", "--config", file, url="").returncode, 0, "the file's database")
        elsewhere = here + "_nowhere"
        equal(run(env, "tick", "--config", file, url=elsewhere).returncode, 1, "the environment's")
        done = run(env, "tick", "--config", file, "--database-url", here, url=elsewhere)
        equal(done.returncode, 0, "the flag's")
        refused = run(env, "run", SENDGATED_CONFIG=str(file))
        assert "--listen-anywhere" in refused.stderr, refused.stderr


def test_a_password_in_a_flag_is_warned_of(env):
    url = url_of(env, daemon_login(env), SECRET)
    done = run(env, "tick", "--database-url", url)
    equal(done.returncode, 0, done.stderr)
    assert "can be read by every user" in done.stderr, done.stderr
    assert hides(done.stdout + done.stderr)
    assert "can be read" not in run(env, "tick", url=url).stderr


def test_a_client_that_does_not_finish_does_not_hold_up_the_end(env):
    with Daemon(env) as daemon:
        assert daemon.ready()
        host, port = daemon.address().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as half:
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
            status, seconds = daemon.stop()
        equal(status, 0, "exit status")
        assert seconds < 4, f"it took {seconds:.1f} s"
        assert "cut off" not in daemon.err, daemon.err


def test_nonsense_on_the_command_line_is_not_repeated(env):
    url = url_of(env, "u", SECRET)
    for arguments in (
        ("run", url),
        ("run", f"--databse-url={url}"),
        ("status", "--database-url", url + "?sslmode=" + SECRET),
        ("status", "--database-url", f"host=x password={SECRET} y"),
        ("run", "--database-url", url, "--listen", "nonsense"),
    ):
        done = run(env, *arguments)
        assert done.returncode != 0, done
        assert hides(done.stdout + done.stderr), done.stderr
    equal(run(env, "--help", url=url).returncode, 0, "--help")
    assert hides(run(env, "--help", url=url).stdout)
    assert "SENDGATED_DATABASE_URL" in run(env, "--help").stdout


def hides(text: str) -> bool:
    """Whether the password is not in it, as it is or escaped."""
    return "geheim" not in text


class password_login:
    """A daemon's login whom the server asks for a password, while it lasts."""

    def __init__(self, env, password: str):
        self.env, self.password = env, password
        self.hba = env.cluster.datadir / "pg_hba.conf"

    def __enter__(self) -> str:
        login = daemon_login(self.env)
        self.before = self.hba.read_text()
        self.env.psql(f"ALTER ROLE {login} PASSWORD '{self.password}'")
        self.hba.write_text(f"host all {login} all scram-sha-256\n{self.before}")
        self.env.psql("SELECT pg_reload_conf()")
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'"
        wait_for(lambda: self.env.psql(rules) == "1", "the rule to be read")
        return login

    def __exit__(self, *_exception) -> None:
        self.hba.write_text(self.before)
        self.env.psql("SELECT pg_reload_conf()")
