//! `reconcile_operations`, layer 1: counters become what the journal counts; work whose operation
//! expired is parked.

use crate::books::run::{self, Batch, Done, Job};
use crate::books::sweep::{self, Member, Seen, Tally};
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::AccountRow;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::{self, Busy};
use crate::tables::alerts::{self, About};
use crate::tables::dispatch_queue;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Correction, Counter, reconcile};
use sendgate_decision::clock::{Day, Instant};
use std::collections::HashSet;

sql_statements!(sendgate_reconcile_operations, pg_finfo_sendgate_reconcile_operations, reconcile_operations);

static DRIFT: Statement = Statement::new(
    "INSERT INTO sendgate.counter_drift (id, at, account_id, action, period, day, before, after, delivered,
         reserved, indeterminate)
     SELECT u.id, $1, u.account_id, u.action, u.period, u.day, u.before, u.after, u.delivered, u.reserved,
            u.indeterminate
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.text[], $4::pg_catalog.text[], $5::pg_catalog.text[],
                 $6::pg_catalog.date[], $7::pg_catalog.int4[], $8::pg_catalog.int4[], $9::pg_catalog.int4[],
                 $10::pg_catalog.int4[], $11::pg_catalog.int4[])
          AS u (id, account_id, action, period, day, before, after, delivered, reserved, indeterminate)",
    types![instant, uuids, texts, texts, texts, dates, int4s, int4s, int4s, int4s, int4s],
);

static PARK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'parked', reason = 'expired', changed_at = $3
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.state OPERATOR(pg_catalog.=) 'reserved' AND o.expires_at OPERATOR(pg_catalog.<=) $3
       AND o.attempt IS NOT NULL
       AND e.account_id OPERATOR(pg_catalog.=) o.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) o.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) o.campaign_id
       AND e.action OPERATOR(pg_catalog.=) o.action
       AND e.operation_id OPERATOR(pg_catalog.=) o.operation_id
       AND e.state OPERATOR(pg_catalog.=) 'sending'",
    types![texts, date, instant],
);

/// What expired becomes one of the unknown outcomes that operators list. It stays one until it is settled,
/// also when the sweep no longer looks back so far.
static LIST: Statement = Statement::new(
    "UPDATE sendgate.send_operations o
     SET unknown_since = $3
     WHERE o.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.state OPERATOR(pg_catalog.=) 'reserved' AND o.expires_at OPERATOR(pg_catalog.<=) $3
       AND o.unknown_since IS NULL",
    types![texts, date, instant],
);

/// Alerts of an earlier day are resolved, also on accounts that have been idle for so long that the sweep no
/// longer reads them.
static RESOLVE_OLD: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $2
     WHERE l.resolved_at IS NULL AND l.day OPERATOR(pg_catalog.<) $1
       AND l.kind OPERATOR(pg_catalog.=) 'operations_expired'",
    types![date, instant],
);

fn reconcile_operations(args: &Args) -> Answer {
    let limit = run::batch_size(args)?;
    run::run(Job::Reconcile, |spi, batch| sweep(spi, batch, limit))
}

/// Which of the accounts that were looked at, what it becomes, and what that corrects.
type Corrected = (usize, Account, Vec<Correction>);

fn sweep(spi: &Spi, batch: &Batch, limit: i32) -> Result<Done> {
    // Accounts that were not active since the week before have no operation that counts.
    let first = Day(batch.now.day().week().0 - 7);
    let members = sweep::read(spi, (first, Day(i32::MAX)), batch.from.as_ref(), limit);
    let next = sweep::next(&members, limit);
    let seen: Vec<Seen<'_>> = members.iter().map(Member::seen).collect();
    let tallies = sweep::count(spi, &seen, first, batch.now);
    let expired: Vec<&str> = with_expired(&tallies).map(|(i, _)| seen[i].0).collect();
    let drifted = corrections(&seen, &tallies, batch.now).into_iter().map(|(i, _, _)| seen[i].0);
    let suspects: HashSet<&str> = drifted.chain(expired.iter().copied()).collect();
    // Held now, and counted again in a new statement: what a reserve did meanwhile is no drift.
    let in_hand = many::hold(spi, suspects.iter().copied(), Busy::Skip)?;
    let passed_over = (suspects.len() - in_hand.len()) as i64;
    let seen: Vec<Seen<'_>> = in_hand.iter().map(|(held, row)| (held.id(), row)).collect();
    let tallies = sweep::count(spi, &seen, first, batch.now);
    let corrected = corrections(&seen, &tallies, batch.now);
    correct(spi, &in_hand, &corrected, batch.now);
    let all: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    // An operation that was settled before its account was held has not expired; those of accounts that
    // another session holds may have.
    let ids: HashSet<&str> = seen.iter().map(|(id, _)| *id).collect();
    let in_other_hands = expired.into_iter().filter(|id| !ids.contains(id));
    let expired: Vec<(Held<'_>, i32)> = with_expired(&tallies).map(|(i, n)| (in_hand[i].0, n)).collect();
    let still = in_other_hands.chain(expired.iter().map(|(held, _)| held.id())).collect();
    alerts::resolve_swept(spi, &all, "operations_expired", batch.now.day(), &still, batch.now);
    tell_of_expired(spi, &expired, first, batch.now);
    if next.is_none() {
        spi.run(&RESOLVE_OLD, params![batch.now.day(), batch.now]);
    }
    let (checked, changed) = (members.len() as i64, corrected.len() as i64);
    Ok(Done { checked, changed, next, passed_over, more: false })
}

/// Which accounts have expired operations, and how many.
fn with_expired(tallies: &[Tally]) -> impl Iterator<Item = (usize, i32)> {
    tallies.iter().map(|tally| tally.expired).enumerate().filter(|(_, expired)| *expired > 0)
}

/// Writes the counters as the journal has them, logs the drift, and wakes the accounts' work.
fn correct(spi: &Spi, in_hand: &[(Held<'_>, AccountRow)], corrected: &[Corrected], now: Instant) {
    if corrected.is_empty() {
        return;
    }
    let written: Vec<(Held<'_>, &Account)> =
        corrected.iter().map(|(i, account, _)| (in_hand[*i].0, account)).collect();
    many::write(spi, &written);
    let lines =
        corrected.iter().flat_map(|(i, _, corrections)| corrections.iter().map(|c| (in_hand[*i].0, c)));
    log_drift(spi, &lines.collect::<Vec<_>>(), now);
    dispatch_queue::wake_many(spi, written.iter().map(|(held, _)| *held), now);
}

/// Parks the work of operations that expired and tells people.
fn tell_of_expired(spi: &Spi, expired: &[(Held<'_>, i32)], first: Day, now: Instant) {
    if expired.is_empty() {
        return;
    }
    let ids = array(Element::Text, expired.iter().map(|(held, _)| held.id()));
    let values = [ids, params![first][0], params![now][0]];
    spi.run(&PARK, &values);
    spi.run(&LIST, &values);
    for (held, count) in expired {
        let detail = format!(
            "{count} operations were not answered in time; they hold their slots until somebody settles them"
        );
        alerts::open(spi, About::Account(*held), "operations_expired", now.day(), &detail, now);
    }
}

/// Those of the accounts whose counters are not what the journal counts.
fn corrections(members: &[Seen<'_>], tallies: &[Tally], now: Instant) -> Vec<Corrected> {
    let correct = |(i, ((_, row), tally)): (usize, (&Seen<'_>, &Tally))| {
        let mut account = row.account.rolled(now);
        let corrections = reconcile(&mut account, &tally.counted);
        (!corrections.is_empty()).then_some((i, account, corrections))
    };
    members.iter().zip(tallies).enumerate().filter_map(correct).collect()
}

fn log_drift(spi: &Spi, lines: &[(Held<'_>, &Correction)], now: Instant) {
    spi.run(
        &DRIFT,
        &[
            now.param(),
            array(Element::Uuid, lines.iter().map(|_| ids::fresh())),
            array(Element::Text, lines.iter().map(|(held, _)| held.id())),
            array(Element::Text, lines.iter().map(|(_, c)| c.action.name())),
            array(Element::Text, lines.iter().map(|(_, c)| period(c.counter))),
            array(Element::Date, lines.iter().map(|(_, c)| c.day)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.before)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.after)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.delivered)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.reserved)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.indeterminate)),
        ],
    );
}

/// Which counter a line of drift is about, as its column `period` spells it.
fn period(counter: Counter) -> &'static str {
    match counter {
        Counter::Sent => "day",
        Counter::Attempts => "attempts",
    }
}
