//! `breaker_check`: consults the breaker alone, for applications that use nothing else of the gate.

use crate::gate::clear::clear_by_rule;
use crate::gate::known_credits;
use crate::gate::skip;
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::index_scan::{self, Lookup, key};
use crate::postgres::param::params;
use crate::postgres::record::CompositeType;
use crate::postgres::row::Row;
use crate::postgres::statement::Spi;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::campaign_events::Skip;
use crate::tables::config;
use crate::tables::credits::first_expiry;
use crate::tables::events;
use crate::tables::observed_refusals;
use crate::tables::suppressions;
use sendgate_decision::breaker::{ClearReason, Reading};
use sendgate_decision::clock::Instant;
use sendgate_decision::credits;
use sendgate_decision::names::{Action, BreakerMode, Enforcement, Reason};

sql_function!(sendgate_breaker_check, pg_finfo_sendgate_breaker_check, breaker_check);

static ANSWER: CompositeType = CompositeType::new(c"breaker_answer");

/// Whether there is anything to consult at all: nearly always there is not.
static BREAKER: Lookup = Lookup::new(
    c"accounts",
    &[key::text(c"id")],
    "breaker_mode, inmail_credits_exhausted_at, credits_left, credits_base",
);

/// The breaker's answer.
struct Consulted {
    /// Whether to go on.
    proceed: bool,
    /// Why not; with a yes, what would have refused if the account were not only observed.
    reason: Option<Reason>,
    retry_at: Option<Instant>,
    exhausted_at: Option<Instant>,
}

fn breaker_check(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let prospect = args.optional_id(1, "prospect_id")?;
    let campaign = args.optional_id(2, "campaign_id")?;
    let mut answer = Spi::connect_when_needed(|spi| consult(spi, account, prospect, campaign))?;
    if let (true, Some(prospect)) = (answer.proceed, prospect) {
        answer = spare(prospect, answer)?;
    }
    let fields =
        params![answer.proceed, answer.reason.map(Reason::name), answer.retry_at, answer.exhausted_at];
    Ok(Some(ANSWER.row(fields)))
}

/// A suppressed prospect is refused whatever the breaker says.
fn spare(prospect: &str, answer: Consulted) -> Result<Consulted> {
    let now = clock::now();
    Ok(match suppressions::of(prospect)?.filter(|found| found.rule.refuses(now)) {
        Some(found) => Consulted {
            proceed: false,
            reason: Some(Reason::ProspectSuppressed),
            retry_at: found.rule.until,
            exhausted_at: answer.exhausted_at,
        },
        None => answer,
    })
}

fn is_closed(account: &str) -> Result<bool> {
    let closed = |row: &mut Row| {
        // Each on its own: a column that is not read is read as the next one.
        let mode = row.one_of(BreakerMode::parse);
        let stamp = row.nullable_instant();
        let (left, base) = (row.nullable::<i32>(), row.nullable::<i32>());
        mode != BreakerMode::Open && stamp.is_none() && (left.unwrap_or(0) > 0 || base.is_none())
    };
    index_scan::now(&[&BREAKER], || Ok(BREAKER.one(params![account], closed).unwrap_or(false)))
}

/// What known credits say where no stamp stops InMails. A breaker that is forced closed is not consulted.
fn known(spi: &Spi, account: &str, row: &AccountRow, now: Instant) -> credits::Reading {
    let breaker = &row.account.breaker;
    let consulted = breaker.mode == BreakerMode::Auto && breaker.exhausted_at.is_none();
    match row.account.credits.as_ref().filter(|_| consulted) {
        Some(credits) => credits.read(|| first_expiry(spi, account, row, now)),
        None => credits::Reading::Enough,
    }
}

fn consult(spi: &Spi, account: &str, prospect: Option<&str>, campaign: Option<&str>) -> Result<Consulted> {
    let reading = config::read(spi);
    if !reading.config.paused() && is_closed(account)? && reading.still_holds() {
        return Ok(Consulted { proceed: true, reason: None, retry_at: None, exhausted_at: None });
    }
    let mut row = accounts::read(account)?;
    loop {
        let reading = config::read(spi);
        let now = clock::now();
        let breaker = &row.account.breaker;
        let exhausted_at = breaker.exhausted_at;
        let refuse =
            |reason, retry_at| Ok(Consulted { proceed: false, reason: Some(reason), retry_at, exhausted_at });
        if reading.config.paused() {
            return refuse(Reason::PausedByOperator, None);
        }
        if row.account.credits_due(now).is_some() {
            known_credits::begin_periods(spi, account)?;
            row = accounts::read(account)?;
            continue;
        }
        let (clear, refused) = match (breaker.read(row.account.credit_reset_day, now), exhausted_at) {
            (Reading::ForcedOpen, _) => return refuse(Reason::BreakerForcedOpen, None),
            (Reading::Lapsed, _) => (Some(ClearReason::MonthlyReset), None),
            (Reading::Open { retry_at }, Some(stamp)) => {
                let proven = events::has_evidence(spi, account, stamp, now);
                let clear = proven.then_some(ClearReason::RecentSuccessEvidence);
                (clear.or_else(|| known_credits::let_go(&row, now)), Some(retry_at))
            }
            (Reading::Closed, _) | (_, None) => match known(spi, account, &row, now) {
                credits::Reading::Enough => {
                    return Ok(Consulted { proceed: true, reason: None, retry_at: None, exhausted_at });
                }
                credits::Reading::Waits { retry_at } => (None, Some(retry_at)),
                credits::Reading::Spent => {
                    known_credits::arm_by_rule(spi, account, &row, (prospect, campaign), now)?;
                    row = accounts::read(account)?;
                    continue;
                }
            },
        };
        let Some(clear) = clear else {
            let reason = Reason::CreditsExhausted;
            if row.enforcement() == Enforcement::Observe {
                let (held, latest) = accounts::hold(account)?;
                if latest.version != row.version || !reading.still_holds() {
                    row = latest;
                    continue;
                }
                observed_refusals::count(spi, held, now.day(), Action::Inmail, reason, now);
                return Ok(Consulted {
                    proceed: true,
                    reason: Some(reason),
                    retry_at: refused,
                    exhausted_at,
                });
            }
            // Without a stamp the InMail only waits for those that are in flight.
            if let (Some(retry_at), true) = (refused, exhausted_at.is_some()) {
                let skip = Skip { account, seen: &row, prospect, campaign, retry_at };
                if !skip::skip(spi, &skip, now)? {
                    row = accounts::read(account)?;
                    continue;
                }
            }
            return refuse(reason, refused);
        };
        if clear_by_rule(spi, account, &row, clear, prospect, now)? {
            if reading.still_holds() {
                return Ok(Consulted { proceed: true, reason: None, retry_at: None, exhausted_at: None });
            }
            // An operator paused everything while the clear waited for the row.
            row = accounts::read(account)?;
            continue;
        }
        (_, row) = accounts::hold(account)?;
    }
}
