//! Deferred triggers that are called for by what is written at the very end of a transaction.

use crate::postgres::caught::calling;
use crate::postgres::raw;

/// Fires the deferred triggers that wait, until there are none, as PostgreSQL itself does before a commit: a trigger may
/// open a cursor that outlives the transaction, and running that to its end may call for further triggers.
pub fn fire(is_prepare: bool) {
    unsafe {
        loop {
            calling(|| raw::AfterTriggerFireDeferred());
            if !calling(|| raw::PreCommit_Portals(is_prepare)) {
                return;
            }
        }
    }
}
