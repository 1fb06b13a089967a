//! Several operations of the journal in one statement.

use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::param::{Element, IntoParam, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::activity;
use crate::tables::journal::{self, ErrorNote, JournalRow};
use sendgate_decision::account::Recalled;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{Action, OperationId, OperationState, Outcome};
use sendgate_decision::settle::Operation;

static READ: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, o.action, o.state, o.counted_on, o.reserved_at, o.expires_at, o.outcome,
            o.origin, o.unknown_since, o.prospect_id, o.campaign_id, o.attempt, o.step, o.awaited,
            o.settled_at, o.beyond_credits, e.id, e.chat_id
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.uuid[]) WITH ORDINALITY
          AS u (account_id, operation_id, n)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id
            AND o.operation_id OPERATOR(pg_catalog.=) u.operation_id
     LEFT JOIN sendgate.linkedin_events e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.operation_id OPERATOR(pg_catalog.=) u.operation_id",
    types![texts, uuids],
);

/// The same as for one; the state that each was read in is compared.
static SETTLE: Statement = Statement::new(
    "UPDATE sendgate.send_operations o
     SET state = u.state, settled_at = $1, outcome = u.outcome, error = COALESCE(u.error, o.error),
         error_type = COALESCE(u.error_type, o.error_type),
         http_status = COALESCE(u.http_status, o.http_status),
         unknown_since = CASE WHEN u.state OPERATOR(pg_catalog.=) 'indeterminate' THEN $1 END
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.uuid[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.text[],
                            $8::pg_catalog.text[], $9::pg_catalog.int4[])
          AS u (account_id, operation_id, was, state, outcome, error, error_type, http_status)
     WHERE o.account_id OPERATOR(pg_catalog.=) u.account_id
       AND o.operation_id OPERATOR(pg_catalog.=) u.operation_id
       AND o.state OPERATOR(pg_catalog.=) u.was",
    types![instant, texts, uuids, texts, texts, texts, texts, texts, int4s],
);

/// `first` is computed for each account: as one constant it becomes an index condition, and a plan that was
/// made on an empty journal then reads the operations of all accounts for each account.
static RECALL: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, o.action, (u.day OPERATOR(pg_catalog.-) o.counted_on),
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.<>) 'released')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.origin OPERATOR(pg_catalog.=) 'gate'
                AND o.outcome IS DISTINCT FROM 'released')::pg_catalog.int4
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.date[]) WITH ORDINALITY AS u (account_id, day, n)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id
            AND o.counted_on OPERATOR(pg_catalog.>=) (u.day OPERATOR(pg_catalog.-) 6)
            AND o.counted_on OPERATOR(pg_catalog.<=) u.day
     GROUP BY u.n, o.action, u.day, o.counted_on",
    types![texts, dates],
);

/// An operation on its way to another state.
pub struct Settlement<'a> {
    /// Its account.
    pub account: Held<'a>,
    /// The operation as it was read.
    pub before: Operation,
    /// Its state from now on.
    pub state: OperationState,
    /// What it came to.
    pub outcome: Option<Outcome>,
    /// What is noted beside it.
    pub note: ErrorNote,
}

/// Reads operations with their events, in the order of the arrays.
///
/// # Errors
/// `SG102` for the first element whose account has no such operation.
pub fn read(spi: &Spi, accounts: &[String], operations: &[OperationId]) -> Result<Vec<JournalRow>> {
    let values = [
        array(Element::Text, accounts.iter().map(String::as_str)),
        array(Element::Uuid, operations.iter().copied()),
    ];
    let mut found: Vec<Option<JournalRow>> = accounts.iter().map(|_| None).collect();
    let rows = spi.run(&READ, &values);
    journal::must_be_plain();
    for mut columns in rows.iter() {
        let i = columns.value::<i32>() as usize - 1;
        found[i] = Some(journal::read_columns(&mut columns, operations[i]));
    }
    let known = |(i, row): (usize, Option<JournalRow>)| {
        row.ok_or_else(|| journal::unknown(&accounts[i], operations[i]).at(i))
    };
    found.into_iter().enumerate().map(known).collect()
}

/// What accounts sent on each of the six days before a day, by action: everything that holds its slot; and their
/// attempts on that day. An account is named with the day that its row is on.
pub fn recall(spi: &Spi, accounts: &[(&str, Day)]) -> Vec<Recalled> {
    let mut counted = vec![Recalled::default(); accounts.len()];
    if accounts.is_empty() {
        return counted;
    }
    let values = [
        array(Element::Text, accounts.iter().map(|(id, _)| *id)),
        array(Element::Date, accounts.iter().map(|(_, day)| *day)),
    ];
    for mut row in spi.run_on_latest_snapshot(&RECALL, &values).iter() {
        let of = &mut counted[row.value::<i32>() as usize - 1];
        let i = row.one_of(Action::parse).index();
        let ago = row.value::<i32>() as usize;
        let (sent, attempts) = (row.value(), row.value());
        match ago {
            0 => of.attempts_today[i] = attempts,
            ago => of.sent_before[i][ago - 1] = sent,
        }
    }
    counted
}

/// Moves operations on from the states they were read in.
pub fn settle<'a>(spi: &Spi, settlements: impl Iterator<Item = &'a Settlement<'a>> + Clone, now: Instant) {
    let count = settlements.clone().count();
    if count == 0 {
        return;
    }
    commit::synchronously();
    let all = || settlements.clone();
    let written = spi.run(
        &SETTLE,
        &[
            now.param(),
            array(Element::Text, all().map(|s| s.account.id())),
            array(Element::Uuid, all().map(|s| s.before.id)),
            array(Element::Text, all().map(|s| s.before.state.name())),
            array(Element::Text, all().map(|s| s.state.name())),
            array(Element::Text, all().map(|s| s.outcome.map(Outcome::name))),
            array(Element::Text, all().map(|s| s.note.message.as_deref())),
            array(Element::Text, all().map(|s| s.note.error_type.as_deref())),
            array(Element::Int4, all().map(|s| s.note.http_status)),
        ],
    );
    written.must_be(count, "send_operations");
    for settlement in settlements {
        activity::count(journal::settled(settlement.before.action, settlement.state, settlement.outcome));
    }
}
