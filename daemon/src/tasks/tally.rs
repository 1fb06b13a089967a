//! This process's own counters, which `/metrics` shows.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::job::{Job, Outcome};

/// A label and its value.
type Label = (&'static str, &'static str);

/// This process's own counters since it began. Every task counts into them.
#[derive(Debug)]
pub struct Tally {
    started_at: SystemTime,
    runs: Family<[Label; 2], Counter>,
    seconds: Family<[Label; 1], Counter<f64, AtomicU64>>,
    rounds: Counter,
    lines: Counter,
    reconnects: Counter,
    notifications: Family<Notified, Counter>,
}

/// A webhook, and what became of notifications for it.
type Notified = [(&'static str, String); 2];

/// What becomes of notifications.
const NOTIFIED: [&str; 3] = ["posted", "failed", "given_up"];

impl Default for Tally {
    fn default() -> Tally {
        let tally = Tally {
            started_at: SystemTime::now(),
            runs: Family::default(),
            seconds: Family::default(),
            rounds: Counter::default(),
            lines: Counter::default(),
            reconnects: Counter::default(),
            notifications: Family::default(),
        };
        // Prometheus computes a rate only from a counter that it saw before: each one begins at 0.
        for job in Job::ALL {
            tally.count_run(job, "ok", 0);
            tally.count_run(job, "failed", 0);
            tally.count_time(job, Duration::ZERO);
        }
        tally
    }
}

impl Tally {
    /// Counts a run that ended.
    pub fn job_ran(&self, job: Job, outcome: &Outcome) {
        match outcome {
            Outcome::Done { took, .. } => {
                self.count_run(job, "ok", 1);
                self.count_time(job, *took);
            }
            Outcome::Failed(_) => self.count_run(job, "failed", 1),
            Outcome::NotDue | Outcome::Resting | Outcome::Stopped => (),
        }
    }

    fn count_run(&self, job: Job, outcome: &'static str, runs: u64) {
        self.runs.get_or_create(&[("job", job.name()), ("outcome", outcome)]).inc_by(runs);
    }

    fn count_time(&self, job: Job, took: Duration) {
        self.seconds.get_or_create(&[("job", job.name())]).inc_by(took.as_secs_f64());
    }

    /// Counts a round in which the database was asked for every job.
    pub fn round_ended(&self) {
        self.rounds.inc();
    }

    /// Counts printed lines.
    pub fn lines_printed(&self, lines: usize) {
        self.lines.inc_by(lines as u64);
    }

    /// Counts a connection that is given up: lost, not made, or of no use.
    pub fn reconnected(&self) {
        self.reconnects.inc();
    }

    /// Begins to count for a webhook.
    pub fn knows_webhook(&self, name: &str) {
        for became in NOTIFIED {
            self.count_notification(name, became, 0);
        }
    }

    /// Counts an attempt to post a notification.
    pub fn posted(&self, webhook: &str, was_taken: bool) {
        self.count_notification(webhook, if was_taken { "posted" } else { "failed" }, 1);
    }

    /// Counts a notification that was given up.
    pub fn gave_up(&self, webhook: &str) {
        self.count_notification(webhook, "given_up", 1);
    }

    fn count_notification(&self, webhook: &str, became: &str, how_many: u64) {
        let labels = [("webhook", webhook.to_owned()), ("outcome", became.to_owned())];
        self.notifications.get_or_create(&labels).inc_by(how_many);
    }

    /// Puts the counters into a registry, which ends each help with a full stop.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("sendgate_job_runs", "Runs of jobs by this process", self.runs.clone());
        let help = "Time that good runs of jobs took in this process, in seconds";
        registry.register("sendgate_job_seconds", help, self.seconds.clone());
        let help = "Times that this process asked the database what is due";
        registry.register("sendgate_rounds", help, self.rounds.clone());
        let help = "Lines of the breaker that this process printed";
        registry.register("sendgate_breaker_lines", help, self.lines.clone());
        let help = "Attempts of this process to post notifications, by webhook: posted, failed, or given up after a day";
        registry.register("sendgate_notifications", help, self.notifications.clone());
        let help = "Times that the jobs could not ask the database, and made a new connection";
        registry.register("sendgate_connections_lost", help, self.reconnects.clone());
        let began = self.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let help = "When the process began, in seconds since 1970";
        registry.register("process_start_time_seconds", help, ConstGauge::new(began));
        if let Some(bytes) = resident_bytes() {
            let help = "Memory of the process, in bytes";
            registry.register("process_resident_memory_bytes", help, ConstGauge::new(bytes));
        }
    }
}

/// Memory of this process in bytes; none where there is no /proc.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}
