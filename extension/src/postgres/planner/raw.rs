//! PostgreSQL's own planner and start of a statement, without pgrx's boundary: it would make a Rust panic of
//! an application's error, which loses its context on the way.
#![allow(missing_docs)]

use pgrx::pg_sys::*;
use std::ffi::{c_char, c_int};

unsafe extern "C-unwind" {
    pub fn standard_planner(
        query: *mut Query,
        text: *const c_char,
        options: c_int,
        params: ParamListInfo,
    ) -> *mut PlannedStmt;
    pub fn standard_ExecutorStart(query: *mut QueryDesc, flags: c_int);
}
