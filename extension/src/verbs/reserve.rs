//! `reserve`: takes a slot before the provider is called.
//!
//! Look, decide, write the decision; if the write was overtaken, hold the row and start
//! again. Every change of an account's journal that could refuse a send also changes the account's
//! version, so a write that finds its version is a decision about the journal as it is.

use crate::gate::clear::clear_by_rule;
use crate::gate::decision::Decision;
use crate::gate::known_credits;
use crate::gate::look::{Ask, Earlier, Seen, judge, look};
use crate::gate::refusals;
use crate::gate::rule::Rule;
use crate::gate::skip;
use crate::gate::take;
use crate::gate::transaction;
use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, shown, sql_function};
use crate::postgres::ids;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::alerts;
use crate::tables::campaign_events::Skip;
use crate::tables::config::{self, Config};
use crate::tables::journal::{self, NewOperation};
use crate::tables::observed_refusals;
use crate::tables::suppressions;
use sendgate_decision::clock::{Instant, SECOND};
use sendgate_decision::gate::{Grant, Refusal, Verdict, counts, stopped};
use sendgate_decision::names::{OperationId, OperationState, Origin, Reason};
use std::rc::Rc;

/// How often a decision is made anew before the call gives up. The row is held from the second
/// time on, so only midnight, a closing window or a new configuration can still come between.
const DECISIONS_MAX: usize = 16;

/// A decision that is older than this when its row is written was made before a wait for the row.
const DECISION_AGE_MAX: i64 = SECOND;

sql_function!(sendgate_reserve, pg_finfo_sendgate_reserve, reserve);

fn reserve(args: &Args) -> Answer {
    let ask = Ask {
        account: args.id(0, "account_id")?,
        action: args.action(1)?,
        prospect: Some(args.id(2, "prospect_id")?),
        operation: args.optional_uuid(4),
    };
    let campaign = args.optional_id(3, "campaign_id")?;
    transaction::check("reserve")?;
    let decision = Spi::connect_when_needed(|spi| decide_and_write(spi, &ask, campaign, KnownId::Replays))?;
    Ok(Some(decision.into_datum()))
}

/// What it means that the journal knows the operation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownId {
    /// The same call comes again: the answer is the same grant, while it is in flight.
    Replays,
    /// It is left from an earlier attempt: one that was given back makes way for a new one, any other refuses.
    IsSpent,
}

/// Decides, and takes the slot where the answer is yes. A refusal is counted.
pub fn decide_and_write(
    spi: &Spi,
    ask: &Ask<'_>,
    campaign: Option<&str>,
    known: KnownId,
) -> Result<Decision> {
    let decision = decide_until_it_holds(spi, ask, campaign, known)?;
    if let (false, Some(reason)) = (decision.proceed, decision.reason) {
        refusals::count(ask.action, reason);
    }
    Ok(decision)
}

fn decide_until_it_holds(
    spi: &Spi,
    ask: &Ask<'_>,
    campaign: Option<&str>,
    known: KnownId,
) -> Result<Decision> {
    let mut operation = ask.operation.unwrap_or_else(ids::fresh);
    for _ in 0..DECISIONS_MAX {
        let reading = config::read(spi);
        let rule = Rule::new(Rc::clone(&reading.config));
        let told = suppressions::changes();
        let seen = look(ask)?;
        let now = clock::now();
        if seen.earlier.is_some() && seen.row.account.sent_before.is_none() {
            // An answer without a decision has counts too.
            count_days(spi, ask.account)?;
            continue;
        }
        match (&seen.earlier, known) {
            (Some(earlier), KnownId::Replays) => {
                let decision = replay(ask, campaign, operation, &seen, earlier, &rule.config, now)?;
                if decision.proceed && !(reading.still_holds() && may_write_to(ask, told, clock::now())?) {
                    continue;
                }
                return Ok(decision);
            }
            (Some(earlier), KnownId::IsSpent) if earlier.state != OperationState::Released => {
                return Ok(spent(ask, &seen, earlier, &rule.config, now));
            }
            // Whatever the look before this one found: an id that is in the journal is not used again.
            (Some(_), KnownId::IsSpent) => operation = ids::fresh(),
            (None, _) => {}
        }
        match judge(spi, ask, campaign, &seen, &rule, operation, now)? {
            Verdict::Refuse(refusal) => {
                if seen.row.account.is_ahead_of(now)
                    && !alerts::open_ahead_of_seen(spi, ask.account, &seen.row, now)?
                {
                    continue;
                }
                // Without a stamp it only waits for the InMails that are in flight.
                let stamped = seen.row.account.breaker.exhausted_at.is_some();
                if let (Reason::CreditsExhausted, Some(retry_at), true) =
                    (refusal.reason, refusal.retry_at, stamped)
                {
                    let (account, prospect) = (ask.account, ask.prospect);
                    let skip = Skip { account, seen: &seen.row, prospect, campaign, retry_at };
                    if !skip::skip(spi, &skip, now)? {
                        continue;
                    }
                }
                if let (Reason::ProspectSuppressed, Some(campaign), Some(suppressed)) =
                    (refusal.reason, campaign, seen.suppressed)
                    && !skip::spare(spi, ask, &seen.row, campaign, suppressed, now)?
                {
                    continue;
                }
                return Ok(Decision::refuse(refusal));
            }
            Verdict::ClearBreaker(reason) => {
                if !clear_by_rule(spi, ask.account, &seen.row, reason, ask.prospect, now)? {
                    accounts::hold(ask.account)?;
                }
            }
            Verdict::ArmBreaker => {
                let attempt = (ask.prospect, campaign);
                if !known_credits::arm_by_rule(spi, ask.account, &seen.row, attempt, now)? {
                    accounts::hold(ask.account)?;
                }
            }
            Verdict::NeedsCount => count_days(spi, ask.account)?,
            Verdict::NeedsPeriod => known_credits::begin_periods(spi, ask.account)?,
            Verdict::Grant(grant) => {
                let new = new_operation(ask, campaign, operation, &grant, now);
                let Some(held) = take::take(spi, &seen.row, &grant.account, &new)? else {
                    accounts::hold(ask.account)?;
                    continue;
                };
                // An answer that midnight, a window's end or an operator overtook while it was being
                // written is taken back and decided again.
                let written_at = clock::now();
                let holds = written_at < grant.valid_until.min(now.plus(DECISION_AGE_MAX));
                if holds && reading.still_holds() && may_write_to(ask, told, written_at)? {
                    if seen.row.account.is_ahead_of(now) {
                        alerts::open_ahead(spi, held, now);
                    }
                    if let Some((reason, _)) = grant.observed {
                        observed_refusals::count(spi, held, grant.counted_on, ask.action, reason, now);
                    }
                    return Ok(granted(operation, &grant));
                }
                let written = accounts::read(ask.account)?;
                accounts::write_held(spi, held, written.version, &seen.row.account)?;
                journal::forget(spi, held, operation);
            }
        }
    }
    Err(Error::new(
        Code::Undecided,
        format!("no decision about account \"{}\" held long enough", shown(ask.account)),
        format!(
            "It was made anew {DECISIONS_MAX} times; each time the day, the window or the configuration had moved on."
        ),
        "Nothing was changed: try again. If it happens again, look at the server's clock.",
    ))
}

/// Whether the prospect may be written to, although the list has changed since that was looked at: the write
/// may have waited for the row, and a suppression holds from its commit.
fn may_write_to(ask: &Ask<'_>, told: u64, now: Instant) -> Result<bool> {
    match ask.prospect {
        Some(prospect) if suppressions::changes() != told => Ok(!suppressions::refuses(prospect, now)?),
        _ => Ok(true),
    }
}

/// Counts from the journal what the days before the row's own sent and how often that day was tried, with the row
/// held, and writes it. An account that was upgraded or restored does not know it.
fn count_days(spi: &Spi, account: &str) -> Result<()> {
    let (held, mut row) = accounts::hold(account)?;
    if row.account.sent_before.is_some() {
        return Ok(());
    }
    let recalled = journal::many::recall(spi, &[(account, row.account.day)]);
    recalled.iter().for_each(|of| row.account.recall(of));
    accounts::write_held(spi, held, row.version, &row.account)
}

fn new_operation<'a>(
    ask: &Ask<'a>,
    campaign: Option<&'a str>,
    operation: OperationId,
    grant: &Grant,
    now: Instant,
) -> NewOperation<'a> {
    NewOperation {
        id: operation,
        account: ask.account,
        prospect: ask.prospect.unwrap_or_default(),
        action: ask.action,
        campaign,
        reserved_at: now,
        expires_at: grant.expires_at,
        counted_on: grant.counted_on,
        beyond_credits: grant.beyond_credits,
    }
}

fn granted(operation: OperationId, grant: &Grant) -> Decision {
    Decision {
        operation: Some(operation),
        proceed: true,
        reason: grant.observed.map(|(reason, _)| reason),
        retry_at: grant.observed.and_then(|(_, retry_at)| retry_at),
        expires_at: Some(grant.expires_at),
        counts: grant.counts,
        taken: true,
    }
}

/// An earlier attempt of the same row that was sent, or may have been.
fn spent(ask: &Ask<'_>, seen: &Seen, earlier: &Earlier, config: &Config, now: Instant) -> Decision {
    let reason =
        if earlier.state.is_unresolved() { Reason::OperationInFlight } else { Reason::OperationResolved };
    let tier = config.tier_cap(&seen.row.tier, ask.action);
    let counts = counts(&seen.row.account, ask.action, &tier, now);
    Decision::refuse(Refusal { reason, retry_at: None, counts })
}

/// The same call again: the same grant while it is in flight, otherwise a refusal for good.
fn replay(
    ask: &Ask<'_>,
    campaign: Option<&str>,
    operation: OperationId,
    seen: &Seen,
    earlier: &Earlier,
    config: &Config,
    now: Instant,
) -> Result<Decision> {
    let same = earlier.origin == Origin::Gate
        && earlier.action == ask.action
        && Some(earlier.prospect.as_str()) == ask.prospect
        && earlier.campaign.as_deref() == campaign;
    if !same {
        return Err(mismatch(operation, earlier));
    }
    let account = &seen.row.account;
    let tier = config.tier_cap(&seen.row.tier, ask.action);
    let counts = counts(account, ask.action, &tier, now);
    let in_flight = earlier.state == OperationState::Reserved && now < earlier.expires_at;
    let suppressed = seen.suppressed.map(|found| found.rule).filter(|rule| rule.refuses(now));
    let reason = match (in_flight, suppressed) {
        (false, _) => Some((Reason::OperationResolved, None)),
        (true, suppressed) => stopped(account, config.paused())
            .map(|reason| (reason, None))
            .or(suppressed.map(|rule| (Reason::ProspectSuppressed, rule.until))),
    };
    Ok(match reason {
        Some((reason, retry_at)) => Decision::refuse(Refusal { reason, retry_at, counts }),
        None => Decision {
            operation: Some(operation),
            proceed: true,
            reason: None,
            retry_at: None,
            expires_at: Some(earlier.expires_at),
            counts,
            taken: false,
        },
    })
}

fn mismatch(operation: OperationId, earlier: &Earlier) -> Error {
    Error::new(
        Code::OperationMismatch,
        format!("operation {} was reserved with other arguments", ids::show(operation)),
        format!(
            "It is an {} for prospect \"{}\", campaign {}, origin {}.",
            earlier.action.name(),
            shown(&earlier.prospect),
            earlier.campaign.as_deref().map_or("null".to_owned(), |c| format!("\"{}\"", shown(c))),
            earlier.origin.name(),
        ),
        "Use a new operation_id for every new attempt, and the same arguments when you repeat a call whose answer was lost.",
    )
}
