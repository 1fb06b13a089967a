//! This process's own counters, which `/metrics` shows.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::job::{Job, Outcome};

/// The labels of a counter: the database's first, where several are served.
type Labels = Vec<(&'static str, String)>;

/// What becomes of notifications.
const NOTIFIED: [&str; 3] = ["posted", "failed", "given_up"];

/// This process's own counters since it began, of one database or of the only one. Every task counts into them.
#[derive(Clone, Debug)]
pub struct Tally {
    counters: Arc<Counters>,
    database: Option<Arc<str>>,
}

#[derive(Debug)]
struct Counters {
    started_at: SystemTime,
    runs: Family<Labels, Counter>,
    seconds: Family<Labels, Counter<f64, AtomicU64>>,
    rounds: Family<Labels, Counter>,
    lines: Family<Labels, Counter>,
    reconnects: Family<Labels, Counter>,
    notifications: Family<Labels, Counter>,
}

impl Tally {
    /// Counters for these databases: one for each, in their order. All are registered by any of them.
    pub fn of(databases: impl IntoIterator<Item = Option<Arc<str>>>) -> Vec<Tally> {
        let counters = Arc::new(Counters {
            started_at: SystemTime::now(),
            runs: Family::default(),
            seconds: Family::default(),
            rounds: Family::default(),
            lines: Family::default(),
            reconnects: Family::default(),
            notifications: Family::default(),
        });
        let tally = |database| {
            let tally = Tally { counters: counters.clone(), database };
            // Prometheus computes a rate only from a counter that it saw before: each one begins at 0.
            for job in Job::ALL {
                tally.count_run(job, "ok", 0);
                tally.count_run(job, "failed", 0);
                tally.count_time(job, Duration::ZERO);
            }
            let all = &tally.counters;
            for counter in [&all.rounds, &all.lines, &all.reconnects] {
                counter.get_or_create(&tally.labels([])).inc_by(0);
            }
            tally
        };
        databases.into_iter().map(tally).collect()
    }

    /// The counters of the only database.
    pub fn alone() -> Tally {
        Tally::of([None]).remove(0)
    }

    /// The name of the database that it counts for, where several are served.
    pub fn database(&self) -> Option<&Arc<str>> {
        self.database.as_ref()
    }

    fn labels<const N: usize>(&self, labels: [(&'static str, &str); N]) -> Labels {
        let database = self.database.iter().map(|name| ("database", name.to_string()));
        database.chain(labels.map(|(name, value)| (name, value.to_owned()))).collect()
    }

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
        let labels = self.labels([("job", job.name()), ("outcome", outcome)]);
        self.counters.runs.get_or_create(&labels).inc_by(runs);
    }

    fn count_time(&self, job: Job, took: Duration) {
        let labels = self.labels([("job", job.name())]);
        self.counters.seconds.get_or_create(&labels).inc_by(took.as_secs_f64());
    }

    /// Counts a round in which the database was asked for every job.
    pub fn round_ended(&self) {
        self.counters.rounds.get_or_create(&self.labels([])).inc();
    }

    /// Counts printed lines.
    pub fn lines_printed(&self, lines: usize) {
        self.counters.lines.get_or_create(&self.labels([])).inc_by(lines as u64);
    }

    /// Counts a connection that is given up: lost, not made, or of no use.
    pub fn reconnected(&self) {
        self.counters.reconnects.get_or_create(&self.labels([])).inc();
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
        let labels = self.labels([("webhook", webhook), ("outcome", became)]);
        self.counters.notifications.get_or_create(&labels).inc_by(how_many);
    }

    /// Puts the counters of all databases into a registry, which ends each help with a full stop.
    pub fn register(&self, registry: &mut Registry) {
        let all = &self.counters;
        registry.register("sendgate_job_runs", "Runs of jobs by this process", all.runs.clone());
        let help = "Time that good runs of jobs took in this process, in seconds";
        registry.register("sendgate_job_seconds", help, all.seconds.clone());
        let help = "Times that this process asked the database what is due";
        registry.register("sendgate_rounds", help, all.rounds.clone());
        let help = "Lines of the breaker that this process printed";
        registry.register("sendgate_breaker_lines", help, all.lines.clone());
        let help = "Attempts of this process to post notifications, by webhook: posted, failed, or given up after a day";
        registry.register("sendgate_notifications", help, all.notifications.clone());
        let help = "Times that the jobs could not ask the database, and made a new connection";
        registry.register("sendgate_connections_lost", help, all.reconnects.clone());
        let began = all.started_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
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
