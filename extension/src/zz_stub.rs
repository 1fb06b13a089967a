use crate::entry::{Answer, Args, sql_function};
fn stub(_: &Args) -> Answer {
    Ok(Some(pgrx::pg_sys::Datum::null()))
}
sql_function!(sendgate_guard_send, pg_finfo_sendgate_guard_send, stub);
sql_function!(sendgate_settle_send, pg_finfo_sendgate_settle_send, stub);
