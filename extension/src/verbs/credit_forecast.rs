//! `credit_forecast`: a balance as of an instant, and how long it lasts, for the view `credits`. The rules are the
//! decision crate's.

use crate::postgres::function::{Answer, Args, null_argument, sql_reading};
use crate::postgres::param::params;
use crate::postgres::record::RecordType;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::forecast::forecast;
use sendgate_decision::credits::journal::{Fate, Sending, unanswered};
use sendgate_decision::credits::{Allowance, Calendar, Credits};

sql_reading!(sendgate_credit_forecast, pg_finfo_sendgate_credit_forecast, credit_forecast);

static ANSWER: RecordType = RecordType::new(&[
    (c"left_now", pg_sys::INT4OID),
    (c"observed_at", pg_sys::TIMESTAMPTZOID),
    (c"used_per_day", pg_sys::FLOAT8OID),
    (c"next_grant_at", pg_sys::TIMESTAMPTZOID),
    (c"next_grant", pg_sys::INT4OID),
    (c"lasts_until", pg_sys::TIMESTAMPTZOID),
    (c"state", pg_sys::TEXTOID),
]);

fn credit_forecast(args: &Args) -> Answer {
    let reset_day = args.number(5, "credit_reset_day", 1, 31)? as u8;
    let calendar = Calendar { reset_day, changed_at: raw(args, 6) };
    let allowance = Allowance { monthly: args.optional(7), ceiling: args.optional(8) };
    let now = raw(args, 13).ok_or_else(|| null_argument("at"))?;
    let used: i32 = args.required(12, "used")?;
    let sendings = sendings(args);
    let mut credits = credits(args);
    while let Some((known, start)) = credits.and_then(|known| Some((known, known.due(&calendar, now)?))) {
        let open = unanswered(&sendings, start, known.spent_at);
        credits = known.begin_period(start, open, allowance, &calendar);
    }
    let ahead = forecast(credits.as_ref(), used, allowance, &calendar, now);
    let fields = params![
        credits.map(|known| known.shown()),
        credits.map(|known| known.observed_at),
        ahead.used_per_day,
        ahead.next_grant_at,
        ahead.next_grant,
        ahead.lasts_until,
        ahead.state.name()
    ];
    Ok(Some(ANSWER.row(fields)))
}

/// An instant as it is: an infinite one, which only a DBA can write, must not break the view.
fn raw(args: &Args, position: usize) -> Option<Instant> {
    args.optional::<TimestampWithTimeZone>(position).map(|at| Instant(at.into()))
}

/// The balance of the row, not rolled.
fn credits(args: &Args) -> Option<Credits> {
    Credits::of_columns(args.optional(0), args.optional(1), raw(args, 2), raw(args, 3), raw(args, 4))
}

/// The InMails of the three arrays. What became of them does not matter here, but when.
fn sendings(args: &Args) -> Vec<Sending> {
    type Instants = Vec<Option<TimestampWithTimeZone>>;
    let array = |position| args.optional::<Instants>(position).unwrap_or_default();
    let instant = |at: Option<TimestampWithTimeZone>| at.map(|at| Instant(at.into()));
    let (reserved, expires, settled) = (array(9), array(10), array(11));
    let all = reserved.into_iter().zip(expires).zip(settled);
    let sending = |((reserved_at, expires_at), settled_at)| {
        let (reserved_at, expires_at) = (instant(reserved_at)?, instant(expires_at)?);
        Some(Sending { reserved_at, expires_at, settled_at: instant(settled_at), fate: Fate::Unanswered })
    };
    all.filter_map(sending).collect()
}
