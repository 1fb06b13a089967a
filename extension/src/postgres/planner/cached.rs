//! A kept plan outlives changes of the session's `search_path`.
//!
//! PostgreSQL analyses and plans a statement anew where the path is another one than when it was planned,
//! because its names may then mean other objects. Ours name every object and operator with its schema. An
//! application that sets the path for each request, one schema a tenant, would pay for all plans each time.

use crate::postgres::list::cells;
use pgrx::pg_sys;
#[cfg(any(feature = "pg15", feature = "pg16"))]
use pgrx::pg_sys::{
    GetOverrideSearchPath as current_path, OverrideSearchPathMatchesCurrent as is_current_path,
};
#[cfg(any(feature = "pg17", feature = "pg18"))]
use pgrx::pg_sys::{
    GetSearchPathMatcher as current_path, SearchPathMatchesCurrentEnvironment as is_current_path,
};

/// Tells PostgreSQL that the plan was made under the path of now.
pub(in crate::postgres) unsafe fn keep_whatever_the_search_path(plan: pg_sys::SPIPlanPtr) {
    unsafe {
        for source in cells(pg_sys::SPI_plan_get_plan_sources(plan)) {
            let source: *mut pg_sys::CachedPlanSource = source.ptr_value.cast();
            let path = (*source).search_path;
            if !path.is_null() && !is_current_path(path) {
                (*source).search_path = current_path((*source).query_context);
                pg_sys::list_free((*path).schemas);
                pg_sys::pfree(path.cast());
            }
        }
    }
}
