//! How the extension's statements are planned: for large tables, whatever PostgreSQL knows of them, and
//! whatever the session has set.
//!
//! A plan that was made while a table was nearly empty must still be right a million rows later: a worker
//! keeps its session for weeks, and a queue that is analysed before a campaign begins is empty. So we tell
//! the planner that the tables are large, and no plan depends on the time of the last ANALYZE.
//!
//! The hooks are installed once, when the library is loaded, and call those that were there before. While no
//! statement of ours is planned they do nothing else, and no boundary of pgrx stands between PostgreSQL and
//! the hook before: an error of the application's passes as it is.

mod cached;
mod column;
mod settings;

pub(super) use cached::keep_whatever_the_search_path;

use crate::postgres::list::cells;
use crate::postgres::raw;
use pgrx::pg_guard;
use pgrx::pg_sys;
use settings::Settings;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};

/// A table has at least this many rows, for the planner.
const ROWS: f64 = 1_000_000.0;

/// No page is all-visible, so index-only scans look no cheaper: they save nothing where rows change.
const ALL_VISIBLE: f64 = 0.0;

/// Rows on a page: as many as the journal's rows allow.
const ROWS_A_PAGE: f64 = 40.0;

/// An index has so many entries on a page, with keys of three texts.
const ENTRIES_A_PAGE: f64 = 100.0;

/// Levels above the leaves of an index of that size.
const TREE_HEIGHT: i32 = 2;

/// No statement of ours: statements within statements are counted from 1.
const NO_STATEMENT: u32 = 0;

thread_local! {
    /// The hooks that were there before ours.
    static PLANNER: Cell<pg_sys::planner_hook_type> = const { Cell::new(None) };
    static START: Cell<pg_sys::ExecutorStart_hook_type> = const { Cell::new(None) };
    static SIZE: Cell<pg_sys::get_relation_info_hook_type> = const { Cell::new(None) };
    static STATS: Cell<pg_sys::get_relation_stats_hook_type> = const { Cell::new(None) };
    /// The text of the statement that runs, and how it is planned; none while none of ours does.
    static RUNNING: Cell<Option<(*const str, Reads)>> = const { Cell::new(None) };
    /// How many statements of ours run, one within another.
    static DEPTH: Cell<u32> = const { Cell::new(NO_STATEMENT) };
    /// The statement that is planned with our settings, and those of the session meanwhile.
    static PLANNED: Cell<u32> = const { Cell::new(NO_STATEMENT) };
    static SESSION: Cell<Settings> = const { Cell::new(Settings::OURS) };
    /// The statement for which the session's `plan_cache_mode` is set aside.
    static UNFORCED: Cell<u32> = const { Cell::new(NO_STATEMENT) };
}

/// Installs the hooks; called when the library is loaded.
pub fn install() {
    unsafe {
        PLANNER.set(pg_sys::planner_hook);
        pg_sys::planner_hook = Some(plan);
        START.set(pg_sys::ExecutorStart_hook);
        pg_sys::ExecutorStart_hook = Some(start);
        SIZE.set(pg_sys::get_relation_info_hook);
        pg_sys::get_relation_info_hook = Some(tell_size);
        STATS.set(pg_sys::get_relation_stats_hook);
        pg_sys::get_relation_stats_hook = Some(tell_column);
    }
}

/// As long as this lives, a statement runs, and is planned for large tables if it has no plan yet. What a
/// trigger of the application does meanwhile is planned as anywhere else: its session keeps that plan, too.
pub(super) struct Planning {
    before: Option<(*const str, Reads)>,
}

/// What a statement reads of a large table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// A few rows, which an index finds.
    Few,
    /// All rows of some time, which lie beside each other: their pages are found by a BRIN index.
    OfATime,
}

impl Reads {
    fn settings(self) -> Settings {
        match self {
            Reads::Few => Settings::OURS,
            Reads::OfATime => Settings::OF_A_TIME,
        }
    }
}

impl Planning {
    /// Of the statement with this text.
    pub fn of(sql: &str, reads: Reads) -> Planning {
        let depth = DEPTH.get() + 1;
        DEPTH.set(depth);
        // It would have every statement planned anew for each call, although its plan never depends on values.
        if unsafe { pg_sys::plan_cache_mode } == FORCE_CUSTOM_PLAN {
            unsafe { pg_sys::plan_cache_mode = AUTO };
            UNFORCED.set(depth);
        }
        Planning { before: RUNNING.replace(Some((std::ptr::from_ref(sql), reads))) }
    }
}

impl Drop for Planning {
    /// An error leaves the hooks without a word, so what they changed is put right here.
    fn drop(&mut self) {
        let depth = DEPTH.get();
        RUNNING.set(self.before);
        if PLANNED.get() == depth {
            restore_settings();
        }
        if UNFORCED.get() == depth {
            restore_plan_cache_mode();
        }
        DEPTH.set(depth - 1);
    }
}

const AUTO: c_int = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_AUTO as c_int;
const FORCE_CUSTOM_PLAN: c_int = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN as c_int;

fn restore_plan_cache_mode() {
    UNFORCED.set(NO_STATEMENT);
    unsafe { pg_sys::plan_cache_mode = FORCE_CUSTOM_PLAN };
}

fn restore_settings() {
    PLANNED.set(NO_STATEMENT);
    SESSION.get().apply();
}

/// How to plan this text, if it is that of our statement that runs now, and not of what it calls.
unsafe fn ours_to_plan(text: *const c_char) -> Option<Reads> {
    if text.is_null() || PLANNED.get() != NO_STATEMENT {
        return None;
    }
    let (sql, reads) = RUNNING.get()?;
    let is_text = unsafe { CStr::from_ptr(text).to_bytes() == (*sql).as_bytes() };
    is_text.then_some(reads)
}

/// The planner. An ERROR below passes over it with a `longjmp`, so nothing here needs dropping.
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    unsafe {
        let ours = ours_to_plan(text);
        if let Some(reads) = ours {
            SESSION.set(Settings::current());
            PLANNED.set(DEPTH.get());
            reads.settings().apply();
        }
        let planned = match PLANNER.get() {
            Some(next) => next(query, text, options, params),
            None => raw::standard_planner(query, text, options, params),
        };
        if ours.is_some() {
            restore_settings();
        }
        planned
    }
}

/// A statement has its plan and begins: from here on the session's own `plan_cache_mode` holds again, for what
/// the application's triggers do.
unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    if UNFORCED.get() != NO_STATEMENT {
        restore_plan_cache_mode();
    }
    unsafe {
        match START.get() {
            Some(next) => next(query, flags),
            None => raw::standard_ExecutorStart(query, flags),
        }
    }
}

/// A statement about the application's own table is planned here, too: that table is as it is.
unsafe fn is_ours(relation: pg_sys::Oid) -> bool {
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"sendgate".as_ptr(), true);
        schema != pg_sys::InvalidOid && pg_sys::get_rel_namespace(relation) == schema
    }
}

/// The size of a table and its indexes.
unsafe extern "C-unwind" fn tell_size(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    inhparent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    unsafe {
        if let Some(next) = SIZE.get() {
            next(root, relation, inhparent, rel);
        }
        if PLANNED.get() != NO_STATEMENT {
            enlarge(relation, rel);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn enlarge(relation: pg_sys::Oid, rel: *mut pg_sys::RelOptInfo) {
    unsafe {
        if !is_ours(relation) {
            return;
        }
        (*rel).tuples = (*rel).tuples.max(ROWS);
        (*rel).allvisfrac = ALL_VISIBLE;
        (*rel).pages = (*rel).pages.max((ROWS / ROWS_A_PAGE) as pg_sys::BlockNumber);
        for index in cells((*rel).indexlist) {
            let index: *mut pg_sys::IndexOptInfo = index.ptr_value.cast();
            // A BRIN index has a few pages, however large its table is.
            if (*index).relam == pg_sys::BTREE_AM_OID {
                (*index).tuples = (*rel).tuples;
                (*index).pages = (*index).pages.max((ROWS / ENTRIES_A_PAGE) as pg_sys::BlockNumber);
                (*index).tree_height = (*index).tree_height.max(TREE_HEIGHT);
            }
        }
    }
}

/// What ANALYZE noted is of the day when it ran: a single account, no campaign.
unsafe extern "C-unwind" fn tell_column(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    number: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData,
) -> bool {
    unsafe {
        if PLANNED.get() != NO_STATEMENT && tell_own_column(entry, number, found) {
            return true;
        }
        STATS.get().is_some_and(|next| next(root, entry, number, found))
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn tell_own_column(
    entry: *mut pg_sys::RangeTblEntry,
    number: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData,
) -> bool {
    unsafe {
        let ours = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && is_ours((*entry).relid);
        if ours {
            let reads = RUNNING.get().map_or(Reads::Few, |(_, reads)| reads);
            column::tell((*entry).relid, number, reads, &mut *found);
        }
        ours
    }
}
