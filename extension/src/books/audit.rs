//! `audit_events`, layer 2: today's InMail counters against the event log. Tells people, and lets an
//! account cool down whose counter is far over its cap. It changes no counter.

use crate::books::copied;
use crate::books::credits_low;
use crate::books::outage;
use crate::books::run::{self, Batch, Done, Job};
use crate::books::sweep::{self, Member, Seen};
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::{self, Busy};
use crate::tables::accounts::{self, AccountRow};
use crate::tables::alerts::{self, About};
use crate::tables::config::{self, Config};
use crate::tables::cooldown_log::{self, Why};
use crate::tables::journal;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Audited, OVER_CAP_COOLDOWN};
use sendgate_decision::budget::Budget;
use sendgate_decision::clock::{DAY, Day};
use sendgate_decision::names::{Action, CooldownCause, Enforcement};
use sendgate_decision::settle::CooldownChange;
use std::collections::HashSet;

sql_statements!(sendgate_audit_events, pg_finfo_sendgate_audit_events, audit_events);

/// Events count on the day of their operation, which `repair_day` may have moved back, never ahead. So events
/// of an earlier day are not read. An event without an operation counts on its own day, and raises an alert.
/// Because of LIMIT, every plan reads the operation by both columns of the key.
static COUNT: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, e.events, e.orphans, o.in_flight
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.date[]) WITH ORDINALITY AS u (account_id, day, n)
     CROSS JOIN LATERAL (
         SELECT pg_catalog.count(*) FILTER (
                    WHERE COALESCE(s.counted_on, v.counted_on) OPERATOR(pg_catalog.=) u.day)::pg_catalog.int4,
                pg_catalog.count(*) FILTER (
                    WHERE s.operation_id IS NULL AND v.counted_on OPERATOR(pg_catalog.=) u.day
                )::pg_catalog.int4
         FROM sendgate.linkedin_events v
         LEFT JOIN LATERAL (
             SELECT s.operation_id, s.counted_on
             FROM sendgate.send_operations s
             WHERE s.account_id OPERATOR(pg_catalog.=) u.account_id
               AND s.operation_id OPERATOR(pg_catalog.=) v.operation_id
             LIMIT 1
         ) s ON true
         WHERE v.account_id OPERATOR(pg_catalog.=) u.account_id
           AND v.event_type OPERATOR(pg_catalog.=) 'inmail_sent'
           AND v.occurred_at OPERATOR(pg_catalog.>=) $3
           AND v.counted_on OPERATOR(pg_catalog.>=) u.day
     ) e (events, orphans)
     CROSS JOIN LATERAL (
         SELECT pg_catalog.count(*)::pg_catalog.int4
         FROM sendgate.send_operations s
         WHERE s.account_id OPERATOR(pg_catalog.=) u.account_id
           AND s.counted_on OPERATOR(pg_catalog.=) u.day AND s.action OPERATOR(pg_catalog.=) 'inmail'
           AND s.state OPERATOR(pg_catalog.=) 'reserved' AND s.expires_at OPERATOR(pg_catalog.>) $4
     ) o (in_flight)",
    types![texts, dates, instant, instant],
);

/// Alerts that are resolved once their day is over, also on accounts that have been idle since.
const OF_A_DAY: [&str; 5] =
    ["counter_ahead_of_events", "counter_behind_events", "over_cap", "provider_failing", "copied_database"];

/// Events that count today occurred within this time: a delivery may be reported late, and the day's
/// operations may be a day old.
const EVENTS_BACK: i64 = 2 * DAY;

/// The findings about one account.
struct Finding {
    /// Which of the accounts that were looked at.
    at: usize,
    audited: Audited,
    orphans: i32,
}

impl Finding {
    fn is_any(&self) -> bool {
        let audited = &self.audited;
        audited.is_ahead() || audited.is_behind() || audited.is_over_cap() || self.orphans > 0
    }
}

fn audit_events(args: &Args) -> Answer {
    let limit = run::batch_size(args)?;
    run::run(Job::Audit, |spi, batch| audit(spi, batch, limit))
}

fn audit(spi: &Spi, batch: &Batch, limit: i32) -> Result<Done> {
    let today = batch.now.day();
    let members = sweep::read(spi, (Day(today.0 - 1), Day(i32::MAX)), batch.from.as_ref(), limit);
    let next = sweep::next(&members, limit);
    let config = config::current(spi);
    let active = members.iter().filter(|member| member.row.account.day >= today);
    let active: Vec<Seen<'_>> = active.map(Member::seen).collect();
    let suspects: Vec<&str> = look(spi, batch, &config, &active)
        .into_iter()
        .filter(Finding::is_any)
        .map(|finding| active[finding.at].0)
        .collect();
    // Held now, and counted again in a new statement: a change between the two statements is no finding.
    // Accounts that another session holds wait for the next sweep.
    let in_hand = many::hold(spi, suspects.iter().copied(), Busy::Skip)?;
    let seen: Vec<Seen<'_>> = in_hand.iter().map(|(held, row)| (held.id(), row)).collect();
    let findings = look(spi, batch, &config, &seen);
    let mut changed = 0;
    for finding in &findings {
        let (held, row) = &in_hand[finding.at];
        changed += i64::from(raise(spi, batch, *held, row, finding)?);
    }
    let ids: HashSet<&str> = in_hand.iter().map(|(held, _)| held.id()).collect();
    let in_other_hands: HashSet<&str> = suspects.into_iter().filter(|id| !ids.contains(id)).collect();
    let all = members.iter().map(|member| member.id.as_str());
    let all: Vec<&str> = all.filter(|id| !in_other_hands.contains(id)).collect();
    let ahead = members.iter().filter(|member| member.row.account.is_ahead_of(batch.now));
    let ahead: HashSet<&str> = ahead.map(|member| member.id.as_str()).collect();
    let findings: Vec<(&str, &Finding)> = findings.iter().map(|f| (seen[f.at].0, f)).collect();
    resolve(spi, batch, &all, &findings, ahead);
    changed += credits_low::look(spi, batch, &members)?;
    if next.is_none() {
        alerts::resolve_old(spi, &OF_A_DAY, today, batch.now);
        credits_low::resolve_old(spi, batch.now);
        changed += i64::from(outage::look(spi, batch.now));
        changed += i64::from(copied::look(spi, &config, batch.now));
    }
    let passed_over = in_other_hands.len() as i64;
    Ok(Done { checked: members.len() as i64, changed, next, passed_over, more: false })
}

/// The highest effective cap of the day: as grants noted it, or as it is now.
fn cap_of(account: &Account, tier: &str, config: &Config) -> i32 {
    let cap = config.tier_cap(tier, Action::Inmail);
    account.inmail_cap_today.max(Budget::of(account, Action::Inmail, &cap).daily_cap)
}

fn look(spi: &Spi, batch: &Batch, config: &Config, members: &[Seen<'_>]) -> Vec<Finding> {
    if members.is_empty() {
        return Vec::new();
    }
    let values = [
        array(Element::Text, members.iter().map(|(id, _)| *id)),
        array(Element::Date, members.iter().map(|(_, row)| row.account.day)),
        params![batch.now.plus(-EVENTS_BACK)][0],
        params![batch.now][0],
    ];
    let rows = spi.run(&COUNT, &values);
    journal::must_be_plain();
    let find = |mut row: Row| {
        let at = row.value::<i32>() as usize - 1;
        let (_, AccountRow { account, tier, .. }) = members[at];
        let (events, orphans, in_flight) = (row.value(), row.value(), row.value());
        let cap = cap_of(account, tier, config);
        let counter = account.sent_today[Action::Inmail.index()];
        Finding { at, audited: Audited { counter, events, in_flight, cap }, orphans }
    };
    rows.iter().map(find).collect()
}

/// Raises the alerts about a finding; whether one of them is new.
fn raise(spi: &Spi, batch: &Batch, held: Held<'_>, row: &AccountRow, finding: &Finding) -> Result<bool> {
    let (audited, day) = (finding.audited, row.account.day);
    let mut raised = false;
    let about = About::Account(held);
    let mut open =
        |kind: &str, detail: &str| raised |= alerts::open(spi, about, kind, day, detail, batch.now);
    let Audited { counter, events, in_flight, cap } = audited;
    if audited.is_ahead() {
        let ahead = audited.ahead();
        open(
            "counter_ahead_of_events",
            &format!(
                "the counter says {counter}, {events} InMails are proven and {in_flight} in flight: {ahead} ahead"
            ),
        );
    }
    if audited.is_behind() {
        open(
            "counter_behind_events",
            &format!("{events} InMails are proven, the counter says {counter}: slots may be granted twice"),
        );
    }
    // Tells of events: acknowledged once, it does not come back for the same ones.
    if finding.orphans > 0 && !alerts::was_raised(spi, held, "unreserved_send", day) {
        open(
            "unreserved_send",
            &format!("{} InMails were sent past the gate and its journal", finding.orphans),
        );
    }
    if audited.is_over_cap() && !alerts::was_raised(spi, held, "over_cap", day) {
        let observed = row.enforcement() == Enforcement::Observe;
        if !observed {
            cool_down(spi, held.id())?;
        }
        let then = if observed { "is only observed" } else { "cools down for an hour" };
        open("over_cap", &format!("the counter says {counter} against a cap of {cap}; the account {then}"));
    }
    Ok(raised)
}

/// Once per account and day, and not on top of a longer one.
fn cool_down(spi: &Spi, id: &str) -> Result<()> {
    let (held, row) = accounts::hold(id)?;
    let now = clock::now();
    let mut account = row.account.rolled(now);
    let until = now.plus(OVER_CAP_COOLDOWN);
    let change = account.cooldown_until < Some(until);
    let began = account.cooldown_until.is_none_or(|old| old <= now);
    account.cool_down(until);
    accounts::write_held(spi, held, row.version, &account)?;
    if change {
        let change =
            CooldownChange { action: None, cause: CooldownCause::OverCap, until: Some(until), began };
        cooldown_log::write(spi, held, &[change], Why::default(), now);
    }
    Ok(())
}

/// Resolves alerts whose cause is gone, and those of an earlier day.
fn resolve(
    spi: &Spi,
    batch: &Batch,
    all: &[&str],
    findings: &[(&str, &Finding)],
    ahead_of_the_clock: HashSet<&str>,
) {
    let still = |holds: &dyn Fn(&Finding) -> bool| -> HashSet<&str> {
        findings.iter().filter(|(_, finding)| holds(finding)).map(|(id, _)| *id).collect()
    };
    let day = batch.now.day();
    let kinds: [(&str, HashSet<&str>); 4] = [
        ("counter_ahead_of_events", still(&|f| f.audited.is_ahead())),
        ("counter_behind_events", still(&|f| f.audited.is_behind())),
        ("over_cap", still(&|f| f.audited.is_over_cap())),
        ("clock_behind_row", ahead_of_the_clock),
    ];
    for (kind, still) in &kinds {
        alerts::resolve_swept(spi, all, kind, day, still, batch.now);
    }
}
