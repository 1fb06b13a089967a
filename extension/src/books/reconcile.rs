//! `reconcile_operations`, layer 1: counters become what the journal counts; what expired is listed, counts as
//! a failure, and its work is parked.

use crate::books::credits;
use crate::books::credits::Counted;
use crate::books::expired;
use crate::books::loosened;
use crate::books::run::{self, Batch, Done, Job};
use crate::books::sweep::{self, Member, Seen, Tally};
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::gucs;
use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::settle::cooldowns;
use crate::tables::accounts::AccountRow;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::{self, Busy};
use crate::tables::config;
use crate::tables::cooldown_log::Why;
use crate::tables::dispatch_queue;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Correction, Counter, reconcile};
use sendgate_decision::clock::{DAY, Day, Instant};
use sendgate_decision::names::OperationId;
use sendgate_decision::settle::{CooldownChange, Operation};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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

fn reconcile_operations(args: &Args) -> Answer {
    let limit = run::batch_size(args)?;
    run::run(Job::Reconcile, |spi, batch| sweep(spi, batch, limit))
}

/// Which of the accounts that were looked at, what it becomes, and what that corrects.
type Corrected = (usize, Account, Vec<Correction>);

/// A held account and its row.
type InHand<'a> = (Held<'a>, AccountRow);

fn sweep(spi: &Spi, batch: &Batch, limit: i32) -> Result<Done> {
    // Accounts that were not active since the week before have no operation that counts, or that has expired since:
    // one that may stay unanswered for days was reserved so many days earlier.
    let first = Day(batch.now.day().week().0 - 7 - (gucs::operation_ttl() / DAY) as i32);
    let members = sweep::read(spi, (first, Day(i32::MAX)), batch.from.as_ref(), limit);
    let next = sweep::next(&members, limit);
    let seen: Vec<Seen<'_>> = members.iter().map(Member::seen).collect();
    loosened::wake(spi, &seen, &config::current(spi), batch.now);
    let tallies = sweep::count(spi, &seen, first, batch.now);
    let expired: Vec<&str> = with_expired(&tallies).map(|(i, _)| seen[i].0).collect();
    let drifted = corrections(&seen, &tallies, batch.now).into_iter().map(|(i, _, _)| seen[i].0);
    let miscounted = credits::suspects(spi, &seen, batch.now);
    let suspects: HashSet<&str> = drifted.chain(expired.iter().copied()).chain(miscounted).collect();
    // Held now, and counted again in a new statement: what a reserve did meanwhile is no drift.
    let mut in_hand = many::hold(spi, suspects.iter().copied(), Busy::Skip)?;
    // A grant may have been decided since the batch began: what fails now is younger than that.
    let now = clock::now();
    let passed_over = (suspects.len() - in_hand.len()) as i64;
    let seen: Vec<Seen<'_>> = in_hand.iter().map(|(held, row)| (held.id(), row)).collect();
    let tallies = sweep::count(spi, &seen, first, now);
    // An operation that was settled before its account was held has not expired; those of accounts that
    // another session holds may have.
    let ids: HashSet<&str> = in_hand.iter().map(|(held, _)| held.id()).collect();
    let in_other_hands = expired.into_iter().filter(|id| !ids.contains(id));
    let expired: Vec<(Held<'_>, i32)> = with_expired(&tallies).map(|(i, n)| (in_hand[i].0, n)).collect();
    let failed = count_failures(spi, &mut in_hand, &expired, first, now);
    let counted = credits::count(spi, &mut in_hand, now);
    let seen: Vec<Seen<'_>> = in_hand.iter().map(|(held, row)| (held.id(), row)).collect();
    let corrected = corrections(&seen, &tallies, now);
    write(spi, &in_hand, &corrected, &failed, &counted, now);
    credits::tell(spi, &in_hand, &counted, now);
    let all: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    let still = in_other_hands.chain(expired.iter().map(|(held, _)| held.id())).collect();
    expired::resolve(spi, &all, &still, now);
    expired::tell(spi, &expired, now);
    if next.is_none() {
        expired::resolve_old(spi, now);
    }
    let of_credits = counted.iter().filter(|counted| counted.correction.is_some()).map(|counted| counted.at);
    let changed: HashSet<usize> = corrected.iter().map(|(i, _, _)| *i).chain(of_credits).collect();
    let (checked, changed) = (members.len() as i64, changed.len() as i64);
    Ok(Done { checked, changed, next, passed_over, more: false })
}

/// Which accounts have expired operations, and how many.
fn with_expired(tallies: &[Tally]) -> impl Iterator<Item = (usize, i32)> {
    tallies.iter().map(|tally| tally.expired).enumerate().filter(|(_, expired)| *expired > 0)
}

/// How failures changed the cooldowns of an account: which of those in hand, and each change with its operation.
type Failed = (usize, Vec<(OperationId, CooldownChange)>);

/// Lists what expired and counts it as failures in the rows in hand. The accounts whose rows changed by that.
fn count_failures(
    spi: &Spi,
    in_hand: &mut [InHand<'_>],
    expired: &[(Held<'_>, i32)],
    first: Day,
    now: Instant,
) -> Vec<Failed> {
    let accounts: Vec<Held<'_>> = expired.iter().map(|(held, _)| *held).collect();
    let listed = expired::list(spi, &accounts, first, now);
    let listed: HashMap<&str, Vec<Operation>> = accounts.iter().map(|held| held.id()).zip(listed).collect();
    let limits = gucs::limits();
    let mut failed = Vec::new();
    for (i, (held, row)) in in_hand.iter_mut().enumerate() {
        let operations = listed.get(held.id()).map_or(&[][..], Vec::as_slice);
        if let Some(counted) = expired::count(&row.account, operations, &limits, now) {
            row.account = counted.account;
            failed.push((i, counted.cooldowns));
        }
    }
    failed
}

/// Writes what changed: the counters as the journal has them, and failures. Logs the drift and the cooldowns,
/// and wakes the work of corrected accounts.
fn write(
    spi: &Spi,
    in_hand: &[InHand<'_>],
    corrected: &[Corrected],
    failed: &[Failed],
    counted: &[Counted],
    now: Instant,
) {
    let in_place = failed.iter().map(|(i, _)| *i).chain(counted.iter().map(|counted| counted.at));
    // A corrected account has the failures and the credits in it already.
    let changed: BTreeMap<usize, &Account> = in_place
        .map(|i| (i, &in_hand[i].1.account))
        .chain(corrected.iter().map(|(i, account, _)| (*i, account)))
        .collect();
    let written: Vec<(Held<'_>, &Account)> =
        changed.iter().map(|(&i, &account)| (in_hand[i].0, account)).collect();
    many::write(spi, &written);
    for (i, changes) in failed {
        let (held, row) = &in_hand[*i];
        for (operation, change) in changes {
            let why = Why { operation: Some(*operation), ..Why::default() };
            cooldowns::tell(spi, *held, &row.account, &[*change], why, now);
        }
    }
    let of_counters = corrected.iter().flat_map(|(i, _, corrections)| corrections.iter().map(|c| (*i, c)));
    let of_credits = counted.iter().filter_map(|counted| Some((counted.at, counted.correction.as_ref()?)));
    let lines: Vec<(Held<'_>, &Correction)> =
        of_counters.chain(of_credits).map(|(i, correction)| (in_hand[i].0, correction)).collect();
    if lines.is_empty() {
        return;
    }
    log_drift(spi, &lines, now);
    let woken: BTreeSet<&str> = lines.iter().map(|(held, _)| held.id()).collect();
    dispatch_queue::wake_many(
        spi,
        in_hand.iter().map(|(held, _)| *held).filter(|held| woken.contains(held.id())),
        now,
    );
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
    )
    .must_be(lines.len(), "counter_drift");
}

/// Which counter a line of drift is about, as its column `period` spells it.
fn period(counter: Counter) -> &'static str {
    match counter {
        Counter::Sent => "day",
        Counter::Attempts => "attempts",
        Counter::Credits => "credits",
    }
}
