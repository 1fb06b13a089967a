//! What the gate does, counted in shared memory since the server started: grants, deliveries, outcomes of failed
//! attempts, sets and clears of breakers. Counts only rise, so that a rate over midnight can be computed from them.
//! Needs the library in `shared_preload_libraries`; without, nothing is counted and `activity_counts` has no rows.
//! Each act is counted when it is done, also in a transaction that does not commit, which is seldom.

use crate::postgres::function::{Answer, Args, sql_reading};
use crate::postgres::param::IntoParam;
use crate::postgres::record;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_guard, pg_shmem_init, pg_sys};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{ACTIONS, Action, Outcome};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

sql_reading!(sendgate_activity_counts, pg_finfo_sendgate_activity_counts, activity_counts);

const OUTCOMES: usize = Outcome::ALL.len();

/// What all backends share.
struct Shared {
    /// Since when is counted, in microseconds since 2000.
    since: AtomicI64,
    grants: [AtomicU64; ACTIONS],
    deliveries: [AtomicU64; ACTIONS],
    outcomes: [[AtomicU64; OUTCOMES]; ACTIONS],
    breaker_sets: AtomicU64,
    breaker_clears: AtomicU64,
}

unsafe impl PGRXSharedMemory for Shared {}

static SHARED: PgAtomic<Shared> = unsafe { PgAtomic::new(c"sendgate_activity") };

static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// Asks for the shared memory, where the library is loaded with the server.
#[expect(unexpected_cfgs, reason = "the macro also knows versions that this crate does not")]
pub fn prepare() {
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        pg_shmem_init!(
            SHARED = Shared {
                since: AtomicI64::new(unsafe { pg_sys::GetCurrentTimestamp() }),
                grants: Default::default(),
                deliveries: Default::default(),
                outcomes: Default::default(),
                breaker_sets: AtomicU64::new(0),
                breaker_clears: AtomicU64::new(0),
            }
        );
        IS_SHARED.store(true, Ordering::Relaxed);
    }
}

/// Something that is counted.
#[derive(Clone, Copy)]
pub enum Activity {
    /// A slot was taken.
    Grant(Action),
    /// A delivery was proven, or recorded from outside.
    Delivery(Action),
    /// An attempt failed.
    Failure(Action, Outcome),
    /// A breaker was stamped.
    BreakerSet,
    /// A breaker's stamp was removed.
    BreakerClear,
}

/// Counts it.
pub fn count(activity: Activity) {
    if !IS_SHARED.load(Ordering::Relaxed) {
        return;
    }
    let shared = SHARED.get();
    let counter = match activity {
        Activity::Grant(action) => &shared.grants[action.index()],
        Activity::Delivery(action) => &shared.deliveries[action.index()],
        Activity::Failure(action, outcome) => &shared.outcomes[action.index()][outcome as usize],
        Activity::BreakerSet => &shared.breaker_sets,
        Activity::BreakerClear => &shared.breaker_clears,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

fn activity_counts(args: &Args) -> Answer {
    let mut rows: Vec<(&str, Option<Action>, Option<&str>, i64)> = Vec::new();
    let mut since = Instant(0);
    if IS_SHARED.load(Ordering::Relaxed) {
        let shared = SHARED.get();
        since = Instant(shared.since.load(Ordering::Relaxed));
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as i64;
        for &action in Action::ALL {
            let i = action.index();
            rows.push(("grant", Some(action), None, read(&shared.grants[i])));
            rows.push(("delivery", Some(action), None, read(&shared.deliveries[i])));
            for &outcome in Outcome::ALL {
                let counted = read(&shared.outcomes[i][outcome as usize]);
                rows.push(("outcome", Some(action), Some(outcome.name()), counted));
            }
        }
        rows.push(("breaker_set", None, None, read(&shared.breaker_sets)));
        rows.push(("breaker_clear", None, None, read(&shared.breaker_clears)));
    }
    record::return_rows(args, &rows, |(what, action, outcome, counted)| {
        vec![what.param(), action.map(Action::name).param(), outcome.param(), counted.param(), since.param()]
    });
    Ok(Some(pg_sys::Datum::null()))
}
