//! `remove_account`: an account leaves with all its rows, in bounded batches.
//!
//! The account's row goes last, in the batch that finds nothing else, so that whatever writes about the account
//! meanwhile holds it, and is met by a later batch. The tables come in `prune`'s order, which locks some of the same
//! rows.

use crate::postgres::arrivals;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::append_only;
use crate::verbs::leaving::{max_rows, must_see_every_row, under_way};
use pgrx::JsonB;
use sendgate_decision::clock::DAY;
use sendgate_decision::names::Status;
use serde_json::{Map, Value, json};

sql_function!(sendgate_remove_account, pg_finfo_sendgate_remove_account, remove_account);

/// The longest `sendgate.operation_ttl`, and a day for where it began.
const TTL_MAX: i64 = 8 * DAY;

/// By day, so that the whole journal of the account need not be read.
static UNDER_WAY: Statement = Statement::new(
    "SELECT pg_catalog.max(o.expires_at)
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1
       AND o.counted_on OPERATOR(pg_catalog.>=) ($3 AT TIME ZONE 'UTC')::pg_catalog.date
       AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['reserved', 'indeterminate'])
       AND o.expires_at OPERATOR(pg_catalog.>) $2",
    types![text, instant, instant],
);

/// Its name, what deletes from it, at most `$2` rows, and what tells whether a row is left.
type Table = (&'static str, Statement, Statement);

/// Deletes rows of the account `$1`.
macro_rules! rows_of {
    ($table:literal) => {
        rows_of!($table, "o.account_id OPERATOR(pg_catalog.=) $1")
    };
    ($table:literal, $where:literal) => {
        (
            $table,
            Statement::new(
                concat!(
                    "DELETE FROM sendgate.",
                    $table,
                    " t WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
                          SELECT o.ctid FROM sendgate.",
                    $table,
                    " o WHERE ",
                    $where,
                    " LIMIT $2))"
                ),
                types![text, int8],
            ),
            Statement::new(
                concat!("SELECT 1 FROM sendgate.", $table, " o WHERE ", $where, " LIMIT 1"),
                types![text],
            ),
        )
    };
}

/// All tables with rows of an account but its own.
static TABLES: [Table; 15] = [
    rows_of!("send_operations"),
    rows_of!("webhook_outbox"),
    rows_of!("breaker_outbox"),
    rows_of!("breaker_log"),
    rows_of!("campaign_events"),
    rows_of!("cooldown_log"),
    rows_of!("counter_drift"),
    rows_of!("credit_balances"),
    rows_of!(
        "admin_log",
        "o.account_id OPERATOR(pg_catalog.=) $1 AND o.verb OPERATOR(pg_catalog.<>) 'remove_account'"
    ),
    rows_of!("alerts"),
    rows_of!("observed_refusals"),
    rows_of!("enrollments"),
    rows_of!("dispatch_queue"),
    rows_of!("linkedin_events"),
    // Last, because it has no index for this: what a worker got for a request of this account alone.
    rows_of!(
        "dispatch_requests",
        "o.account_id OPERATOR(pg_catalog.=) $1 OR o.account_ids OPERATOR(pg_catalog.<@) ARRAY[$1]"
    ),
];

/// Requests that got rows of other accounts as well keep those.
static SHORTEN_REQUESTS: Statement = Statement::new(
    "UPDATE sendgate.dispatch_requests r
     SET account_ids = k.account_ids, operation_ids = k.operation_ids
     FROM (
         SELECT o.request_id, k.account_ids, k.operation_ids
         FROM sendgate.dispatch_requests o
         CROSS JOIN LATERAL (
             SELECT pg_catalog.array_agg(u.account_id ORDER BY u.n) AS account_ids,
                    pg_catalog.array_agg(u.operation_id ORDER BY u.n) AS operation_ids
             FROM ROWS FROM (pg_catalog.unnest(o.account_ids), pg_catalog.unnest(o.operation_ids))
                  WITH ORDINALITY AS u (account_id, operation_id, n)
             WHERE u.account_id OPERATOR(pg_catalog.<>) $1
         ) k
         WHERE o.account_ids OPERATOR(pg_catalog.@>) ARRAY[$1] AND k.account_ids IS NOT NULL
         LIMIT $2
     ) k
     WHERE r.request_id OPERATOR(pg_catalog.=) k.request_id",
    types![text, int8],
);

static DELETE_ACCOUNT: Statement =
    Statement::new("DELETE FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) $1", types![text]);

/// The line of the batches before, whose counts go on.
static TAKE_LINE: Statement = Statement::new(
    "DELETE FROM sendgate.admin_log l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.verb OPERATOR(pg_catalog.=) 'remove_account'
       AND (l.after OPERATOR(pg_catalog.->) 'finished') OPERATOR(pg_catalog.=) 'false'::pg_catalog.jsonb
     RETURNING l.before, l.after",
    types![text],
);

fn remove_account(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let note = args.note(1)?;
    let most = max_rows(args, 2)?;
    let removed = Spi::connect(|spi| remove(spi, account, note, most))?;
    Ok((removed as i32).param())
}

/// Removes at most so many rows; how many.
fn remove(spi: &Spi, account: &str, note: Option<&str>, most: i64) -> Result<i64> {
    let Some((held, row)) = accounts::hold_if_there(account)? else {
        return Ok(0);
    };
    must_see_every_row(spi);
    let now = clock::now();
    let values = params![held.id(), now, now.plus(-TTL_MAX)];
    let under = spi.run_on_latest_snapshot(&UNDER_WAY, values).first();
    if let Some(until) = under.and_then(|mut row| row.nullable_instant()) {
        return Err(under_way("account", account, until));
    }
    let before = row.account.status;
    if before != Status::Disconnected {
        let mut after = row.account.rolled(now);
        after.set_status(Status::Disconnected);
        accounts::write_held(spi, held, row.version, &after)?;
    }
    commit::synchronously();
    let mut batch = Batch { spi, held, left: most, removed: Map::new() };
    append_only::deleting(|| batch.remove())?;
    batch.log(before, note);
    Ok(most - batch.left)
}

/// What a call removes.
struct Batch<'a> {
    spi: &'a Spi,
    held: Held<'a>,
    left: i64,
    /// Rows by table.
    removed: Map<String, Value>,
}

impl Batch<'_> {
    fn remove(&mut self) -> Result<()> {
        self.empty_tables();
        if self.left == 0 {
            return Ok(());
        }
        // Work that arrived meanwhile is visible now, and none arrives any more.
        arrivals::exclude(self.held.id())?;
        self.empty_tables();
        if self.left > 0 {
            self.must_be_empty();
            if self.run("accounts", &DELETE_ACCOUNT, false) == 0 {
                dropped("accounts", 1, 0);
            }
        }
        Ok(())
    }

    /// Goes on with a table until nothing of it is left: a row that another session was changing is met again.
    fn empty_tables(&mut self) {
        for (name, statement, _) in &TABLES {
            while self.run(name, statement, true) > 0 {}
        }
        while self.run("dispatch_requests", &SHORTEN_REQUESTS, true) > 0 {}
    }

    /// Raises an error where a trigger of a DBA's kept rows: without their account they would stay for ever.
    fn must_be_empty(&self) {
        must_see_every_row(self.spi);
        for (name, _, is_left) in &TABLES {
            if self.spi.run_on_latest_snapshot(is_left, params![self.held.id()]).count() > 0 {
                dropped(name, 1, 0);
            }
        }
    }

    fn run(&mut self, table: &str, statement: &Statement, is_limited: bool) -> i64 {
        if self.left == 0 {
            return 0;
        }
        let values = params![self.held.id(), self.left];
        let values = if is_limited { values } else { &values[..1] };
        let rows = self.spi.write_on_latest_snapshot(statement, values).count() as i64;
        self.left -= rows;
        if rows > 0 {
            add(&mut self.removed, table, rows);
        }
        rows
    }

    /// One line for the account, whatever the number of batches.
    fn log(&self, status: Status, note: Option<&str>) {
        let mut removed = self.removed.clone();
        let mut before = json!(status.name());
        let line = append_only::deleting(|| {
            self.spi.write_on_latest_snapshot(&TAKE_LINE, params![self.held.id()]).first()
        });
        if let Some(mut line) = line {
            before = line.nullable::<JsonB>().map_or(before, |JsonB(value)| value);
            let after = line.nullable::<JsonB>().map_or(Value::Null, |JsonB(value)| value);
            for (table, rows) in after["removed"].as_object().into_iter().flatten() {
                add(&mut removed, table, rows.as_i64().unwrap_or(0));
            }
        }
        let finished = self.removed.contains_key("accounts");
        let after = json!({ "finished": finished, "removed": removed });
        admin_log::write(self.spi, "remove_account", Some(self.held.id()), None, (before, after), note);
    }
}

fn add(removed: &mut Map<String, Value>, table: &str, rows: i64) {
    let before = removed.get(table).and_then(Value::as_i64).unwrap_or(0);
    removed.insert(table.to_owned(), json!(before + rows));
}
