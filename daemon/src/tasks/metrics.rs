//! `/metrics`: what the database counts, and what this process did.

pub mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::time::timeout;

use crate::db::SharedLink;
use crate::db::account::ACTIONS;
use crate::db::heartbeats::Heartbeat;
use crate::db::numbers::Numbers;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::tasks::tally::Tally;
use text::{Kind, Page};

/// Numbers are counted again when they are asked for and this old: several scrapers cost as much as
/// one. The page says how old they are.
const AGE_MAX: Duration = Duration::from_secs(10);
/// A page has to come before scrapers give up, which is after ten seconds, also without numbers.
const COUNT_WITHIN: Duration = Duration::from_secs(8);
/// Reasons that are shown even if nothing was skipped for them.
const SKIP_REASONS: [(&str, &str); 2] =
    [("inmail", "account_inmail_credits_exhausted"), ("inmail", "inmail_eligibility")];
/// Kinds of alerts that are shown even if none is open.
const ALERT_KINDS: [&str; 8] = [
    "clock_behind_row",
    "counter_ahead_of_events",
    "counter_behind_events",
    "delivered_after_rollback",
    "operations_expired",
    "over_cap",
    "reconciler_stale",
    "unreserved_send",
];
/// The closed list of statuses.
const STATUSES: [&str; 4] = ["connected", "paused", "restricted", "disconnected"];

/// Counts when somebody asks, and remembers for a while.
#[derive(Debug)]
pub struct Collector {
    link: SharedLink,
    tally: Arc<Tally>,
    counted: Option<(Instant, Numbers)>,
}

impl Collector {
    /// Counts by this link.
    pub fn new(link: SharedLink, tally: Arc<Tally>) -> Collector {
        Collector { link, tally, counted: None }
    }

    /// The page, counted now or a moment ago. What cannot be counted is missing rather than old.
    pub async fn page(&mut self) -> String {
        if self.counted.as_ref().is_none_or(|(at, _)| at.elapsed() > AGE_MAX) {
            self.counted = None;
            match self.count().await {
                Ok(numbers) => self.counted = Some((Instant::now(), numbers)),
                Err(error) => tracing::warn!(%error, "metrics cannot be counted"),
            }
        }
        let counted = self.counted.as_ref().map(|(at, numbers)| (at.elapsed(), numbers));
        render(counted, &self.tally)
    }

    async fn count(&self) -> Result<Numbers> {
        let began = Instant::now();
        let mut link = self.link.turn().await?;
        let counting = async { link.session().await?.numbers().await };
        let late = Error::TimedOut { what: "counting for metrics", after: COUNT_WITHIN };
        let within = COUNT_WITHIN.saturating_sub(began.elapsed());
        let counted = timeout(within, counting).await.unwrap_or(Err(late));
        link.settled(counted).await
    }
}

/// The whole page; without numbers if the database cannot be asked.
fn render(counted: Option<(Duration, &Numbers)>, tally: &Tally) -> String {
    let mut page = Page::default();
    let version = env!("CARGO_PKG_VERSION");
    let mut build = page.begin("sendgate_build_info", Kind::Gauge, "Version of the daemon.");
    build.put(&[("version", version)], 1.0);
    let up = f64::from(u8::from(counted.is_some()));
    let help = "Whether the database answered when it was last asked for these numbers.";
    page.one("sendgate_database_up", Kind::Gauge, help, up);
    put_tally(&mut page, tally);
    if let Some((age, numbers)) = counted {
        let help = "Age of the numbers that come from the database, in seconds.";
        page.one("sendgate_numbers_age_seconds", Kind::Gauge, help, age.as_secs_f64());
        let help = "Whether a test's clock is on; never in production.";
        page.one("sendgate_test_clock_on", Kind::Gauge, help, f64::from(u8::from(numbers.test_clock)));
        put_accounts(&mut page, numbers);
        put_today(&mut page, numbers);
        put_refusals(&mut page, numbers);
        put_jobs(&mut page, numbers);
    }
    page.finish()
}

fn put_tally(page: &mut Page, tally: &Tally) {
    let of = |counters: &[AtomicU64; Job::ALL.len()], job: Job| {
        counters[job.index()].load(Ordering::Relaxed) as f64
    };
    let mut runs = page.begin("sendgate_job_runs_total", Kind::Counter, "Runs of jobs by this process.");
    for job in Job::ALL {
        runs.put(&[("job", job.name()), ("outcome", "ok")], of(&tally.runs_ok, job));
        runs.put(&[("job", job.name()), ("outcome", "failed")], of(&tally.runs_failed, job));
    }
    let help = "Time that good runs of jobs took in this process, in seconds.";
    let mut seconds = page.begin("sendgate_job_seconds_total", Kind::Counter, help);
    for job in Job::ALL {
        seconds.put(&[("job", job.name())], of(&tally.run_micros, job) / 1e6);
    }
    let help = "Times that this process asked the database what is due.";
    page.one("sendgate_rounds_total", Kind::Counter, help, tally.rounds.load(Ordering::Relaxed) as f64);
    let help = "Lines of the breaker that this process printed.";
    let lines = tally.lines.load(Ordering::Relaxed) as f64;
    page.one("sendgate_breaker_lines_total", Kind::Counter, help, lines);
    let help = "Times that the jobs could not ask the database, and made a new connection.";
    let lost = tally.reconnects.load(Ordering::Relaxed) as f64;
    page.one("sendgate_connections_lost_total", Kind::Counter, help, lost);
    let began = tally.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let help = "When the process began, in seconds since 1970.";
    page.one("process_start_time_seconds", Kind::Gauge, help, began);
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the process, in bytes.";
        page.one("process_resident_memory_bytes", Kind::Gauge, help, bytes);
    }
}

/// None where there is no /proc.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

fn put_accounts(page: &mut Page, numbers: &Numbers) {
    let sum = |chosen: &dyn Fn(&str, &str) -> bool| {
        let chosen = numbers.accounts.iter().filter(|(status, mode, _)| chosen(status, mode));
        chosen.map(|(_, _, count)| *count as f64).sum::<f64>()
    };
    let mut accounts = page.begin("sendgate_accounts", Kind::Gauge, "Accounts.");
    for status in STATUSES {
        accounts.put(&[("status", status)], sum(&|s, _| s == status));
    }
    let help = "Breakers that stop InMails: open by themselves, or forced open by an operator.";
    let mut breakers = page.begin("sendgate_breakers_open", Kind::Gauge, help);
    breakers.put(&[("state", "open")], numbers.breakers_open as f64);
    breakers.put(&[("state", "forced_open")], sum(&|_, mode| mode == "open"));
    let help = "Breakers that an operator forced closed: they stop nothing.";
    page.one("sendgate_breakers_forced_closed", Kind::Gauge, help, sum(&|_, mode| mode == "closed"));
}

fn put_today(page: &mut Page, numbers: &Numbers) {
    let help = "Slots used today (UTC).";
    let mut slots = page.begin("sendgate_slots_used_today", Kind::Gauge, help);
    for (action, used) in ACTIONS.iter().zip(numbers.slots_used) {
        slots.put(&[("action", action)], used as f64);
    }
    let mut skips = numbers.skips.clone();
    for (action, reason) in SKIP_REASONS {
        if !skips.iter().any(|(a, r, _, _)| a == action && r == reason) {
            skips.push((action.to_owned(), reason.to_owned(), 0, 0));
        }
    }
    skips.sort();
    let help = "Skips recorded today (UTC).";
    let mut first = page.begin("sendgate_skips_today", Kind::Gauge, help);
    for (action, reason, count, _) in &skips {
        first.put(&[("action", action), ("reason", reason)], *count as f64);
    }
    let help = "Times that today's skips were asked for again.";
    let mut repeats = page.begin("sendgate_skip_repeats_today", Kind::Gauge, help);
    for (action, reason, _, count) in &skips {
        repeats.put(&[("action", action), ("reason", reason)], *count as f64);
    }
    let help = "Counters that layer 1 corrected today (UTC).";
    let mut drift = page.begin("sendgate_drift_corrections_today", Kind::Gauge, help);
    for action in ACTIONS {
        let found = numbers.drift.iter().find(|(a, _)| a == action);
        drift.put(&[("action", action)], found.map_or(0.0, |(_, count)| *count as f64));
    }
    let mut kinds: Vec<&str> = ALERT_KINDS.to_vec();
    kinds.extend(numbers.alerts.iter().map(|(kind, _)| kind.as_str()));
    kinds.sort_unstable();
    kinds.dedup();
    let mut alerts = page.begin("sendgate_alerts_open", Kind::Gauge, "Open alerts.");
    for kind in kinds {
        let found = numbers.alerts.iter().find(|(k, _)| k == kind);
        alerts.put(&[("kind", kind)], found.map_or(0.0, |(_, count)| *count as f64));
    }
    let help = "Lines of the breaker that nobody has printed yet.";
    page.one("sendgate_outbox_rows", Kind::Gauge, help, numbers.outbox_rows as f64);
}

/// Missing, rather than nought, where the server does not count them.
fn put_refusals(page: &mut Page, numbers: &Numbers) {
    let help = "Whether the server counts refusals: sendgate is in its shared_preload_libraries.";
    let counted = f64::from(u8::from(!numbers.refusals.is_empty()));
    page.one("sendgate_refusals_counted", Kind::Gauge, help, counted);
    if numbers.refusals.is_empty() {
        return;
    }
    let help = "Refusals since the database server started, of all its databases.";
    let mut refusals = page.begin("sendgate_refusals_total", Kind::Counter, help);
    for (action, reason, count) in &numbers.refusals {
        refusals.put(&[("action", action), ("reason", reason)], *count as f64);
    }
}

fn put_jobs(page: &mut Page, numbers: &Numbers) {
    /// A metric with a number for each job: name, help, and how to read it.
    type OfJob = (&'static str, &'static str, fn(&Heartbeat) -> f64);
    let metrics: [OfJob; 5] = [
        (
            "sendgate_job_heartbeat_age_seconds",
            "Since the job's last run began, in seconds; NaN if it never ran.",
            |job| job.age_seconds.unwrap_or(f64::NAN),
        ),
        (
            "sendgate_job_success_age_seconds",
            "Since the job last reached its end, in seconds; NaN if it never did.",
            |job| job.success_age_seconds.unwrap_or(f64::NAN),
        ),
        ("sendgate_job_stale", "Whether the job missed two runs.", |job| f64::from(u8::from(job.stale))),
        ("sendgate_job_last_run_failed", "Whether the job's last run failed or crashed.", |job| {
            f64::from(u8::from(job.has_failed()))
        }),
        (
            "sendgate_job_last_run_seconds",
            "How long the job's last good run took, in seconds; NaN if there was none.",
            |job| job.last_run_seconds.unwrap_or(f64::NAN),
        ),
    ];
    for (name, help, read) in metrics {
        let mut family = page.begin(name, Kind::Gauge, help);
        for job in &numbers.jobs {
            family.put(&[("job", &job.job)], read(job));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_as_nought() {
        let page = render(Some((Duration::ZERO, &Numbers::default())), &Tally::default());
        for line in [
            "sendgate_database_up 1",
            "sendgate_breakers_open{state=\"open\"} 0",
            "sendgate_slots_used_today{action=\"inmail\"} 0",
            "sendgate_skips_today{action=\"inmail\",reason=\"account_inmail_credits_exhausted\"} 0",
            "sendgate_alerts_open{kind=\"over_cap\"} 0",
            "sendgate_job_runs_total{job=\"prune\",outcome=\"failed\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
    }

    #[test]
    fn without_a_database_nothing_old_is_shown() {
        let page = render(None, &Tally::default());
        assert!(page.contains("sendgate_database_up 0\n"));
        assert!(!page.contains("sendgate_breakers_open"));
    }

    #[test]
    fn refusals_that_nobody_counts_are_not_nought() {
        let page = render(Some((Duration::ZERO, &Numbers::default())), &Tally::default());
        assert!(page.contains("sendgate_refusals_counted 0\n") && !page.contains("sendgate_refusals_total"));
        let refusals = vec![("invite".to_owned(), "pacing".to_owned(), 3)];
        let numbers = Numbers { refusals, ..Numbers::default() };
        let page = render(Some((Duration::ZERO, &numbers)), &Tally::default());
        assert!(page.contains("sendgate_refusals_total{action=\"invite\",reason=\"pacing\"} 3\n"));
    }

    #[test]
    fn an_unknown_kind_of_alert_is_shown_too() {
        let numbers = Numbers { alerts: vec![("new_kind".to_owned(), 3)], ..Numbers::default() };
        let page = render(Some((Duration::ZERO, &numbers)), &Tally::default());
        assert!(page.contains("sendgate_alerts_open{kind=\"new_kind\"} 3\n"));
    }
}
