"""What an operator does in the browser, seen in the database."""

from e2e.support import equal, operation, provision
from e2e.support.console_client import TOKENS, Client, Console

NEWEST_ONLY = True
# The first test builds the daemon, and may install Chromium.
TIMEOUT_SECONDS = 1200


def admin_log(env) -> str:
    """The newest line: who did what and why."""
    return env.psql(
        """SELECT actor || ' ' || verb || ' ' || coalesce(note, '-') FROM sendgate.admin_log
        ORDER BY at DESC, id DESC LIMIT 1"""
    )


def test_from_the_pill_to_a_successful_probe_in_four_clicks(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('spring', 'p', 'a', 'inmail'); SELECT sendgate.breaker_arm('a', 'test')")
    pill = env.psql("SELECT pill FROM sendgate.account_cards WHERE account_id = 'a'")
    assert pill.startswith("Sales Nav credits exhausted — auto-resumes "), pill
    with Console(env) as console:
        equal(console.browser.text(".card .pill"), pill, "the pill")
        console.browser.click(console.browser.find(".card .pill"))  # 1
        console.says("No, until ")
        console.follow("Grant a probe")  # 2
        console.confirm("Grant a probe", "topped up")  # 3
        console.says("A probe is granted: the next InMail of a may try.")
        assert not console.browser.find_all("a[href*='do=probe']"), "a second probe is offered"
        held = env.psql("SELECT operation_id FROM sendgate.dispatch(1)")
        env.psql(f"SELECT sendgate.confirm('a', '{held}', 'chat')")
        console.follow("Accounts")  # 4
        console.says("Id or name")
        equal(console.browser.find_all(".card .pill"), [], "pills")
    log = "SELECT action, reason FROM sendgate.breaker_log WHERE action <> 'skip' ORDER BY id"
    equal(env.psql(log).splitlines(), ["set|manual", "clear|recent_success_evidence"], "the breaker's log")
    equal(admin_log(env), "ada breaker_probe topped up", "the admin log")


def test_the_credit_exhausted_state_is_reset(env):
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    with Console(env) as console:
        console.open("/account?id=a")
        console.follow("Reset credit-exhausted state")
        console.says("exhausted")
        console.confirm("Reset credit-exhausted state", "bought 50 'credits' <b>")
        console.says("The credit-exhausted state of a is reset.")
        console.says("bought 50 'credits' <b>")
        console.says("Yes, 50 more today")
    line = "SELECT action, reason, actor, note FROM sendgate.breaker_log ORDER BY id DESC LIMIT 1"
    equal(env.psql(line), "clear|manual|ada|bought 50 'credits' <b>", "the breaker's log")
    equal(env.psql("SELECT inmail_credits_exhausted_at FROM sendgate.accounts"), "", "the stamp")


def test_inmails_are_stopped_and_set_back_to_automatic(env):
    provision(env)
    mode = "SELECT breaker_mode FROM sendgate.accounts"
    with Console(env) as console:
        console.open("/account?id=a")
        console.follow("Stop InMails")
        console.confirm("Stop InMails", "contract under review")
        console.says("InMails stopped by an operator")
        console.open("/account?id=a")
        console.says("InMail cannot go: an operator stopped its InMails")
        assert "The breaker never opened" not in console.browser.text("main"), "it is held open"
        equal(env.psql(mode), "open", "the mode")
        equal(admin_log(env), "ada breaker_force contract under review", "the admin log")
        console.follow("Back to automatic")
        console.confirm("Back to automatic", "review done")
        console.says("InMails of a go by its credits again.")
        equal(env.psql(mode), "auto", "the mode")
        equal(admin_log(env), "ada breaker_force review done", "the admin log")


def test_unknown_outcomes_are_settled(env):
    provision(env)
    for n, prospect in enumerate(("sent", "unsent")):
        env.psql(
            f"""SELECT sendgate.reserve('a', 'inmail', '{prospect}', 'spring', '{operation(n)}');
            SELECT sendgate.rollback('a', '{operation(n)}', 'gateway timeout')"""
        )
    states = "SELECT prospect_id, state FROM sendgate.send_operations ORDER BY 1"
    with Console(env) as console:
        console.open("/account?id=a")
        console.browser.click(console.browser.find(f"a[href*='do=sent'][href*='{operation(0)}']"))
        console.says("gateway timeout")
        console.browser.write(console.browser.find("#chat_id"), "chat-7")
        console.confirm("It was sent", "in the outbox")
        console.says("The operation is settled: it was sent.")
        console.browser.click(console.browser.find(f"a[href*='do=not-sent'][href*='{operation(1)}']"))
        console.confirm("It was not sent", "not in the outbox")
        console.says("Every outcome is known.")
        # A page that another operator opened before.
        console.open(f"/act?do=sent&id=a&item={operation(0)}")
        console.says("This operation is settled")
    equal(env.psql(states).splitlines(), ["sent|delivered", "unsent|released"], "the journal")
    equal(env.psql("SELECT chat_id FROM sendgate.linkedin_events"), "chat-7", "the event")
    equal(admin_log(env), "ada resolve_operation not in the outbox", "the admin log")


def test_alerts_are_acknowledged(env):
    provision(env)
    env.psql(
        f"""SELECT sendgate.reserve('a', 'inmail', 'p', NULL, '{operation(1)}');
        SELECT sendgate.rollback('a', '{operation(1)}');
        SELECT sendgate.confirm('a', '{operation(1)}', 'chat')"""
    )
    with Console(env) as console:
        console.open("/alerts")
        console.says("delivered after rollback")
        console.browser.click(console.browser.find("a[href*='do=acknowledge']"))
        console.says("no operator yet")
        console.confirm("Acknowledge", "the worker said failed too early")
        console.says("The alert is acknowledged.")
        console.says("No alert is open.")
    seen = "SELECT acknowledged_by, acknowledge_note FROM sendgate.alerts WHERE account_id = 'a'"
    equal(env.psql(seen), "ada|the worker said failed too early", "the alert")


def test_everything_is_paused_and_resumed(env):
    provision(env)
    answer = "SELECT reason FROM sendgate.preview('a', 'invite')"
    with Console(env) as console:
        console.follow("Pause everything")
        console.confirm("Pause everything", "provider incident")
        console.says("Everything is paused since")
        console.says("by ada: provider incident")
        equal(env.psql(answer), "paused_by_operator", "the gate")
        console.open("/account?id=a")
        console.says("Nothing can go: everything is stopped")
        console.says("provider incident")
        console.follow("Resume everything")
        console.confirm("Resume everything", None)
        console.says("Everything goes on.")
        equal(env.psql(answer), "", "the gate")
    equal(admin_log(env), "ada resume_all -", "the admin log")


def test_what_the_database_refuses_is_said_where_it_was_asked(env):
    provision(env)
    env.psql("SELECT sendgate.breaker_arm('a', 'test')")
    with Console(env) as console:
        console.open("/act?do=probe&id=a")
        env.psql("SELECT sendgate.breaker_probe('a', 'somebody was faster')")
        console.browser.write(console.browser.find("#note"), "kept for the next try")
        console.press("Grant a probe")
        console.says("SG207")
        kept = console.browser.run("return document.getElementById('note').value")
        equal(kept, "kept for the next try", "the note")
        told = console.browser.run(
            "return document.getElementById(document.getElementById('note').getAttribute('aria-describedby')).textContent"
        )
        assert "SG207" in told, f"who hears the field is told: {told}"


def test_two_operators_are_told_apart(env):
    """And neither's name stays on the connection for what the daemon itself does."""
    provision(env)
    with Console(env) as console:
        grace = Client(console.daemon)
        grace.sign_in(TOKENS["grace"])
        equal(grace.act("force-open", "a", note="by grace")[0], 303, "grace's act")
        console.open("/account?id=a")
        console.follow("Back to automatic")
        console.confirm("Back to automatic", "by ada")
        console.says("InMails of a go by its credits again.")
        log = env.psql("SELECT actor, note FROM sendgate.admin_log WHERE verb = 'breaker_force' ORDER BY id")
        equal(log.splitlines(), ["grace|by grace", "ada|by ada"], "the admin log")
        actors = env.psql("SELECT DISTINCT actor FROM sendgate.reconcile_runs")
        equal(actors, console.daemon.user, "who ran the jobs")
