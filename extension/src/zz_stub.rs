use crate::entry::{Answer, Args, sql_function};
fn stub(_: &Args) -> Answer {
    Ok(Some(pgrx::pg_sys::Datum::null()))
}
sql_function!(sendgate_record_external_send, pg_finfo_sendgate_record_external_send, stub);
sql_function!(sendgate_guard_send, pg_finfo_sendgate_guard_send, stub);
sql_function!(sendgate_settle_send, pg_finfo_sendgate_settle_send, stub);
fn stub_event(args: &Args) -> Answer {
    let data = unsafe { &*(*args.0).context.cast::<pgrx::pg_sys::TriggerData>() };
    Ok(Some(pgrx::pg_sys::Datum::from(data.tg_trigtuple)))
}
sql_function!(sendgate_journal_event, pg_finfo_sendgate_journal_event, stub_event);
