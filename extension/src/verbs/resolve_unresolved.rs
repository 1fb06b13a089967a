//! `resolve_unresolved`: an operator settles all operations of an outage whose outcome is unknown, by one
//! verdict.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, finite_instant, null_argument, show_instant, sql_statements};
use crate::postgres::gucs;
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::settle::batch::{ANSWERS_MAX, Batch, Keys, at};
use crate::settle::delivery::Report;
use crate::settle::known_credits::tell_resolved;
use crate::settle::verdict::{Verdict, is_awaited};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::enrollments;
use crate::tables::events::{self, Event};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId, OperationState};
use sendgate_decision::settle::{Failure, fail};
use serde_json::json;

sql_statements!(sendgate_resolve_unresolved, pg_finfo_sendgate_resolve_unresolved, resolve_unresolved);

/// Operations that wait for a verdict, in the order of the locks. The arguments are how the statement is planned,
/// where it reads, and which of those it takes.
macro_rules! find {
    ($made:path, $from:literal, $which:literal) => {
        $made(
            concat!(
                "SELECT o.account_id, o.reserved_at, o.operation_id
                 FROM ",
                $from,
                " o
                 WHERE o.reserved_at OPERATOR(pg_catalog.>=) $1 AND o.reserved_at OPERATOR(pg_catalog.<) $2
                   AND ",
                $which,
                " AND ($4 IS NULL OR o.action OPERATOR(pg_catalog.=) $4)
                   AND (o.state OPERATOR(pg_catalog.=) 'indeterminate'
                        OR (o.state OPERATOR(pg_catalog.=) 'reserved'
                            AND (o.expires_at OPERATOR(pg_catalog.<=) $5
                                 OR o.reserved_at OPERATOR(pg_catalog.>) $5)))
                 ORDER BY o.account_id, o.reserved_at, o.operation_id
                 LIMIT $6"
            ),
            types![instant, instant, text, text, instant, int8],
        )
    };
}

/// Of all accounts, the operations that are listed as unknown. Their index has no others in it, of whatever day. The
/// inner query asks for nothing else, because PostgreSQL would prefer an index that has the time in it.
static FIND_LISTED: Statement = find!(
    Statement::new,
    "(SELECT l.* FROM sendgate.send_operations l
      WHERE l.unknown_since OPERATOR(pg_catalog.>=) '-infinity' OFFSET 0)",
    "$3 IS NULL"
);

/// The others: they have run out since layer 1 was there last, or come from the dump of an old version. All rows of
/// the range are read, whatever came of them.
static FIND_UNLISTED: Statement =
    find!(Statement::of_a_time, "sendgate.send_operations", "$3 IS NULL AND o.unknown_since IS NULL");

static FIND_OF_ACCOUNT: Statement =
    find!(Statement::new, "sendgate.send_operations", "o.account_id OPERATOR(pg_catalog.=) $3");

/// Which operations a verdict is about.
struct Range<'a> {
    from: Instant,
    before: Instant,
    account: Option<&'a str>,
    action: Option<Action>,
}

impl Range<'_> {
    fn read(args: &Args) -> Result<Range<'_>> {
        let instant = |position, name| {
            let micros = args.time(position).ok_or_else(|| null_argument(name))?;
            finite_instant(micros, name)
        };
        let (from, before) = (instant(1, "reserved_from")?, instant(2, "reserved_before")?);
        if before < from {
            return Err(Error::new(
                Code::TimeOutOfRange,
                "reserved_before lies before reserved_from",
                format!(
                    "The range would end at {} and begin at {}.",
                    show_instant(before),
                    show_instant(from)
                ),
                "Pass the beginning of the outage first, then its end.",
            ));
        }
        Ok(Range {
            from,
            before,
            account: args.optional_id(3, "account_id")?,
            action: args.optional_action(4)?,
        })
    }
}

fn resolve_unresolved(args: &Args) -> Answer {
    let sent: bool = args.required(0, "sent")?;
    let range = Range::read(args)?;
    let verdict = Verdict { sent, note: args.note(5)? };
    let resolved = Spi::connect(|spi| resolve(spi, &range, verdict))?;
    Ok(resolved.param())
}

/// Settles what waits, at most 10,000 operations; how many those were.
fn resolve(spi: &Spi, range: &Range<'_>, verdict: Verdict<'_>) -> Result<i32> {
    if let Some(account) = range.account {
        accounts::read(account)?;
    }
    let keys = find(spi, range);
    let mut batch = Batch::hold(spi, &keys)?;
    let error_note = || verdict.error_note();
    let (mut events, mut probes) = (Vec::new(), Vec::new());
    let (mut expired, mut indeterminate) = (0, 0);
    for i in 0..keys.operations.len() {
        let op = batch.row(i).operation;
        // Its answer came while this call waited for the account.
        if !is_awaited(&op, batch.now) {
            continue;
        }
        match op.state {
            OperationState::Indeterminate => indeterminate += 1,
            _ => expired += 1,
        }
        if !verdict.sent {
            let settled = fail(batch.account(i), &op, &Failure::NOT_SENT, &gucs::limits(), batch.now);
            if batch.account(i).breaker.is_probe(&op.id) {
                probes.push(i);
            }
            tell_resolved(spi, batch.held(i), batch.row(i), batch.account(i), &settled, batch.now);
            batch.enrollment(i, Some(Failure::NOT_SENT), error_note().message, None);
            batch.settle(i, settled.state, settled.outcome, error_note(), Some(settled.account));
        } else if op.action == Action::Inmail {
            // The slot stays taken, but nothing proves the delivery, so no event is written.
            batch.enrollment(i, None, None, None);
            batch.settle(i, OperationState::Delivered, None, error_note(), None);
        } else {
            deliver(&mut batch, &keys, i, &mut events, verdict)?;
        }
    }
    let now = batch.now;
    let offers: Vec<Held<'_>> = probes
        .iter()
        .filter(|&&i| batch.account(i).breaker.has_permit(now))
        .map(|&i| batch.held(i))
        .collect();
    batch.write();
    events::insert_many(spi, &events, now);
    for account in offers {
        enrollments::offer(spi, account, now);
    }
    if expired + indeterminate > 0 {
        log(spi, range, verdict, (expired, indeterminate));
    }
    Ok(expired + indeterminate)
}

/// The operations that wait for a verdict, read without holding the accounts, in the order in which they are held.
fn find(spi: &Spi, range: &Range<'_>) -> Keys {
    let (action, now) = (range.action.map(Action::name), clock::now());
    let mut found: Vec<(String, Instant, OperationId)> = Vec::new();
    let statements: &[&Statement] = match range.account {
        Some(_) => &[&FIND_OF_ACCOUNT],
        None => &[&FIND_LISTED, &FIND_UNLISTED],
    };
    for statement in statements {
        // What one leaves, the next call of the function finds.
        let left = (ANSWERS_MAX - found.len()) as i64;
        if left == 0 {
            break;
        }
        let values = params![range.from, range.before, range.account, action, now, left];
        found.extend(spi.run(statement, values).iter().map(read_key));
    }
    found.sort_unstable();
    let (accounts, operations) = found.into_iter().map(|(account, _, id)| (account, id)).unzip();
    Keys { accounts, operations }
}

fn read_key(mut row: Row) -> (String, Instant, OperationId) {
    (row.value(), row.instant(), row.nullable_uuid().expect("the key of an operation is not null"))
}

/// An action that needs no proof was sent when its slot was taken.
fn deliver<'a>(
    batch: &mut Batch<'a>,
    keys: &'a Keys,
    i: usize,
    events: &mut Vec<Event<'a>>,
    verdict: Verdict<'_>,
) -> Result<()> {
    let report = Report {
        account: &keys.accounts[i],
        operation: keys.operations[i],
        chat_id: None,
        delivered_at: Some(batch.row(i).operation.reserved_at),
        event_follows: false,
        by_operator: true,
    };
    at(i, batch.deliver(i, &report, &verdict.error_note(), events)).map(drop)
}

/// One line for all: the journal notes the verdict beside each operation.
fn log(spi: &Spi, range: &Range<'_>, verdict: Verdict<'_>, (expired, indeterminate): (i32, i32)) {
    let state = verdict.state().name();
    let before = json!({
        "reserved_from": show_instant(range.from),
        "reserved_before": show_instant(range.before),
        "expired": expired,
        "indeterminate": indeterminate,
    });
    let after = json!({ state: expired + indeterminate });
    let subject = range.action.map(Action::name);
    admin_log::write(spi, "resolve_unresolved", range.account, subject, (before, after), verdict.note);
}
