//! `admin_log`: who changed what, from what to what.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use sendgate_decision::names::OperationId;
use serde_json::Value;

static ADMIN: Statement = Statement::new(
    "INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after, note, operation_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.jsonb, $8::pg_catalog.jsonb, $9, $10)",
    types![uuid, instant, text, text, text, text, text, text, text, uuid],
);

/// Logs what an operator changed, from what to what.
pub fn write(
    spi: &Spi,
    verb: &str,
    account: Option<&str>,
    subject: Option<&str>,
    change: (Value, Value),
    note: Option<&str>,
) {
    write_of(spi, verb, account, subject, change, note, None);
}

/// Logs that the provider's answer to an operation changed an account's status, with its text as the note.
pub fn write_answer(
    spi: &Spi,
    account: &str,
    change: (Value, Value),
    text: Option<&str>,
    operation: OperationId,
) {
    write_of(spi, "rollback", Some(account), Some("status"), change, text, Some(operation));
}

fn write_of(
    spi: &Spi,
    verb: &str,
    account: Option<&str>,
    subject: Option<&str>,
    change: (Value, Value),
    note: Option<&str>,
    operation: Option<OperationId>,
) {
    let [before, after] = [change.0, change.1].map(|v| (!v.is_null()).then(|| v.to_string()));
    spi.run(
        &ADMIN,
        params![
            ids::fresh(),
            clock::now(),
            &actor::name(),
            verb,
            account,
            subject,
            before.as_ref(),
            after.as_ref(),
            note,
            operation
        ],
    )
    .must_be(1, "admin_log");
}
