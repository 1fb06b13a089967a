//! How many tickets a page reads.

use crate::verbs::dispatch::Handed;
use std::cell::Cell;
use std::collections::HashSet;

/// Most tickets of a page. A page reads as many as are needed for the wanted slots, judged by the work that an
/// account had on the session's last page, and a quarter more; four times as many after each page without work.
/// Their accounts are held until the transaction ends, and other dispatchers pass over them.
const TICKETS_MAX: usize = 256;

const MORE_FOR_EACH: usize = 4;

/// Slots that an account is expected to have before the session has seen any work. After a poorer page the
/// expectation falls to a quarter at the lowest.
const WORK_EXPECTED: usize = 4;

const FORGETS_AT_ONCE: usize = 4;

thread_local! {
    /// Slots that an account with work had on the last page of this session that had any.
    static WORK_FOUND: Cell<usize> = const { Cell::new(WORK_EXPECTED) };
}

/// How many tickets are to be read for so many slots, `times` as many where pages had no work.
pub(super) fn tickets_for(wanted: usize, times: usize) -> usize {
    let accounts = wanted.div_ceil(WORK_FOUND.get());
    (accounts + accounts / MORE_FOR_EACH).saturating_mul(times).min(TICKETS_MAX)
}

/// Remembers how many slots an account had. A single one may have had more than was wanted, unless more
/// are `wanted` still. A page of poor accounts does not make the next one hold very many at once.
pub(super) fn learn(handed: &[Handed], wanted: usize) {
    if handed.is_empty() {
        return;
    }
    let accounts: HashSet<&str> = handed.iter().map(|row| row.account.as_str()).collect();
    let (found, before) = (handed.len() / accounts.len(), WORK_FOUND.get());
    if accounts.len() > 1 || wanted > 0 || found > before {
        WORK_FOUND.set(found.max(before / FORGETS_AT_ONCE));
    }
}
