//! Triggers of sendgate's own tables.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::entry::{Answer, Args, sql_function};
use crate::error::{Code, Error};

sql_function!(sendgate_append_only, pg_finfo_sendgate_append_only, append_only);
sql_function!(sendgate_config_changed, pg_finfo_sendgate_config_changed, config_changed);

/// The trigger's data, when the function was called as a trigger.
fn trigger_data(args: &Args) -> Option<&pg_sys::TriggerData> {
    unsafe {
        let context = (*args.0).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            return None;
        }
        context.cast::<pg_sys::TriggerData>().as_ref()
    }
}

fn append_only(args: &Args) -> Answer {
    let table = trigger_data(args).map_or_else(String::new, |data| unsafe {
        CStr::from_ptr((*(*data.tg_relation).rd_rel).relname.data.as_ptr()).to_string_lossy().into_owned()
    });
    Err(Error::new(
        Code::AppendOnly,
        format!("sendgate.{table} is append-only"),
        "What happened stays written: rows are neither changed nor removed.",
        "Add a new row instead; old rows leave by prune only.",
    ))
}

/// Tells every backend, when the transaction commits, to compile its configuration anew.
fn config_changed(args: &Args) -> Answer {
    if let Some(data) = trigger_data(args) {
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid((*data.tg_relation).rd_id) };
    }
    Ok(Some(pg_sys::Datum::null()))
}
