//! `forget_prospect`: a request for erasure. The prospect's id becomes a new random one wherever it is written, and the
//! provider's words about its attempts go; counts, days and proofs stay. Account by account, in bounded batches.

use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, shown, sql_function};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::append_only;
use crate::verbs::leaving::{max_rows, must_see_every_row, under_way};
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

sql_function!(sendgate_forget_prospect, pg_finfo_sendgate_forget_prospect, forget_prospect);

/// The accounts that have attempts or work for the prospect, asked one by one by their indexes.
static ACCOUNTS: Statement = Statement::new(
    "SELECT a.id FROM sendgate.accounts a CROSS JOIN LATERAL (
         SELECT FROM sendgate.send_operations o
         WHERE o.account_id OPERATOR(pg_catalog.=) a.id AND o.prospect_id OPERATOR(pg_catalog.=) $1
         LIMIT 1) o
     UNION ALL
     SELECT a.id FROM sendgate.accounts a CROSS JOIN LATERAL (
         SELECT FROM sendgate.enrollments e
         WHERE e.account_id OPERATOR(pg_catalog.=) a.id AND e.prospect_id OPERATOR(pg_catalog.=) $1
         LIMIT 1) e",
    types![text],
);

/// Keys of rows of the prospect `$1`, at most `$2`. These tables have no index for it, because each delivery or skip
/// would pay for that; so they are read as a whole, before any account is held.
macro_rules! keys_of {
    ($table:literal) => {
        Statement::new(
            concat!(
                "SELECT o.account_id, o.id FROM sendgate.",
                $table,
                " o WHERE o.prospect_id OPERATOR(pg_catalog.=) $1 LIMIT $2"
            ),
            types![text, int8],
        )
    };
}

static KEYS: [Statement; LOGS] =
    [keys_of!("linkedin_events"), keys_of!("campaign_events"), keys_of!("breaker_log")];

/// Tables whose rows are found before.
const LOGS: usize = 3;

static UNDER_WAY: Statement = Statement::new(
    "SELECT pg_catalog.max(o.expires_at)
     FROM pg_catalog.unnest($1::pg_catalog.text[]) AS u (account_id)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id AND o.prospect_id OPERATOR(pg_catalog.=) $2
            AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['reserved', 'indeterminate'])
            AND o.expires_at OPERATOR(pg_catalog.>) $3",
    types![texts, text, instant],
);

/// Rows of the account `$1` and the prospect `$2`, at most `$5`; `$3` is the new id, `$4` the instant, `$6` the prospect
/// as an alert names it.
const TYPES: &[pg_sys::Oid] = types![text, text, text, instant, int8, text];

/// Changes rows of the prospect.
macro_rules! rows_of {
    ($table:literal, $set:literal, $where:literal) => {
        (
            $table,
            Statement::new(
                concat!(
                    "UPDATE sendgate.",
                    $table,
                    " t SET ",
                    $set,
                    " WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
                          SELECT o.ctid FROM sendgate.",
                    $table,
                    " o WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND ",
                    $where,
                    " LIMIT $5))"
                ),
                TYPES,
            ),
        )
    };
}

/// In the order in which rows are locked. What refers to the attempts of the prospect comes before the journal.
static TABLES: [(&str, Statement); 5] = [
    rows_of!(
        "enrollments",
        "prospect_id = $3, error = NULL, payload = NULL, next_dispatch_at = NULL,
         state = CASE WHEN t.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])
                      THEN 'cancelled' ELSE t.state END,
         reason = CASE WHEN t.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])
                       THEN NULL ELSE t.reason END,
         changed_at = $4",
        "o.prospect_id OPERATOR(pg_catalog.=) $2"
    ),
    rows_of!(
        "cooldown_log",
        "error = NULL, error_type = NULL",
        "(o.error IS NOT NULL OR o.error_type IS NOT NULL)
         AND o.operation_id OPERATOR(pg_catalog.=) ANY (ARRAY(
             SELECT p.operation_id FROM sendgate.send_operations p
             WHERE p.account_id OPERATOR(pg_catalog.=) $1 AND p.prospect_id OPERATOR(pg_catalog.=) $2))"
    ),
    // What names the prospect, or has the provider's words about it. An alert about an enrollment that could not be handed
    // out has PostgreSQL's words, with the row.
    rows_of!(
        "alerts",
        "detail = CASE WHEN t.kind OPERATOR(pg_catalog.<>) 'poisoned_enrollment'
                            AND pg_catalog.strpos(t.detail, $6) OPERATOR(pg_catalog.>) 0
                       THEN pg_catalog.replace(t.detail, $6, pg_catalog.concat('prospect \"', $3, '\"'))
                       ELSE 'about a prospect that was forgotten' END",
        "o.detail OPERATOR(pg_catalog.<>) 'about a prospect that was forgotten'
         AND (pg_catalog.strpos(o.detail, $6) OPERATOR(pg_catalog.>) 0
              OR EXISTS (
                  SELECT FROM sendgate.send_operations p
                  WHERE p.account_id OPERATOR(pg_catalog.=) $1 AND p.prospect_id OPERATOR(pg_catalog.=) $2
                    AND pg_catalog.strpos(o.detail, p.error) OPERATOR(pg_catalog.>) 0))"
    ),
    // The provider's text, where an answer changed the account's status.
    rows_of!(
        "admin_log",
        "note = NULL",
        "o.verb OPERATOR(pg_catalog.=) 'rollback' AND o.note IS NOT NULL
         AND o.operation_id OPERATOR(pg_catalog.=) ANY (ARRAY(
             SELECT p.operation_id FROM sendgate.send_operations p
             WHERE p.account_id OPERATOR(pg_catalog.=) $1 AND p.prospect_id OPERATOR(pg_catalog.=) $2))"
    ),
    rows_of!(
        "send_operations",
        "prospect_id = $3, error = NULL, error_type = NULL",
        "o.prospect_id OPERATOR(pg_catalog.=) $2"
    ),
];

/// Changes the rows with the keys `$4`.
macro_rules! log_of {
    ($table:literal, $set:literal) => {
        (
            $table,
            Statement::new(
                concat!(
                    "UPDATE sendgate.",
                    $table,
                    " t SET ",
                    $set,
                    " WHERE t.account_id OPERATOR(pg_catalog.=) $1 AND t.prospect_id OPERATOR(pg_catalog.=) $2
                        AND t.id OPERATOR(pg_catalog.=) ANY ($4::pg_catalog.uuid[])"
                ),
                types![text, text, text, uuids],
            ),
        )
    };
}

/// In the order of [`KEYS`].
static LOG_TABLES: [(&str, Statement); LOGS] = [
    // Of an operation that an earlier batch has met, the event has that batch's id.
    log_of!(
        "linkedin_events",
        "prospect_id = COALESCE(
             (SELECT p.prospect_id FROM sendgate.send_operations p
              WHERE p.account_id OPERATOR(pg_catalog.=) t.account_id
                AND p.operation_id OPERATOR(pg_catalog.=) t.operation_id), $3)"
    ),
    log_of!("campaign_events", "prospect_id = $3, detail = NULL"),
    log_of!("breaker_log", "prospect_id = $3, note = NULL, error_type = NULL"),
];

/// The lines about its suppressions, and about its work that was put back, stay; only the list itself still says
/// who it is.
static ADMIN_LOG: Statement = Statement::new(
    "UPDATE sendgate.admin_log t
     SET subject = CASE WHEN t.verb OPERATOR(pg_catalog.=) 'requeue' THEN t.subject ELSE $2 END,
         before = CASE WHEN t.verb OPERATOR(pg_catalog.=) 'requeue'
                       THEN pg_catalog.jsonb_set(t.before, ARRAY['prospect_id'], pg_catalog.to_jsonb($2))
                       ELSE t.before END
     WHERE t.id OPERATOR(pg_catalog.=) ANY (ARRAY(
         SELECT o.id FROM sendgate.admin_log o
         WHERE (o.subject OPERATOR(pg_catalog.=) $1
                AND o.verb OPERATOR(pg_catalog.=) ANY (ARRAY['suppress_prospect', 'unsuppress_prospect']))
            OR (o.verb OPERATOR(pg_catalog.=) 'requeue'
                AND (o.before OPERATOR(pg_catalog.->>) 'prospect_id') OPERATOR(pg_catalog.=) $1)
         LIMIT $3))",
    types![text, text, int8],
);

fn forget_prospect(args: &Args) -> Answer {
    let prospect = args.id(0, "prospect_id")?;
    let note = args.note(1)?;
    let most = max_rows(args, 2)?;
    let changed = Spi::connect(|spi| forget(spi, prospect, note, most))?;
    Ok((changed as i32).param())
}

/// What is known of the prospect, by account: keys of each log.
type Known = BTreeMap<String, [Vec<Id>; LOGS]>;

/// Reads who knows the prospect, without holding any account.
fn known(spi: &Spi, prospect: &str, most: i64) -> Known {
    let mut known = Known::new();
    for mut row in spi.run_on_latest_snapshot(&ACCOUNTS, params![prospect]).iter() {
        known.entry(row.value()).or_default();
    }
    for (i, keys) in KEYS.iter().enumerate() {
        for mut row in spi.run_on_latest_snapshot(keys, params![prospect, most]).iter() {
            let of_account = known.entry(row.value()).or_default();
            of_account[i].extend(row.nullable_uuid());
        }
    }
    known
}

/// Changes at most so many rows; how many.
fn forget(spi: &Spi, prospect: &str, note: Option<&str>, most: i64) -> Result<i64> {
    must_see_every_row(spi);
    let known = known(spi, prospect, most);
    refuse_under_way(spi, &known.keys().map(String::as_str).collect::<Vec<_>>(), prospect)?;
    commit::synchronously();
    let stranger = format!("forgotten-{}", ids::show(ids::fresh()));
    let in_alert = format!("prospect \"{}\"", shown(prospect));
    let mut batch =
        Batch { spi, prospect, stranger: &stranger, in_alert: &in_alert, left: most, changed: Map::new() };
    for (account, keys) in &known {
        if batch.left == 0 {
            break;
        }
        // An account that was removed meanwhile has nothing left.
        let Some((held, _)) = accounts::hold_if_there(account)? else { continue };
        refuse_under_way(spi, &[held.id()], prospect)?;
        append_only::changing(|| batch.forget(held, keys, clock::now()));
    }
    append_only::changing(|| batch.forget_in_admin_log());
    if !batch.changed.is_empty() {
        let after = json!({ "changed": batch.changed });
        admin_log::write(spi, "forget_prospect", None, Some(&stranger), (Value::Null, after), note);
    }
    Ok(most - batch.left)
}

fn refuse_under_way(spi: &Spi, accounts: &[&str], prospect: &str) -> Result<()> {
    let of = array(Element::Text, accounts.iter().copied());
    let values = [of, prospect.param(), clock::now().param()];
    let found = spi.run_on_latest_snapshot(&UNDER_WAY, &values).first();
    match found.and_then(|mut row| row.nullable_instant()) {
        Some(until) => Err(under_way("prospect", prospect, until)),
        None => Ok(()),
    }
}

/// What a call changes.
struct Batch<'a> {
    spi: &'a Spi,
    prospect: &'a str,
    /// The new id.
    stranger: &'a str,
    /// The prospect as an alert names it.
    in_alert: &'a str,
    left: i64,
    /// Rows by table.
    changed: Map<String, Value>,
}

impl Batch<'_> {
    fn forget(&mut self, account: Held<'_>, keys: &[Vec<Id>; LOGS], now: Instant) {
        for (table, statement) in &TABLES {
            while self.left > 0 {
                let values =
                    params![account.id(), self.prospect, self.stranger, now, self.left, self.in_alert];
                let rows = self.spi.write_on_latest_snapshot(statement, values).count();
                if !self.count(table, rows) {
                    break;
                }
            }
        }
        for ((table, statement), keys) in LOG_TABLES.iter().zip(keys) {
            let keys: Vec<Id> = keys.iter().take(self.left as usize).copied().collect();
            if !keys.is_empty() {
                let keys = array(Element::Uuid, keys);
                let values = [account.id().param(), self.prospect.param(), self.stranger.param(), keys];
                let rows = self.spi.write_on_latest_snapshot(statement, &values).count();
                self.count(table, rows);
            }
        }
    }

    fn forget_in_admin_log(&mut self) {
        while self.left > 0 {
            let values = params![self.prospect, self.stranger, self.left];
            let rows = self.spi.write_on_latest_snapshot(&ADMIN_LOG, values).count();
            if !self.count("admin_log", rows) {
                break;
            }
        }
    }

    /// Whether there were any.
    fn count(&mut self, table: &str, rows: usize) -> bool {
        self.left -= rows as i64;
        if rows > 0 {
            let before = self.changed.get(table).and_then(Value::as_i64).unwrap_or(0);
            self.changed.insert(table.to_owned(), json!(before + rows as i64));
        }
        rows > 0
    }
}
