//! The numbers of the database as metrics: name, help text, labels and value of each family.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

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

/// Numbers of the database, and how old they are.
#[derive(Clone, Debug)]
pub struct Counted {
    /// How long ago they were counted.
    pub age: Duration,
    /// The numbers.
    pub numbers: Arc<Numbers>,
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Counted { age, numbers } = self;
        let mut page = Families(&mut encoder);
        let help = "Age of the numbers that come from the database, in seconds.";
        page.gauge("sendgate_numbers_age_seconds", help, age.as_secs_f64())?;
        let help = "Whether a test's clock is on; never in production.";
        page.gauge("sendgate_test_clock_on", help, i64::from(numbers.test_clock))?;
        let help = "Whether the books were written in another database, so that nothing is sent from here.";
        page.gauge("sendgate_copied_database", help, i64::from(numbers.copied))?;
        let help =
            "Whether the setting sendgate.enforcement is observe: the rules refuse nothing by themselves.";
        page.gauge("sendgate_enforcement_observe", help, i64::from(numbers.observes))?;
        let help = "Accounts that are only observed, by the setting or their own mode.";
        page.gauge("sendgate_accounts_observed", help, numbers.observed)?;
        stopped(&mut page, numbers)?;
        accounts(&mut page, numbers)?;
        work(&mut page, numbers)?;
        activity(&mut page, numbers)?;
        today(&mut page, numbers)?;
        alerts(&mut page, numbers)?;
        refusals(&mut page, numbers)?;
        webhooks(&mut page, numbers)?;
        jobs(&mut page, numbers)
    }
}

/// Writes metrics one after the other.
struct Families<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Families<'_, '_> {
    /// A metric of one number.
    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A metric with a number for each set of labels.
    fn gauges<L: EncodeLabelSet, N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

fn stopped(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let help = "Whether everything is paused, by pause_all or quarantine.";
    page.gauge("sendgate_paused", help, i64::from(numbers.paused))?;
    page.gauge("sendgate_quarantined", "Whether everything is in quarantine.", i64::from(numbers.quarantined))
}

fn work(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let cooling = CAUSES.map(|cause| ([("cause", cause)], count_of(&numbers.cooling, cause)));
    let help = "Accounts that cool down, as a whole or for one of their actions, by cause.";
    page.gauges("sendgate_accounts_cooling_down", help, cooling)?;
    let help = "Operations of unknown outcome; counted up to 100000.";
    page.gauge("sendgate_unknown_outcomes", help, numbers.unknown)?;
    let help = "For how long the oldest unknown outcome has been unknown, in seconds; 0 without one.";
    page.gauge("sendgate_unknown_outcome_age_seconds", help, numbers.unknown_age_seconds.unwrap_or(0.0))?;
    let states = WORK_STATES.map(|state| ([("state", state)], count_of(&numbers.enrollments, state)));
    let help = "Enrollments by state; estimated from a sample above 200000.";
    page.gauges("sendgate_enrollments", help, states)?;
    let help =
        "For how long campaign work has been due that is not handed out, in seconds; 0 without such work.";
    page.gauge("sendgate_oldest_due_work_age_seconds", help, numbers.due_age_seconds.unwrap_or(0.0))?;
    let help = "Since the last run of the job that ran least lately began, in seconds; NaN if one never ran.";
    let ages = numbers.jobs.iter().map(|job| job.age_seconds.unwrap_or(f64::NAN));
    let oldest = ages.fold(
        0.0,
        |oldest: f64, age| if oldest.is_nan() || age.is_nan() { f64::NAN } else { oldest.max(age) },
    );
    page.gauge("sendgate_oldest_heartbeat_age_seconds", help, oldest)
}

/// Counts since the server started; missing, and not 0, where the server does not count them.
fn activity(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let help = "Whether the server counts what the gate does: sendgate is in its shared_preload_libraries.";
    page.gauge("sendgate_activity_counted", help, i64::from(!numbers.activity.is_empty()))?;
    if numbers.activity.is_empty() {
        return Ok(());
    }
    for (what, name, help) in [
        ("grant", "sendgate_grants", "Slots taken since the database server started."),
        ("delivery", "sendgate_deliveries", "Deliveries since the database server started."),
        ("outcome", "sendgate_outcomes", "Failed attempts by outcome since the database server started."),
        ("breaker_set", "sendgate_breaker_sets", "Breakers stamped since the database server started."),
        ("breaker_clear", "sendgate_breaker_clears", "Stamps removed since the database server started."),
    ] {
        let mut metric = page.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for line in numbers.activity.iter().filter(|line| line.what == what) {
            let labels: Vec<(&str, &str)> = [("action", &line.action), ("outcome", &line.outcome)]
                .into_iter()
                .filter_map(|(label, value)| value.as_deref().map(|value| (label, value)))
                .collect();
            let counter = ConstCounter::new(u64::try_from(line.counted).unwrap_or(0));
            counter.encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn accounts(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let sum = |chosen: &dyn Fn(&str, &str) -> bool| -> i64 {
        let chosen = numbers.accounts.iter().filter(|(status, mode, _)| chosen(status, mode));
        chosen.map(|(_, _, count)| count).sum()
    };
    let of_status = STATUSES.map(|status| ([("status", status)], sum(&|s, _| s == status)));
    page.gauges("sendgate_accounts", "Accounts.", of_status)?;
    let help = "Breakers that stop InMails: open by themselves, or forced open by an operator.";
    let open = [
        ([("state", "open")], numbers.breakers_open),
        ([("state", "forced_open")], sum(&|_, mode| mode == "open")),
    ];
    page.gauges("sendgate_breakers_open", help, open)?;
    let help = "Breakers that an operator forced closed: they stop nothing.";
    let forced_closed = sum(&|_, mode| mode == "closed");
    page.gauge("sendgate_breakers_forced_closed", help, forced_closed)?;
    let (stops, forced_open) = (numbers.breakers_open, sum(&|_, mode| mode == "open"));
    let states = [
        ([("state", "closed")], sum(&|_, _| true) - stops - forced_open - forced_closed),
        ([("state", "open")], stops),
        ([("state", "forced_open")], forced_open),
        ([("state", "forced_closed")], forced_closed),
    ];
    page.gauges("sendgate_breakers", "Breakers by state.", states)?;
    let counted = CREDIT_STATES.map(|state| ([("state", state)], count_of(&numbers.credits, state)));
    let untracked = sum(&|_, _| true) - counted.iter().map(|(_, count)| count).sum::<i64>();
    let states = counted.into_iter().chain([([("state", "untracked")], untracked)]);
    page.gauges("sendgate_credits", "Accounts by the state of their known InMail credits.", states)
}

fn today(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let used = ACTIONS.iter().zip(numbers.slots_used).map(|(action, used)| ([("action", *action)], used));
    page.gauges("sendgate_slots_used_today", "Slots used today (UTC).", used)?;
    let mut skips = numbers.skips.clone();
    for (action, reason) in SKIP_REASONS {
        if !skips.iter().any(|(a, r, _, _)| a == action && r == reason) {
            skips.push((action.to_owned(), reason.to_owned(), 0, 0));
        }
    }
    skips.sort();
    let labels = |action, reason| [("action", action), ("reason", reason)];
    let first = skips.iter().map(|(action, reason, count, _)| (labels(action, reason), *count));
    page.gauges("sendgate_skips_today", "Skips recorded today (UTC).", first)?;
    let help = "Times that today's skips were asked for again.";
    let repeats = skips.iter().map(|(action, reason, _, count)| (labels(action, reason), *count));
    page.gauges("sendgate_skip_repeats_today", help, repeats)?;
    let help = "Counters that layer 1 corrected today (UTC).";
    let drift = ACTIONS.map(|action| ([("action", action)], count_of(&numbers.drift, action)));
    page.gauges("sendgate_drift_corrections_today", help, drift)?;
    let help = "Lines of the breaker that are not printed yet.";
    page.gauge("sendgate_outbox_rows", help, numbers.outbox_rows)
}

fn alerts(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let mut kinds: Vec<&str> = ALERT_KINDS.to_vec();
    kinds.extend(numbers.alerts.iter().map(|(kind, _)| kind.as_str()));
    kinds.sort_unstable();
    kinds.dedup();
    let open = kinds.into_iter().map(|kind| ([("kind", kind)], count_of(&numbers.alerts, kind)));
    page.gauges("sendgate_alerts_open", "Open alerts.", open)
}

/// The count of that name; 0 if it is missing.
fn count_of(counts: &[(String, i64)], name: &str) -> i64 {
    counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
}

/// By name, never by address.
fn webhooks(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    if numbers.webhooks.is_empty() {
        return Ok(());
    }
    let waiting = numbers.webhooks.iter().map(|hook| ([("webhook", hook.name.as_str())], hook.waiting));
    let help = "Notifications that wait to be posted, by webhook; counted up to 100000.";
    page.gauges("sendgate_notifications_waiting", help, waiting)?;
    let oldest = numbers
        .webhooks
        .iter()
        .map(|hook| ([("webhook", hook.name.as_str())], hook.oldest_seconds.unwrap_or(0.0).max(0.0)));
    let help = "How long ago the oldest event happened that waits to be posted, by webhook, in seconds; 0 if none waits.";
    page.gauges("sendgate_notification_age_seconds", help, oldest)?;
    let failing = numbers
        .webhooks
        .iter()
        .map(|hook| ([("webhook", hook.name.as_str())], hook.failing_seconds.unwrap_or(0.0)));
    let help = "For how long the receiver of a webhook has taken nothing, in seconds; 0 while it does.";
    page.gauges("sendgate_webhook_failing_seconds", help, failing)
}

/// Refusals are missing, and not 0, where the server does not count them.
fn refusals(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let help = "Whether the server counts refusals: sendgate is in its shared_preload_libraries.";
    page.gauge("sendgate_refusals_counted", help, i64::from(!numbers.refusals.is_empty()))?;
    if numbers.refusals.is_empty() {
        return Ok(());
    }
    let help = "Refusals since the database server started, of all its databases.";
    let mut metric = page.0.encode_descriptor("sendgate_refusals", help, None, MetricType::Counter)?;
    for (action, reason, count) in &numbers.refusals {
        let labels = [("action", action), ("reason", reason)];
        ConstCounter::new(u64::try_from(*count).unwrap_or(0)).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn jobs(page: &mut Families<'_, '_>, numbers: &Numbers) -> fmt::Result {
    let mut each = |name: &str, help: &str, read: fn(&Heartbeat) -> f64| {
        let samples = numbers.jobs.iter().map(|job| ([("job", job.job.as_str())], read(job)));
        page.gauges(name, help, samples)
    };
    let help = "Since the job's last run began, in seconds; NaN if it never ran.";
    each("sendgate_job_heartbeat_age_seconds", help, |job| job.age_seconds.unwrap_or(f64::NAN))?;
    let help = "Since the job last reached its end, in seconds; NaN if it never did.";
    each("sendgate_job_success_age_seconds", help, |job| job.success_age_seconds.unwrap_or(f64::NAN))?;
    each("sendgate_job_stale", "Whether the job missed two runs.", |job| f64::from(u8::from(job.stale)))?;
    let help = "Whether the job's last run failed or crashed.";
    each("sendgate_job_last_run_failed", help, |job| f64::from(u8::from(job.has_failed())))?;
    let help = "How long the job's last good run took, in seconds; NaN if there was none.";
    each("sendgate_job_last_run_seconds", help, |job| job.last_run_seconds.unwrap_or(f64::NAN))
}
