//! `judge_trigger`: what is wrong with the declaration of a trigger, without firing it. The view
//! `guard_triggers` asks it about every trigger of this kind.

use crate::postgres::error::Error;
use crate::postgres::function::{Answer, Args, sql_reading};
use crate::postgres::param::IntoParam;
use crate::postgres::record::RecordType;
use crate::postgres::trigger::Declared;
use crate::triggers::guard::send::Guard;
use crate::triggers::guard::settle::{FUNCTION, Settling};
use pgrx::pg_sys;

sql_reading!(sendgate_judge_trigger, pg_finfo_sendgate_judge_trigger, judge_trigger);

static VERDICT: RecordType = RecordType::new(&[
    (c"fault", pg_sys::TEXTOID),
    (c"detail", pg_sys::TEXTOID),
    (c"hint", pg_sys::TEXTOID),
    (c"operation_column", pg_sys::INT2OID),
]);

/// What the first row would be told, and where the operation ids are.
#[derive(Default)]
struct Verdict {
    fault: Option<Error>,
    operation_column: Option<i16>,
}

fn judge_trigger(args: &Args) -> Answer {
    let table: pg_sys::Oid = args.required(0, "table_oid")?;
    let trigger: pg_sys::Oid = args.required(1, "trigger_oid")?;
    let verdict = Declared::in_catalog(table, trigger, judge).unwrap_or_default();
    let fault = verdict.fault.as_ref();
    Ok(Some(VERDICT.row(&[
        fault.map(Error::message).param(),
        fault.map(Error::detail).param(),
        fault.map(Error::hint).param(),
        verdict.operation_column.param(),
    ])))
}

fn judge(declared: &Declared<'_>) -> Verdict {
    let operation = if declared.calls(FUNCTION) {
        Settling::of(declared).map(|settling| settling.operation)
    } else if declared.calls("guard_send") {
        Guard::of(declared).map(|guard| guard.operation)
    } else {
        return Verdict::default();
    };
    match operation {
        Ok(column) => Verdict { fault: None, operation_column: Some(column.number as i16) },
        Err(fault) => Verdict { fault: Some(fault), operation_column: None },
    }
}
