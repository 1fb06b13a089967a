//! What the jobs have in common: one runs at a time, sweeps go on where the last batch ended, and
//! every run leaves its heartbeat.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, VOID, sql_function, unknown_value};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::record::RecordType;
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::alerts::{self, About};
use crate::tables::journal::cut;
use crate::tables::quarantine;
use pgrx::pg_sys;
use sendgate_decision::books::{Every, is_due, is_due_again};
use sendgate_decision::clock::{Day, Instant, MINUTE};

sql_function!(sendgate_begin_run, pg_finfo_sendgate_begin_run, begin_run);
sql_function!(sendgate_record_run_failure, pg_finfo_sendgate_record_run_failure, record_run_failure);

/// Accounts of a batch, at most: their rows stay held until it ends.
const ACCOUNTS_MAX: i32 = 10_000;

/// A run that is silent for this long between two batches has died, even if its process number exists: it
/// was cancelled, or the number belongs to another process. During a batch no other session gets the job.
const SILENCE_MAX: i64 = MINUTE;

/// The alert about jobs that missed two runs.
const STALE_ALERT: &str = "reconciler_stale";

static ANSWER: RecordType = RecordType::new(&[
    (c"checked", pg_sys::INT8OID),
    (c"changed", pg_sys::INT8OID),
    (c"more", pg_sys::BOOLOID),
]);

/// Taken inside the job's own transaction: a job that still runs keeps it, a dead one does not.
static HOLD: Statement = Statement::new(
    "SELECT j.sweep_started_at, j.sweep_finished_at, j.next_day, j.next_account, j.sweep_under,
         j.sweep_passed_over, j.whole_under,
         (EXTRACT(epoch FROM j.every) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8
     FROM sendgate.jobs j WHERE j.job OPERATOR(pg_catalog.=) $1 FOR UPDATE SKIP LOCKED",
    types![text],
);

/// The same for a session that has begun a run. It waits at most for one that asks whether the job is due.
static HOLD_WAITING: Statement = Statement::new(
    "SELECT j.sweep_started_at, j.sweep_finished_at, j.next_day, j.next_account, j.sweep_under,
         j.sweep_passed_over, j.whole_under
     FROM sendgate.jobs j WHERE j.job OPERATOR(pg_catalog.=) $1 FOR UPDATE",
    types![text],
);

static HAS_BEGUN: Statement = Statement::new(
    "SELECT 1 FROM sendgate.reconcile_runs r
     WHERE r.job OPERATOR(pg_catalog.=) $1 AND r.state OPERATOR(pg_catalog.=) 'running'
       AND r.backend_pid OPERATOR(pg_catalog.=) $2",
    types![text, int4],
);

static ADVANCE: Statement = Statement::new(
    "UPDATE sendgate.jobs j
     SET sweep_started_at = $2, sweep_finished_at = $3, next_day = $4, next_account = $5,
         sweep_under = $6, sweep_passed_over = $7, whole_under = $8
     WHERE j.job OPERATOR(pg_catalog.=) $1",
    types![text, instant, instant, date, text, uuid, int8, uuid],
);

/// The heartbeat of this backend's run, where it has begun one.
static BEAT: Statement = Statement::new(
    "UPDATE sendgate.reconcile_runs r
     SET checked = r.checked OPERATOR(pg_catalog.+) $3, changed = r.changed OPERATOR(pg_catalog.+) $4,
         batches = r.batches OPERATOR(pg_catalog.+) $8, state = $5, finished_at = $6, beat_at = $7
     WHERE r.job OPERATOR(pg_catalog.=) $1 AND r.state OPERATOR(pg_catalog.=) 'running'
       AND r.backend_pid OPERATOR(pg_catalog.=) $2",
    types![text, int4, int8, int8, text, instant, instant, int4],
);

static INSERT_RUN: Statement = Statement::new(
    "INSERT INTO sendgate.reconcile_runs (run_id, job, state, started_at, beat_at, finished_at, checked,
         changed, batches, backend_pid, actor, error)
     VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11)",
    types![uuid, text, text, instant, instant, int8, int8, int4, int4, text, text],
);

/// Marks runs as crashed whose process is gone, or that have been silent for too long. The caller holds
/// their job.
static BURY: Statement = Statement::new(
    "UPDATE sendgate.reconcile_runs r SET state = 'crashed', finished_at = $2
     WHERE r.job OPERATOR(pg_catalog.=) $1 AND r.state OPERATOR(pg_catalog.=) 'running'
       AND (r.beat_at OPERATOR(pg_catalog.<) $3
            OR NOT EXISTS (
                SELECT FROM pg_catalog.pg_stat_get_activity(r.backend_pid) a
                WHERE a.pid OPERATOR(pg_catalog.=) r.backend_pid))",
    types![text, instant, instant],
);

static IS_RUNNING: Statement = Statement::new(
    "SELECT 1 FROM sendgate.reconcile_runs r
     WHERE r.job OPERATOR(pg_catalog.=) $1 AND r.state OPERATOR(pg_catalog.=) 'running'
       AND r.backend_pid OPERATOR(pg_catalog.<>) $2",
    types![text, int4],
);

/// Jobs that have missed two runs, by when each should last have ended. One that never ended counts from
/// the installation.
static STALE: Statement = Statement::new(
    "SELECT j.job FROM sendgate.jobs j
     WHERE COALESCE(j.sweep_finished_at, j.since) OPERATOR(pg_catalog.<)
           ($1 OPERATOR(pg_catalog.-) j.every OPERATOR(pg_catalog.-) j.every)
     ORDER BY j.job",
    types![instant],
);

static FAIL: Statement = Statement::new(
    "UPDATE sendgate.reconcile_runs r SET state = 'failed', finished_at = $3, error = $4
     WHERE r.job OPERATOR(pg_catalog.=) $1 AND r.state OPERATOR(pg_catalog.=) 'running'
       AND r.backend_pid OPERATOR(pg_catalog.=) $2",
    types![text, int4, instant, text],
);

/// The jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// `midnight_reset`.
    Midnight,
    /// `audit_events`.
    Audit,
    /// `reconcile_operations`.
    Reconcile,
    /// `prune`.
    Prune,
}

impl Job {
    const ALL: [Job; 4] = [Job::Midnight, Job::Audit, Job::Reconcile, Job::Prune];

    /// Its name, which is that of its function.
    pub const fn name(self) -> &'static str {
        match self {
            Job::Midnight => "midnight_reset",
            Job::Audit => "audit_events",
            Job::Reconcile => "reconcile_operations",
            Job::Prune => "prune",
        }
    }

    /// Whether a quarantine waits for it.
    fn ends_quarantine(self) -> bool {
        quarantine::WATCHED.contains(&self.name())
    }

    fn read(args: &Args) -> Result<Job> {
        let text: &str = args.required(0, "job")?;
        Job::ALL
            .into_iter()
            .find(|job| job.name() == text)
            .ok_or_else(|| unknown_value("job", text, &Job::ALL.map(Job::name).join(", ")))
    }
}

/// Where a sweep over the accounts goes on: after this day and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The row's day.
    pub day: Day,
    /// The account.
    pub account: String,
}

/// A batch of a job, which is held for it.
pub(super) struct Batch {
    job: Job,
    /// When this batch began.
    pub now: Instant,
    started_at: Instant,
    /// Where the sweep goes on; none at its beginning.
    pub from: Option<Cursor>,
    finished_at: Option<Instant>,
    quarantine: Watch,
}

/// How far a job is with the quarantine that waits for it.
struct Watch {
    /// Under which its sweep began.
    under: Option<Id>,
    /// Accounts that the sweep has passed over, because another session held them.
    passed_over: i64,
    /// Under which a sweep has met every account.
    whole: Option<Id>,
}

impl Watch {
    fn read(row: &mut Row) -> Watch {
        Watch { under: row.nullable_uuid(), passed_over: row.value(), whole: row.nullable_uuid() }
    }
}

impl Batch {
    /// The day on which this job's last sweep came to its end; none if there was none, or if the clock
    /// was put back since.
    pub fn finished_on(&self) -> Option<Day> {
        self.finished_at.filter(|at| *at <= self.now).map(|at| at.day())
    }
}

/// What a batch did.
#[derive(Default)]
pub(super) struct Done {
    /// Rows looked at.
    pub checked: i64,
    /// Rows changed.
    pub changed: i64,
    /// Where the next batch goes on; none when the sweep is through.
    pub next: Option<Cursor>,
    /// Accounts with a finding that are left to the next sweep, because another session holds them.
    pub passed_over: i64,
    /// For jobs that keep no cursor: whether there is more to do.
    pub more: bool,
}

fn pid() -> i32 {
    unsafe { pg_sys::MyProcPid }
}

/// Locks the job for this transaction; none when another session runs it. A session that has begun a run
/// waits, because its run would otherwise end as a good one that did nothing.
fn hold(spi: &Spi, job: Job) -> Result<Option<Batch>> {
    let mut rows = spi.run(&HOLD, params![job.name()]);
    if rows.count() == 0 && spi.run(&HAS_BEGUN, params![job.name(), pid()]).count() > 0 {
        rows = spi.run_waiting(&HOLD_WAITING, params![job.name()])?;
    }
    let Some(mut row) = rows.first() else { return Ok(None) };
    let now = clock::now();
    let (started_at, finished_at) = (row.nullable_instant(), row.nullable_instant());
    let day: Option<i32> = row.nullable_day();
    let account: Option<String> = row.nullable();
    let watch = Watch::read(&mut row);
    // A sweep that began before the quarantine says nothing of the accounts that it met until then.
    let current = quarantine::current(spi).filter(|_| job.ends_quarantine());
    let stays = current.is_none() || current == watch.under;
    let from = day.map(Day).zip(account).map(|(day, account)| Cursor { day, account }).filter(|_| stays);
    let started_at = started_at.filter(|_| from.is_some()).unwrap_or(now);
    let quarantine = match from {
        Some(_) => watch,
        None => Watch { under: current, passed_over: 0, ..watch },
    };
    Ok(Some(Batch { job, now, started_at, from, finished_at, quarantine }))
}

/// The accounts that a batch may take.
pub(super) fn batch_size(args: &Args) -> Result<i32> {
    args.number(0, "max_accounts", 1, ACCOUNTS_MAX)
}

/// Runs a batch of a job and writes its heartbeat. It does not wait for another session's batch, because
/// that session does the work.
pub(super) fn run(job: Job, work: impl FnOnce(&Spi, &Batch) -> Result<Done>) -> Answer {
    let answer = Spi::connect(|spi| {
        let Some(batch) = hold(spi, job)? else {
            return Ok((0, 0, false));
        };
        bury(spi, job, batch.now);
        let done = work(spi, &batch)?;
        let more = done.next.is_some() || done.more;
        finish(spi, &batch, &done, more);
        Ok((done.checked, done.changed, more))
    })?;
    Ok(Some(ANSWER.row(params![answer.0, answer.1, answer.2])))
}

/// The jobs that have missed two runs, if there are any.
fn stale(spi: &Spi, now: Instant) -> Option<String> {
    let jobs: Vec<String> = spi.run(&STALE, params![now]).iter().map(|mut row| row.value()).collect();
    (!jobs.is_empty()).then(|| jobs.join(", "))
}

fn bury(spi: &Spi, job: Job, now: Instant) {
    spi.run(&BURY, params![job.name(), now, now.plus(-SILENCE_MAX)]);
}

fn finish(spi: &Spi, batch: &Batch, done: &Done, more: bool) {
    let name = batch.job.name();
    let finished_at = if more { batch.finished_at } else { Some(batch.now) };
    let (day, account) = match &done.next {
        Some(cursor) => (Some(cursor.day), Some(cursor.account.as_str())),
        None => (None, None),
    };
    let Watch { under, passed_over, whole } = batch.quarantine;
    let passed_over = passed_over + done.passed_over;
    let whole = under.filter(|_| !more && passed_over == 0).or(whole);
    spi.run(&ADVANCE, params![name, batch.started_at, finished_at, day, account, under, passed_over, whole])
        .must_be(1, "jobs");
    if !more && stale(spi, batch.now).is_none() {
        alerts::resolve(spi, About::Jobs, STALE_ALERT, batch.now);
    }
    let now = clock::now();
    let (state, ended_at) = if more { ("running", None) } else { ("ok", Some(now)) };
    let beat = params![name, pid(), done.checked, done.changed, state, ended_at, now, 1i32];
    if spi.run(&BEAT, beat).count() == 0 {
        let ended_at = Some(clock::now());
        insert_run(spi, name, "ok", batch.now, ended_at, (done.checked, done.changed, 1), None);
    }
}

fn insert_run(
    spi: &Spi,
    job: &str,
    state: &str,
    started_at: Instant,
    finished_at: Option<Instant>,
    (checked, changed, batches): (i64, i64, i32),
    error: Option<&str>,
) {
    spi.run(
        &INSERT_RUN,
        params![
            ids::fresh(),
            job,
            state,
            started_at,
            finished_at,
            checked,
            changed,
            batches,
            pid(),
            &actor::name(),
            error
        ],
    )
    .must_be(1, "reconcile_runs");
}

/// Whether the job is to be run now by the caller; if so, leaves the heartbeat of a run that has
/// begun, for the caller to commit.
fn begin_run(args: &Args) -> Answer {
    let job = Job::read(args)?;
    let begun = Spi::connect(|spi| {
        let Some(mut row) = spi.run(&HOLD, params![job.name()]).first() else {
            return Ok(false);
        };
        let now = clock::now();
        bury(spi, job, now);
        let (started_at, finished_at) = (row.nullable_instant(), row.nullable_instant());
        let _cursor: (Option<i32>, Option<String>) = (row.nullable_day(), row.nullable());
        let watch = Watch::read(&mut row);
        let every = Every::of(row.value());
        let is_running = |job: Job| spi.run(&IS_RUNNING, params![job.name(), pid()]).count() > 0;
        // Layer 1 heals what layer 2 looks for, so it lets that finish.
        let runs = is_running(job) || (job == Job::Reconcile && is_running(Job::Audit));
        let awaited = quarantine::current(spi).filter(|id| job.ends_quarantine() && watch.whole != Some(*id));
        let is_awaited = awaited.is_some_and(|id| is_due_again(watch.under == Some(id), started_at, now));
        if runs || !(is_awaited || is_due(every, started_at, finished_at, now)) {
            return Ok(false);
        }
        if let Some(jobs) = stale(spi, now) {
            let detail = format!("missed two runs: {jobs}");
            alerts::open(spi, About::Jobs, STALE_ALERT, now.day(), &detail, now);
        }
        spi.run(&FAIL, params![job.name(), pid(), now, "begun again before it ended"]);
        insert_run(spi, job.name(), "running", now, None, (0, 0, 0), None);
        Ok(true)
    })?;
    Ok(begun.param())
}

fn record_run_failure(args: &Args) -> Answer {
    let job = Job::read(args)?;
    let error: &str = args.required(1, "error")?;
    let error = cut(error);
    debug_assert!(error.chars().count() <= TEXT_CHARACTERS_MAX + 10);
    Spi::connect(|spi| {
        let now = clock::now();
        if spi.run(&FAIL, params![job.name(), pid(), now, &error]).count() == 0 {
            insert_run(spi, job.name(), "failed", now, Some(now), (0, 0, 0), Some(&error));
        }
        Ok(())
    })?;
    VOID
}
