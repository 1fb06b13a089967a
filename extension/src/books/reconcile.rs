//! `reconcile_operations`, layer 1: counters become what the journal counts; work whose operation
//! nobody answered is parked.

use crate::books::run::{self, Done, Held, Job};
use crate::books::sweep::{self, Member, Tally};
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::ids;
use crate::postgres::param::{DATES, Element, IntoParam, array, params};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::many::write_many;
use crate::tables::alerts;
use crate::tables::dispatch_queue;
use pgrx::pg_sys;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Correction, reconcile};
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
    &[
        pg_sys::TIMESTAMPTZOID,
        pg_sys::UUIDARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        DATES,
        pg_sys::INT4ARRAYOID,
        pg_sys::INT4ARRAYOID,
        pg_sys::INT4ARRAYOID,
        pg_sys::INT4ARRAYOID,
        pg_sys::INT4ARRAYOID,
    ],
);

/// The accounts are held: nobody settles one of these meanwhile.
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
    &[pg_sys::TEXTARRAYOID, pg_sys::DATEOID, pg_sys::TIMESTAMPTZOID],
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
    &[pg_sys::TEXTARRAYOID, pg_sys::DATEOID, pg_sys::TIMESTAMPTZOID],
);

/// What was of another day is over, also on accounts that have been idle for so long since that the sweep
/// no longer meets them.
static RESOLVE_OLD: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $2
     WHERE l.resolved_at IS NULL AND l.day OPERATOR(pg_catalog.<) $1
       AND l.kind OPERATOR(pg_catalog.=) 'operations_expired'",
    &[pg_sys::DATEOID, pg_sys::TIMESTAMPTZOID],
);

fn reconcile_operations(args: &Args) -> Answer {
    let limit = run::batch_size(args)?;
    run::run(Job::Reconcile, |spi, held| sweep(spi, held, limit))
}

/// An account, what it becomes, and what that corrects.
type Corrected = (String, Account, Vec<Correction>);

fn sweep(spi: &Spi, held: &Held, limit: i32) -> Result<Done> {
    // Whoever was not active since the week before has nothing that counts.
    let first = Day(held.now.day().week().0 - 7);
    let members = sweep::read(spi, (first, Day(i32::MAX)), held.from.as_ref(), limit);
    let next = sweep::next(&members, limit);
    let seen: Vec<&Member> = members.iter().collect();
    let tallies = sweep::count(spi, &seen, first, held.now);
    let expired = with_expired(&seen, &tallies);
    let suspects = corrections(&seen, &tallies, held.now);
    let of_interest = suspects.iter().map(|(id, _, _)| id).chain(expired.iter().map(|(id, _)| id));
    let of_interest = of_interest.map(String::as_str);
    let of_interest: HashSet<&str> = of_interest.collect();
    // Held now, and counted again in a new statement: what a reserve did meanwhile is no drift.
    let held_members = sweep::hold(spi, of_interest.iter().copied());
    let passed_over = (of_interest.len() - held_members.len()) as i64;
    let seen: Vec<&Member> = held_members.iter().collect();
    let tallies = sweep::count(spi, &seen, first, held.now);
    let corrected = corrections(&seen, &tallies, held.now);
    let written: Vec<(&str, &Account)> =
        corrected.iter().map(|(id, account, _)| (id.as_str(), account)).collect();
    write_many(spi, &written);
    log_drift(spi, &corrected, held.now);
    if !corrected.is_empty() {
        dispatch_queue::wake_many(spi, corrected.iter().map(|(id, _, _)| id.as_str()), held.now);
    }
    let all: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    // What was settled before its account was held has not expired; what somebody else holds may have.
    let in_hand: HashSet<&str> = held_members.iter().map(|member| member.id.as_str()).collect();
    let in_other_hands = expired.iter().filter(|(id, _)| !in_hand.contains(id.as_str()));
    let expired_now = with_expired(&seen, &tallies);
    let still = in_other_hands.chain(&expired_now).map(|(id, _)| id.as_str()).collect();
    alerts::resolve(spi, &all, "operations_expired", held.now.day(), &still, held.now);
    tell_of_expired(spi, &expired_now, first, held.now);
    if next.is_none() {
        spi.run(&RESOLVE_OLD, params![held.now.day(), held.now]);
    }
    let (checked, changed) = (members.len() as i64, corrected.len() as i64);
    Ok(Done { checked, changed, next, passed_over, more: false })
}

/// Those of the accounts that have operations which nobody answered in time, and how many.
fn with_expired(members: &[&Member], tallies: &[Tally]) -> Vec<(String, i32)> {
    let any = members.iter().zip(tallies).filter(|(_, tally)| tally.expired > 0);
    any.map(|(member, tally)| (member.id.clone(), tally.expired)).collect()
}

/// Parks the work of operations that expired and tells people; their accounts are held.
fn tell_of_expired(spi: &Spi, expired: &[(String, i32)], first: Day, now: Instant) {
    if expired.is_empty() {
        return;
    }
    let ids = array(Element::Text, expired.iter().map(|(id, _)| id.as_str()));
    let values = [ids, params![first][0], params![now][0]];
    spi.run(&PARK, &values);
    spi.run(&LIST, &values);
    for (id, count) in expired {
        let detail = format!(
            "{count} operations were not answered in time; they hold their slots until somebody settles them"
        );
        alerts::open(spi, id, "operations_expired", now.day(), &detail, now);
    }
}

/// Those of the accounts whose counters are not what the journal counts.
fn corrections(members: &[&Member], tallies: &[Tally], now: Instant) -> Vec<Corrected> {
    let correct = |(member, tally): (&&Member, &Tally)| {
        let mut account = member.row.account.rolled(now);
        let corrections = reconcile(&mut account, &tally.counted);
        (!corrections.is_empty()).then(|| (member.id.clone(), account, corrections))
    };
    members.iter().zip(tallies).filter_map(correct).collect()
}

fn log_drift(spi: &Spi, corrected: &[Corrected], now: Instant) {
    let lines: Vec<(&str, &Correction)> = corrected
        .iter()
        .flat_map(|(id, _, corrections)| corrections.iter().map(move |c| (id.as_str(), c)))
        .collect();
    if lines.is_empty() {
        return;
    }
    spi.run(
        &DRIFT,
        &[
            now.param(),
            array(Element::Uuid, lines.iter().map(|_| ids::fresh())),
            array(Element::Text, lines.iter().map(|(id, _)| *id)),
            array(Element::Text, lines.iter().map(|(_, c)| c.action.name())),
            array(Element::Text, lines.iter().map(|(_, c)| c.period.name())),
            array(Element::Date, lines.iter().map(|(_, c)| c.day)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.before)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.total())),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.delivered)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.reserved)),
            array(Element::Int4, lines.iter().map(|(_, c)| c.parts.indeterminate)),
        ],
    );
}
