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
const ALERT_KINDS: [&str; 13] = [
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
];
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
        accounts(&mut page, numbers)?;
        today(&mut page, numbers)?;
        alerts(&mut page, numbers)?;
        refusals(&mut page, numbers)?;
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
    page.gauge("sendgate_breakers_forced_closed", help, sum(&|_, mode| mode == "closed"))
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
    let help = "Lines of the breaker that nobody has printed yet.";
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
