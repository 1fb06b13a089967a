//! The numbers of the database as metrics: name, help text, labels and value of each family.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::page::{Counted, Families, Sample, Total, Value};
use crate::db::account::ACTIONS;
use crate::db::heartbeats::Heartbeat;
use crate::db::numbers::Numbers;

/// Reasons that are shown even if nothing was skipped for them.
const SKIP_REASONS: [(&str, &str); 2] =
    [("inmail", "account_inmail_credits_exhausted"), ("inmail", "inmail_eligibility")];
/// Kinds of alerts that are shown even if none is open.
const ALERT_KINDS: [&str; 14] = [
    "action_unavailable",
    "clock_behind_row",
    "copied_database",
    "counter_ahead_of_events",
    "counter_behind_events",
    "credits_low",
    "delivered_after_rollback",
    "failing",
    "operations_expired",
    "over_cap",
    "provider_failing",
    "reconciler_stale",
    "unreserved_send",
    "webhook_failing",
];
/// The closed list of causes of cooldowns.
const CAUSES: [&str; 5] = ["rate_limited", "failing", "action_unavailable", "over_cap", "manual"];
/// The states of known InMail credits; accounts that are in none of these are untracked.
const CREDIT_STATES: [&str; 3] = ["ok", "low", "exhausted"];
/// The closed list of states of enrollments.
const WORK_STATES: [&str; 5] = ["waiting", "sending", "done", "parked", "cancelled"];
/// The closed list of statuses.
const STATUSES: [&str; 4] = ["connected", "paused", "restricted", "disconnected"];

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Families::new(&mut encoder, self);
        let help = "Age of the numbers that come from the database, in seconds.";
        page.each_of("sendgate_numbers_age_seconds", help, Total::Greatest, |of| {
            vec![Sample::bare(of.age.as_secs_f64())]
        })?;
        let help = "Whether a test's clock is on; never in production.";
        page.flag("sendgate_test_clock_on", help, |numbers| numbers.test_clock)?;
        let help = "Whether the books were written in another database, so that nothing is sent from here.";
        page.flag("sendgate_copied_database", help, |numbers| numbers.copied)?;
        let help =
            "Whether the setting sendgate.enforcement is observe: the rules refuse nothing by themselves.";
        page.flag("sendgate_enforcement_observe", help, |numbers| numbers.observes)?;
        let help = "Accounts that are only observed, by the setting or their own mode.";
        page.gauge("sendgate_accounts_observed", help, Total::Sum, |numbers| numbers.observed)?;
        stopped(&mut page)?;
        accounts(&mut page)?;
        work(&mut page)?;
        activity(&mut page)?;
        today(&mut page)?;
        alerts(&mut page)?;
        refusals(&mut page)?;
        webhooks(&mut page)?;
        jobs(&mut page)
    }
}

type Page<'a, 'b> = Families<'a, 'b>;

fn stopped(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Whether everything is paused, by pause_all or quarantine.";
    page.flag("sendgate_paused", help, |numbers| numbers.paused)?;
    page.flag("sendgate_quarantined", "Whether everything is in quarantine.", |numbers| numbers.quarantined)
}

/// A sample for each name of a closed list.
fn by_name(label: &'static str, names: &[&'static str], counts: &[(String, i64)]) -> Vec<Sample> {
    names.iter().map(|name| Sample::of([(label, *name)], count_of(counts, name))).collect()
}

fn work(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Accounts that cool down, as a whole or for one of their actions, by cause.";
    page.gauges("sendgate_accounts_cooling_down", help, Total::Sum, |numbers| {
        by_name("cause", &CAUSES, &numbers.cooling)
    })?;
    let help = "Operations of unknown outcome; counted up to 100000.";
    page.gauge("sendgate_unknown_outcomes", help, Total::Sum, |numbers| numbers.unknown)?;
    let help = "For how long the oldest unknown outcome has been unknown, in seconds; 0 without one.";
    page.gauge("sendgate_unknown_outcome_age_seconds", help, Total::Greatest, |numbers| {
        numbers.unknown_age_seconds.unwrap_or(0.0)
    })?;
    let help = "Enrollments by state; estimated from a sample above 200000.";
    page.gauges("sendgate_enrollments", help, Total::Sum, |numbers| {
        by_name("state", &WORK_STATES, &numbers.enrollments)
    })?;
    let help =
        "For how long campaign work has been due that is not handed out, in seconds; 0 without such work.";
    page.gauge("sendgate_oldest_due_work_age_seconds", help, Total::Greatest, |numbers| {
        numbers.due_age_seconds.unwrap_or(0.0)
    })?;
    let help = "Since the last run of the job that ran least lately began, in seconds; NaN if one never ran.";
    page.gauge("sendgate_oldest_heartbeat_age_seconds", help, Total::Greatest, |numbers| {
        let ages = numbers.jobs.iter().map(|job| Value::Real(job.age_seconds.unwrap_or(f64::NAN)));
        ages.fold(Value::Real(0.0), Value::greatest)
    })
}

/// Counts since the server started; missing, and not 0, where the server does not count them.
fn activity(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Whether the server counts what the gate does: sendgate is in its shared_preload_libraries.";
    page.gauge("sendgate_activity_counted", help, Total::Least, |numbers| {
        i64::from(!numbers.activity.is_empty())
    })?;
    for (what, name, help) in [
        ("grant", "sendgate_grants", "Slots taken since the database server started."),
        ("delivery", "sendgate_deliveries", "Deliveries since the database server started."),
        ("outcome", "sendgate_outcomes", "Failed attempts by outcome since the database server started."),
        ("breaker_set", "sendgate_breaker_sets", "Breakers stamped since the database server started."),
        ("breaker_clear", "sendgate_breaker_clears", "Stamps removed since the database server started."),
    ] {
        page.counters_of_servers(name, help, |numbers| {
            let lines = numbers.activity.iter().filter(|line| line.what == what);
            let sample = |line: &crate::db::numbers::Activity| {
                let labels = [("action", line.action.as_deref()), ("outcome", line.outcome.as_deref())];
                let labels = labels.into_iter().filter_map(|(label, value)| Some((label, value?)));
                Sample::of(labels, line.counted)
            };
            lines.map(sample).collect()
        })?;
    }
    Ok(())
}

fn accounts(page: &mut Page<'_, '_>) -> fmt::Result {
    page.gauges("sendgate_accounts", "Accounts.", Total::Sum, |numbers| {
        STATUSES.map(|status| Sample::of([("status", status)], sum(numbers, &|s, _| s == status))).to_vec()
    })?;
    let help = "Breakers that stop InMails: open by themselves, or forced open by an operator.";
    page.gauges("sendgate_breakers_open", help, Total::Sum, |numbers| {
        vec![
            Sample::of([("state", "open")], numbers.breakers_open),
            Sample::of([("state", "forced_open")], sum(numbers, &|_, mode| mode == "open")),
        ]
    })?;
    let help = "Breakers that an operator forced closed: they stop nothing.";
    page.gauge("sendgate_breakers_forced_closed", help, Total::Sum, |numbers| {
        sum(numbers, &|_, mode| mode == "closed")
    })?;
    page.gauges("sendgate_breakers", "Breakers by state.", Total::Sum, |numbers| {
        let (stops, forced_open) = (numbers.breakers_open, sum(numbers, &|_, mode| mode == "open"));
        let forced_closed = sum(numbers, &|_, mode| mode == "closed");
        [
            ("closed", sum(numbers, &|_, _| true) - stops - forced_open - forced_closed),
            ("open", stops),
            ("forced_open", forced_open),
            ("forced_closed", forced_closed),
        ]
        .map(|(state, count)| Sample::of([("state", state)], count))
        .to_vec()
    })?;
    let help = "Accounts by the state of their known InMail credits.";
    page.gauges("sendgate_credits", help, Total::Sum, |numbers| {
        let counted = CREDIT_STATES.map(|state| (state, count_of(&numbers.credits, state)));
        let untracked = sum(numbers, &|_, _| true) - counted.iter().map(|(_, count)| count).sum::<i64>();
        let states = counted.into_iter().chain([("untracked", untracked)]);
        states.map(|(state, count)| Sample::of([("state", state)], count)).collect()
    })
}

/// How many accounts have a status and breaker mode.
fn sum(numbers: &Numbers, chosen: &dyn Fn(&str, &str) -> bool) -> i64 {
    let chosen = numbers.accounts.iter().filter(|(status, mode, _)| chosen(status, mode));
    chosen.map(|(_, _, count)| count).sum()
}

/// Today's skips by action and reason, those that nothing was skipped for too: how many, and how often they were asked for again.
fn skips(numbers: &Numbers) -> Vec<(String, String, i64, i64)> {
    let mut skips = numbers.skips.clone();
    for (action, reason) in SKIP_REASONS {
        if !skips.iter().any(|(a, r, _, _)| a == action && r == reason) {
            skips.push((action.to_owned(), reason.to_owned(), 0, 0));
        }
    }
    skips.sort();
    skips
}

fn skipped(action: &str, reason: &str, count: i64) -> Sample {
    Sample::of([("action", action), ("reason", reason)], count)
}

fn today(page: &mut Page<'_, '_>) -> fmt::Result {
    page.gauges("sendgate_slots_used_today", "Slots used today (UTC).", Total::Sum, |numbers| {
        let used = ACTIONS.iter().zip(numbers.slots_used);
        used.map(|(action, used)| Sample::of([("action", *action)], used)).collect()
    })?;
    page.gauges("sendgate_skips_today", "Skips recorded today (UTC).", Total::Sum, |numbers| {
        let all = skips(numbers);
        all.iter().map(|(action, reason, count, _)| skipped(action, reason, *count)).collect()
    })?;
    let help = "Times that today's skips were asked for again.";
    page.gauges("sendgate_skip_repeats_today", help, Total::Sum, |numbers| {
        let all = skips(numbers);
        all.iter().map(|(action, reason, _, count)| skipped(action, reason, *count)).collect()
    })?;
    let help = "Counters that layer 1 corrected today (UTC).";
    page.gauges("sendgate_drift_corrections_today", help, Total::Sum, |numbers| {
        by_name("action", &ACTIONS, &numbers.drift)
    })?;
    let help = "Lines of the breaker that are not printed yet.";
    page.gauge("sendgate_outbox_rows", help, Total::Sum, |numbers| numbers.outbox_rows)
}

fn alerts(page: &mut Page<'_, '_>) -> fmt::Result {
    page.gauges("sendgate_alerts_open", "Open alerts.", Total::Sum, |numbers| {
        let mut kinds: Vec<&str> = ALERT_KINDS.to_vec();
        kinds.extend(numbers.alerts.iter().map(|(kind, _)| kind.as_str()));
        kinds.sort_unstable();
        kinds.dedup();
        let open = |kind: &str| Sample::of([("kind", kind)], count_of(&numbers.alerts, kind));
        kinds.into_iter().map(open).collect()
    })
}

/// The count of that name; 0 if it is missing.
fn count_of(counts: &[(String, i64)], name: &str) -> i64 {
    counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
}

/// By name, never by address.
fn webhooks(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Notifications that wait to be posted, by webhook; counted up to 100000.";
    page.gauges("sendgate_notifications_waiting", help, Total::Sum, |numbers| {
        let hooks = numbers.webhooks.iter();
        hooks.map(|hook| Sample::of([("webhook", hook.name.as_str())], hook.waiting)).collect()
    })?;
    let help = "How long ago the oldest event happened that waits to be posted, by webhook, in seconds; 0 if none waits.";
    page.gauges("sendgate_notification_age_seconds", help, Total::Greatest, |numbers| {
        let age = |seconds: Option<f64>| seconds.unwrap_or(0.0).max(0.0);
        let hooks = numbers.webhooks.iter();
        hooks.map(|hook| Sample::of([("webhook", hook.name.as_str())], age(hook.oldest_seconds))).collect()
    })?;
    let help = "For how long the receiver of a webhook has taken nothing, in seconds; 0 while it does.";
    page.gauges("sendgate_webhook_failing_seconds", help, Total::Greatest, |numbers| {
        let failing = |seconds: Option<f64>| seconds.unwrap_or(0.0);
        let hooks = numbers.webhooks.iter();
        hooks
            .map(|hook| Sample::of([("webhook", hook.name.as_str())], failing(hook.failing_seconds)))
            .collect()
    })
}

/// Refusals are missing, and not 0, where the server does not count them.
fn refusals(page: &mut Page<'_, '_>) -> fmt::Result {
    let help = "Whether the server counts refusals: sendgate is in its shared_preload_libraries.";
    page.gauge("sendgate_refusals_counted", help, Total::Least, |numbers| {
        i64::from(!numbers.refusals.is_empty())
    })?;
    let help = "Refusals since the database server started, of all its databases.";
    page.counters_of_servers("sendgate_refusals", help, |numbers| {
        let line = |(action, reason, count): &(String, String, i64)| {
            Sample::of([("action", action.as_str()), ("reason", reason.as_str())], *count)
        };
        numbers.refusals.iter().map(line).collect()
    })
}

/// Seconds; NaN where there are none.
fn seconds(seconds: Option<f64>) -> Value {
    Value::Real(seconds.unwrap_or(f64::NAN))
}

fn flag(flag: bool) -> Value {
    Value::Real(f64::from(u8::from(flag)))
}

fn jobs(page: &mut Page<'_, '_>) -> fmt::Result {
    let mut each = |name: &str, help: &str, read: fn(&Heartbeat) -> Value| {
        page.gauges(name, help, Total::Greatest, |numbers| {
            numbers.jobs.iter().map(|job| Sample::of([("job", job.job.as_str())], read(job))).collect()
        })
    };
    let help = "Since the job's last run began, in seconds; NaN if it never ran.";
    each("sendgate_job_heartbeat_age_seconds", help, |job| seconds(job.age_seconds))?;
    let help = "Since the job last reached its end, in seconds; NaN if it never did.";
    each("sendgate_job_success_age_seconds", help, |job| seconds(job.success_age_seconds))?;
    each("sendgate_job_stale", "Whether the job missed two runs.", |job| flag(job.stale))?;
    let help = "Whether the job's last run failed or crashed.";
    each("sendgate_job_last_run_failed", help, |job| flag(job.has_failed()))?;
    let help = "How long the job's last good run took, in seconds; NaN if there was none.";
    each("sendgate_job_last_run_seconds", help, |job| seconds(job.last_run_seconds))
}
