//! A table's CHECKs, made ready once in a session. PostgreSQL parses their stored text anew for every statement
//! that writes a row, which costs as much as the write.

use crate::postgres::caught::calling;
use crate::postgres::raw;
use pgrx::pg_sys;
use std::ffi::CStr;

/// The CHECKs of a table as the executor evaluates them, in the order of the table's list. They live in memory of their
/// own until the table's definition changes.
pub(super) struct Checks {
    state: *mut pg_sys::EState,
    ready: *mut *mut pg_sys::ExprState,
}

impl Checks {
    /// Of a table that is open, if it has none but these. A DBA's own may call functions that are replaced while
    /// the table stays as it is, so the executor makes them ready each time.
    pub unsafe fn of(table: pg_sys::Relation, ours: &[&CStr]) -> Option<Checks> {
        unsafe {
            let rules = (*(*table).rd_att).constr.as_ref()?;
            // Without any, there is no list either.
            if rules.num_check == 0 {
                return None;
            }
            let all = std::slice::from_raw_parts(rules.check, usize::from(rules.num_check));
            if !all.iter().all(|check| ours.contains(&CStr::from_ptr(check.ccname))) {
                return None;
            }
            #[cfg(feature = "pg18")]
            {
                if all.iter().any(|check| !check.ccenforced) {
                    return None;
                }
            }
            let (first, count) = (all.as_ptr(), all.len());
            Some(calling(|| {
                let before = raw::switch_to(pg_sys::TopMemoryContext);
                let state = raw::CreateExecutorState();
                raw::switch_to((*state).es_query_cxt);
                let bytes = count * size_of::<*mut pg_sys::ExprState>();
                let made = raw::palloc0(bytes).cast::<*mut pg_sys::ExprState>();
                for i in 0..count {
                    let check = raw::stringToNode((*first.add(i)).ccbin);
                    *made.add(i) = raw::ExecPrepareExpr(check.cast(), state);
                }
                raw::switch_to(before);
                Checks { state, ready: made }
            }))
        }
    }

    /// As the executor's target of a write keeps them.
    pub fn ready(&self) -> *mut *mut pg_sys::ExprState {
        self.ready
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        unsafe { pg_sys::FreeExecutorState(self.state) }
    }
}
