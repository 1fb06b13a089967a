//! `audit_events`, layer 2: today's InMail counters against the event log. Tells people, and lets an
//! account cool down whose counter is far over its cap. It changes no counter.

use std::collections::HashSet;

use pgrx::pg_sys;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Audited, OVER_CAP_COOLDOWN};
use sendgate_decision::budget::Budget;
use sendgate_decision::clock::{DAY, Day};
use sendgate_decision::names::Action;

use super::alerts;
use super::chunk::{self, Member};
use super::job::{self, Done, Held, Job};
use crate::account_row;
use crate::arrays::{DATES, Element, array};
use crate::config::{self, Config};
use crate::entry::{Answer, Args, sql_function};
use crate::error::Result;
use crate::statement::{Spi, Statement, params};

sql_function!(sendgate_audit_events, pg_finfo_sendgate_audit_events, audit_events);

/// Events count on the day of their operation, which `repair_day` may have moved; one without an
/// operation counts on its own, and somebody is told of it.
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
         LEFT JOIN sendgate.send_operations s
             ON s.account_id OPERATOR(pg_catalog.=) u.account_id
                AND s.operation_id OPERATOR(pg_catalog.=) v.operation_id
         WHERE v.account_id OPERATOR(pg_catalog.=) u.account_id
           AND v.event_type OPERATOR(pg_catalog.=) 'inmail_sent'
           AND v.occurred_at OPERATOR(pg_catalog.>=) $3
     ) e (events, orphans)
     CROSS JOIN LATERAL (
         SELECT pg_catalog.count(*)::pg_catalog.int4
         FROM sendgate.send_operations s
         WHERE s.account_id OPERATOR(pg_catalog.=) u.account_id
           AND s.counted_on OPERATOR(pg_catalog.=) u.day AND s.action OPERATOR(pg_catalog.=) 'inmail'
           AND s.state OPERATOR(pg_catalog.=) 'reserved' AND s.expires_at OPERATOR(pg_catalog.>) $4
     ) o (in_flight)",
    &[pg_sys::TEXTARRAYOID, DATES, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID],
);

/// Events that count today occurred within this time: a delivery may be reported late, and the day's
/// operations may be a day old.
const EVENTS_BACK: i64 = 2 * DAY;

/// What was found about one account.
struct Finding<'a> {
    member: &'a Member,
    audited: Audited,
    orphans: i32,
}

fn audit_events(args: &Args) -> Answer {
    let limit = job::batch_size(args)?;
    job::run(Job::Audit, |spi, held| audit(spi, held, limit))
}

fn audit(spi: &Spi, held: &Held, limit: i32) -> Result<Done> {
    let today = held.now.day();
    let members = chunk::read(spi, (Day(today.0 - 1), Day(i32::MAX)), held.from.as_ref(), limit);
    let next = chunk::next(&members, limit);
    let config = config::current(spi);
    let active: Vec<&Member> = members.iter().filter(|member| member.row.account.day >= today).collect();
    let findings = look(spi, held, &config, &active);
    let mut changed = 0;
    for finding in &findings {
        changed += i64::from(raise(spi, held, finding)?);
    }
    let all: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    resolve(spi, held, &all, &findings);
    Ok(Done { checked: members.len() as i64, changed, next, more: false })
}

/// The highest effective cap of the day: as grants noted it, or as it is now.
fn cap_of(account: &Account, tier: &str, config: &Config) -> i32 {
    let cap = config.tier_cap(tier, Action::Inmail);
    account.inmail_cap_today.max(Budget::of(account, Action::Inmail, &cap).daily_cap)
}

fn look<'a>(spi: &Spi, held: &Held, config: &Config, members: &[&'a Member]) -> Vec<Finding<'a>> {
    if members.is_empty() {
        return Vec::new();
    }
    let values = [
        array(Element::Text, members.iter().map(|member| member.id.as_str())),
        array(Element::Date, members.iter().map(|member| member.row.account.day)),
        params![held.now.plus(-EVENTS_BACK)][0],
        params![held.now][0],
    ];
    let rows = spi.run(&COUNT, &values);
    let find = |mut row: crate::statement::Row| {
        let member = members[row.value::<i32>() as usize - 1];
        let account = &member.row.account;
        let (events, orphans, in_flight) = (row.value(), row.value(), row.value());
        let cap = cap_of(account, &member.row.tier, config);
        let counter = account.sent_today[Action::Inmail.index()];
        Finding { member, audited: Audited { counter, events, in_flight, cap }, orphans }
    };
    rows.iter().map(find).collect()
}

/// Tells people what was found; whether anything new was.
fn raise(spi: &Spi, held: &Held, finding: &Finding<'_>) -> Result<bool> {
    let (audited, id) = (finding.audited, finding.member.id.as_str());
    let day = finding.member.row.account.day;
    let mut raised = false;
    let mut open = |kind: &str, detail: &str| raised |= alerts::open(spi, id, kind, day, detail, held.now);
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
    if finding.orphans > 0 && !alerts::was_raised(spi, id, "unreserved_send", day) {
        open(
            "unreserved_send",
            &format!("{} InMails were sent past the gate and its journal", finding.orphans),
        );
    }
    if audited.is_over_cap() && !alerts::was_raised(spi, id, "over_cap", day) {
        cool_down(spi, held, id)?;
        open(
            "over_cap",
            &format!("the counter says {counter} against a cap of {cap}; the account cools down for an hour"),
        );
    }
    Ok(raised)
}

/// Once per account and day, and not on top of a longer one.
fn cool_down(spi: &Spi, held: &Held, id: &str) -> Result<()> {
    let row = account_row::hold(spi, id)?;
    let mut account = row.account.rolled(held.now);
    account.cool_down(held.now.plus(OVER_CAP_COOLDOWN));
    account_row::write_held(spi, id, row.version, &account)
}

/// What no longer holds is resolved, and so is what was of another day.
fn resolve(spi: &Spi, held: &Held, all: &[&str], findings: &[Finding<'_>]) {
    let still = |holds: &dyn Fn(&Finding<'_>) -> bool| -> HashSet<&str> {
        findings.iter().filter(|f| holds(f)).map(|f| f.member.id.as_str()).collect()
    };
    let day = held.now.day();
    let kinds: [(&str, HashSet<&str>); 4] = [
        ("counter_ahead_of_events", still(&|f| f.audited.is_ahead())),
        ("counter_behind_events", still(&|f| f.audited.is_behind())),
        ("over_cap", still(&|f| f.audited.is_over_cap())),
        ("clock_behind_row", still(&|f| f.member.row.account.is_ahead_of(held.now))),
    ];
    for (kind, still) in &kinds {
        alerts::resolve(spi, all, kind, day, still, held.now);
    }
}
