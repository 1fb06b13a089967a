//! `repair_day`: brings a row whose day ran ahead of the clock back to today, counted again from the
//! journal.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error};
use crate::postgres::function::{Answer, Args, VOID, shown, sql_function};
use crate::postgres::gucs;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::alerts::{self, About};
use crate::tables::enrollments;
use crate::tables::journal;
use crate::tables::quarantine;
use crate::verbs::admin::clear_cooldown;
use sendgate_decision::account::{Account, SentBefore};
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{ACTIONS, Action};
use serde_json::{Value, json};

sql_function!(sendgate_repair_day, pg_finfo_sendgate_repair_day, repair_day);

/// For each action and day of the last seven: slots, attempts, and the last grant.
static COUNT: Statement = Statement::new(
    "SELECT o.action, ($2 OPERATOR(pg_catalog.-) o.counted_on),
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.<>) 'released')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.origin OPERATOR(pg_catalog.=) 'gate'
                AND o.outcome IS DISTINCT FROM 'released')::pg_catalog.int4,
            pg_catalog.max(o.reserved_at) FILTER (WHERE o.reserved_at OPERATOR(pg_catalog.<=) $3
                AND o.state OPERATOR(pg_catalog.<>) 'released')
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1
       AND o.counted_on OPERATOR(pg_catalog.>=) ($2 OPERATOR(pg_catalog.-) 6)
       AND o.counted_on OPERATOR(pg_catalog.<=) $2
     GROUP BY o.action, o.counted_on",
    types![text, date, instant],
);

/// An operation that counts on a day that has not come was sent by now: it counts today, and its
/// `expires_at` comes back with it.
static BRING_BACK: Statement = Statement::new(
    "UPDATE sendgate.send_operations o
     SET counted_on = LEAST(o.counted_on, $2), reserved_at = LEAST(o.reserved_at, $3),
         expires_at = LEAST(o.expires_at, $4)
     WHERE o.account_id OPERATOR(pg_catalog.=) $1
       AND (o.counted_on OPERATOR(pg_catalog.>) $2 OR o.reserved_at OPERATOR(pg_catalog.>) $3)",
    types![text, date, instant, instant],
);

/// Whether any of them is still there: they would be counted on a day of their own.
static IS_LEFT: Statement = Statement::new(
    "SELECT 1 FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1
       AND (o.counted_on OPERATOR(pg_catalog.>) $2 OR o.reserved_at OPERATOR(pg_catalog.>) $3)
     LIMIT 1",
    types![text, date, instant],
);

fn repair_day(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        quarantine::leave_out(spi)?;
        let (held, row) = accounts::hold(account)?;
        let now = clock::now();
        if !row.account.is_ahead_of(now) {
            return Err(not_ahead(account));
        }
        let after = recount(spi, held, &row.account, now);
        accounts::write_held(spi, held, row.version, &after)?;
        alerts::resolve(spi, About::Account(held), "clock_behind_row", now);
        enrollments::bring_back(spi, held, now);
        clear_cooldown::tell(spi, held, &row.account, &after, note, now);
        let change = (show(&row.account), show(&after));
        admin_log::write(spi, "repair_day", Some(account), Some("day"), change, note);
        Ok(())
    })?;
    VOID
}

fn recount(spi: &Spi, account: Held<'_>, before: &Account, now: Instant) -> Account {
    let today: Day = now.day();
    let mut after = before.clone();
    after.day = today;
    after.sent_today = [0; ACTIONS];
    after.attempts_today = [0; ACTIONS];
    after.forget_what_lies_ahead(now);
    // A stamp from ahead was a real error of today; a clear or a permit from ahead proves nothing.
    after.breaker.exhausted_at = after.breaker.exhausted_at.map(|at| at.min(now));
    after.breaker.cleared_at = after.breaker.cleared_at.filter(|&at| at <= now);
    after.breaker.probe = None;
    let last_answer = now.plus(gucs::operation_ttl());
    let brought = spi.run(&BRING_BACK, params![account.id(), today, now, last_answer]).count();
    if spi.run(&IS_LEFT, params![account.id(), today, now]).count() > 0 {
        dropped("send_operations", brought + 1, brought);
    }
    journal::must_be_plain();
    let mut before = SentBefore::default();
    for mut row in spi.run(&COUNT, params![account.id(), today, now]).iter() {
        let i = row.one_of(Action::parse).index();
        let ago = row.value::<i32>() as usize;
        let (sent, attempts) = (row.value(), row.value());
        match ago {
            0 => (after.sent_today[i], after.attempts_today[i]) = (sent, attempts),
            ago => before[i][ago - 1] = sent,
        }
        after.last_granted_at[i] = after.last_granted_at[i].max(row.nullable_instant());
    }
    after.sent_before = Some(before);
    after
}

fn show(account: &Account) -> Value {
    let (year, month, day) = account.day.civil();
    json!({ "day": format!("{year:04}-{month:02}-{day:02}"), "sent_today": account.sent_today })
}

fn not_ahead(account: &str) -> Error {
    Error::new(
        Code::DayNotAhead,
        format!("the day of account \"{}\" is not ahead of the clock", shown(account)),
        "repair_day mends only a row whose day or week ran ahead; an older day rolls by itself.",
        "Nothing is to be done. If counters look wrong, compare sendgate.counters with the journal.",
    )
}
