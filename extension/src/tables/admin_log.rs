//! `admin_log`: who changed what, from what to what.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use serde_json::Value;

static ADMIN: Statement = Statement::new(
    "INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.jsonb, $8::pg_catalog.jsonb, $9)",
    types![uuid, instant, text, text, text, text, text, text, text],
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
            note
        ],
    );
}
