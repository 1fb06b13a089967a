//! Refusals by action and reason, counted in shared memory: a refusal writes no row, so nothing else
//! remembers it. Needs the library in `shared_preload_libraries`; without, nothing is counted and
//! `refusal_counts` has no rows. The counts are the whole server's, and begin at its start.

use crate::postgres::function::{Answer, Args, sql_reading};
use crate::postgres::param::IntoParam;
use crate::postgres::record;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_guard, pg_shmem_init, pg_sys};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{ACTIONS, Action, Reason};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

sql_reading!(sendgate_refusal_counts, pg_finfo_sendgate_refusal_counts, refusal_counts);

const REASONS: usize = Reason::ALL.len();

/// What all backends share.
struct Shared {
    /// Since when is counted, in microseconds since 2000.
    since: AtomicI64,
    counts: [[AtomicU64; REASONS]; ACTIONS],
}

unsafe impl PGRXSharedMemory for Shared {}

static SHARED: PgAtomic<Shared> = unsafe { PgAtomic::new(c"sendgate_refusals") };

static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// Asks for the shared memory, where the library is loaded with the server.
#[expect(unexpected_cfgs, reason = "the macro also knows versions that this crate does not")]
pub fn prepare() {
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        pg_shmem_init!(
            SHARED = Shared {
                since: AtomicI64::new(unsafe { pg_sys::GetCurrentTimestamp() }),
                counts: Default::default(),
            }
        );
        IS_SHARED.store(true, Ordering::Relaxed);
    }
}

/// Counts refusals, also in a transaction that does not commit, because the worker was refused all the same.
pub fn count(action: Action, reason: Reason) {
    if IS_SHARED.load(Ordering::Relaxed) {
        SHARED.get().counts[action.index()][reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

fn refusal_counts(args: &Args) -> Answer {
    let mut rows = Vec::new();
    if IS_SHARED.load(Ordering::Relaxed) {
        let shared = SHARED.get();
        let since = Instant(shared.since.load(Ordering::Relaxed));
        for action in Action::ALL {
            for reason in Reason::ALL {
                let count = shared.counts[action.index()][*reason as usize].load(Ordering::Relaxed);
                rows.push((*action, *reason, count as i64, since));
            }
        }
    }
    record::return_rows(args, &rows, |(action, reason, count, since)| {
        vec![action.name().param(), reason.name().param(), count.param(), since.param()]
    });
    Ok(Some(pg_sys::Datum::null()))
}
