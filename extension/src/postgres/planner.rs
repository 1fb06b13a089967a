//! How the extension's statements are planned: for large tables, whatever PostgreSQL knows of them.
//!
//! A plan that was made while a table was nearly empty must still be right a million rows later: a worker
//! keeps its session for weeks, and a queue that is analysed before a campaign begins is empty. So we tell
//! the planner that the tables are large, and no plan depends on the time of the last ANALYZE.

mod column;

use pgrx::pg_guard;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
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

type Hooks = (pg_sys::get_relation_info_hook_type, pg_sys::get_relation_stats_hook_type);

thread_local! {
    /// The text of the statement that runs; none while none of ours does.
    static RUNNING: Cell<Option<*const str>> = const { Cell::new(None) };
    /// Whether [`plan`] is asked: it stays so where another extension has put itself before it meanwhile.
    static ASKED: Cell<bool> = const { Cell::new(false) };
    /// The planner hook of another extension, which plans for us; none: PostgreSQL plans.
    static NEXT: Cell<pg_sys::planner_hook_type> = const { Cell::new(None) };
    /// Hooks of other extensions, while ours are in their place: what they say about other tables holds.
    static OTHERS: Cell<Option<Hooks>> = const { Cell::new(None) };
}

/// As long as this lives, a statement runs, and is planned for large tables if it has no plan yet. What a
/// trigger of the application does meanwhile is planned as anywhere else: its session keeps that plan, too.
pub(super) struct Planning {
    before: Option<*const str>,
}

impl Planning {
    /// Of the statement with this text.
    pub fn of(sql: &str) -> Planning {
        if !ASKED.replace(true) {
            unsafe {
                NEXT.set(pg_sys::planner_hook);
                pg_sys::planner_hook = Some(plan);
            }
        }
        Planning { before: RUNNING.replace(Some(sql)) }
    }
}

impl Drop for Planning {
    fn drop(&mut self) {
        RUNNING.set(self.before);
        // An extension that installed its hook meanwhile goes on calling ours.
        if self.before.is_none() && is_plan(unsafe { pg_sys::planner_hook }) {
            unsafe { pg_sys::planner_hook = NEXT.get() };
            ASKED.set(false);
        }
    }
}

fn is_plan(hook: pg_sys::planner_hook_type) -> bool {
    hook.is_some_and(|hook| hook as usize == plan as *const () as usize)
}

#[pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    unsafe {
        let is_text =
            |sql: *const str| !text.is_null() && CStr::from_ptr(text).to_bytes() == (*sql).as_bytes();
        let _large = RUNNING.get().is_some_and(is_text).then(LargeTables::assume);
        match NEXT.get() {
            Some(next) => pg_guard_ffi_boundary(|| next(query, text, options, params)),
            None => pg_sys::standard_planner(query, text, options, params),
        }
    }
}

/// The settings from before, which are restored at the end.
struct LargeTables {
    enable_seqscan: bool,
    enable_bitmapscan: bool,
    enable_hashjoin: bool,
    enable_mergejoin: bool,
    jit_enabled: bool,
    hooks: Hooks,
    others: Option<Hooks>,
}

impl LargeTables {
    /// No sequential scans, no joins that read whole tables, no bitmaps, which pay for many rows and not for
    /// the few that are asked for here, and no JIT, since compiling a look-up takes a thousand times as long
    /// as it.
    fn assume() -> LargeTables {
        unsafe {
            let before = LargeTables {
                enable_seqscan: pg_sys::enable_seqscan,
                enable_bitmapscan: pg_sys::enable_bitmapscan,
                enable_hashjoin: pg_sys::enable_hashjoin,
                enable_mergejoin: pg_sys::enable_mergejoin,
                jit_enabled: pg_sys::jit_enabled,
                hooks: (pg_sys::get_relation_info_hook, pg_sys::get_relation_stats_hook),
                others: OTHERS.get(),
            };
            pg_sys::enable_seqscan = false;
            pg_sys::enable_bitmapscan = false;
            pg_sys::enable_hashjoin = false;
            pg_sys::enable_mergejoin = false;
            pg_sys::jit_enabled = false;
            // What is planned to be computed beforehand may call us again: then the hooks are ours already.
            OTHERS.set(before.others.or(Some(before.hooks)));
            pg_sys::get_relation_info_hook = Some(tell_size);
            pg_sys::get_relation_stats_hook = Some(tell_column);
            before
        }
    }
}

impl Drop for LargeTables {
    fn drop(&mut self) {
        unsafe {
            pg_sys::enable_seqscan = self.enable_seqscan;
            pg_sys::enable_bitmapscan = self.enable_bitmapscan;
            pg_sys::enable_hashjoin = self.enable_hashjoin;
            pg_sys::enable_mergejoin = self.enable_mergejoin;
            pg_sys::jit_enabled = self.jit_enabled;
            (pg_sys::get_relation_info_hook, pg_sys::get_relation_stats_hook) = self.hooks;
            OTHERS.set(self.others);
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
#[pg_guard]
unsafe extern "C-unwind" fn tell_size(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    inhparent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    unsafe {
        if let Some((Some(other), _)) = OTHERS.get() {
            pg_guard_ffi_boundary(|| other(root, relation, inhparent, rel));
        }
        if !is_ours(relation) {
            return;
        }
        (*rel).tuples = (*rel).tuples.max(ROWS);
        (*rel).allvisfrac = ALL_VISIBLE;
        (*rel).pages = (*rel).pages.max((ROWS / ROWS_A_PAGE) as pg_sys::BlockNumber);
        let indexes = (*rel).indexlist.as_ref();
        for i in 0..indexes.map_or(0, |list| list.length as usize) {
            let index: *mut pg_sys::IndexOptInfo = (*(*(*rel).indexlist).elements.add(i)).ptr_value.cast();
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
#[pg_guard]
unsafe extern "C-unwind" fn tell_column(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    number: pg_sys::AttrNumber,
    found: *mut pg_sys::VariableStatData,
) -> bool {
    unsafe {
        if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && is_ours((*entry).relid) {
            column::tell((*entry).relid, number, &mut *found);
            return true;
        }
        let other = OTHERS.get().and_then(|(_, stats)| stats);
        other.is_some_and(|other| pg_guard_ffi_boundary(|| other(root, entry, number, found)))
    }
}
