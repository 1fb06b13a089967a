//! The gate: may this account do this now, and what does its row look like afterwards?

use crate::account::Account;
use crate::breaker::{ClearReason, Probe, Reading};
use crate::budget::{Budget, TierCap};
use crate::clock::{Day, Instant};
use crate::credits;
use crate::failures::Limits;
use crate::names::{Action, BreakerMode, Enforcement, OperationId, Reason, Status};
use crate::pace::{self, paced_until};
use crate::window::{WindowReading, Zone};

/// What a decision needs beside the account row.
pub struct Request<'a> {
    /// The account's id.
    pub account_id: &'a str,
    /// What is to be sent.
    pub action: Action,
    /// The instant of the decision.
    pub now: Instant,
    /// The operation that asks.
    pub operation: OperationId,
    /// Whether `pause_all` is on.
    pub paused: bool,
    /// Whether the event log proves a delivery after the breaker's stamp.
    pub evidence: bool,
    /// When the first InMail that is unanswered and inside its TTL expires, if there is one; only looked at
    /// where known credits are used up.
    pub first_expiry: Option<Instant>,
    /// What the journal says about this prospect and action; none = nothing asked (`preview`).
    pub prospect: Option<ProspectHistory>,
    /// The prospect's suppression; none = writing is allowed.
    pub suppressed: Option<Suppression>,
    /// What the campaign may take of the account's day; none = no campaign, or one without a limit.
    pub campaign: Option<CampaignLimit>,
    /// What the account's tier allows for the action.
    pub tier: TierCap,
    /// The settings about attempts and failures.
    pub limits: Limits,
    /// Least time between two sends of one action to one prospect, in microseconds.
    pub prospect_cooldown: i64,
    /// Time an operation has for its answer, in microseconds.
    pub operation_ttl: i64,
    /// The account's time zone.
    pub zone: &'a dyn Zone,
}

/// What the journal says about earlier operations for one prospect and action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProspectHistory {
    /// Whether one is unresolved.
    pub unresolved: bool,
    /// When the youngest that was not given back was reserved.
    pub last_kept_at: Option<Instant>,
}

/// A suppression: no account may write to the prospect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// When it ends by itself; none = only unsuppress_prospect ends it.
    pub until: Option<Instant>,
}

impl Suppression {
    /// Whether it refuses at this instant.
    pub fn refuses(self, now: Instant) -> bool {
        self.until.is_none_or(|at| at > now)
    }
}

/// A campaign's part of the account's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignLimit {
    /// Slots of the action that the campaign may take of the account's UTC day, 0 or more.
    pub limit: i32,
    /// Slots that it has taken on the row's day.
    pub taken: i32,
}

impl CampaignLimit {
    /// Slots that are left.
    pub fn left(self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.taken)).unwrap_or(0)
    }
}

/// The counts that go with every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Slots of the action taken today.
    pub sent_today: i32,
    /// The effective daily cap.
    pub daily_cap: i32,
    /// Slots left under both caps.
    pub remaining: i32,
}

impl From<Budget> for Counts {
    fn from(budget: Budget) -> Counts {
        Counts { sent_today: budget.sent_today, daily_cap: budget.daily_cap, remaining: budget.remaining() }
    }
}

/// A slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The row with the slot taken.
    pub account: Account,
    /// The UTC day the slot counts on.
    pub counted_on: Day,
    /// After this instant the worker must not call the provider any more.
    pub expires_at: Instant,
    /// The answer holds for a row written before this instant; later it is to be decided again.
    pub valid_until: Instant,
    /// Whether no credit was left for it; the journal notes it, because its delivery proves the books wrong.
    pub beyond_credits: bool,
    /// The counts with this slot taken.
    pub counts: Counts,
    /// The rule that would have refused, where the account is only observed.
    pub observed: Option<Blocked>,
}

/// A rule that refuses, and when it lets go by itself; none when only an event can change it.
pub type Blocked = (Reason, Option<Instant>);

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first rule that refuses.
    pub reason: Reason,
    /// When that rule lets go by itself; none when only an event can change it.
    pub retry_at: Option<Instant>,
    /// The counts as they are.
    pub counts: Counts,
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// First remove the breaker's stamp for this reason, then ask again.
    ClearBreaker(ClearReason),
    /// First stamp the breaker, because no known credits are left (`credits_spent`), then ask again.
    ArmBreaker,
    /// First carry the known credits over the start of a period ([`Account::credits_due`]), with the row
    /// held, then ask again.
    NeedsPeriod,
    /// First count from the journal what the row does not know ([`Account::recall`]), with the row held, then ask
    /// again.
    NeedsCount,
    /// Go.
    Grant(Box<Grant>),
    /// No.
    Refuse(Refusal),
}

/// The counts of an action on an account as of `now`, for answers that no rule was asked for.
pub fn counts(account: &Account, action: Action, tier: &TierCap, now: Instant) -> Counts {
    Budget::of(&account.rolled(now), action, tier).into()
}

/// The rule that stands above all others, replays included: the one switch, and the status.
pub fn stopped(account: &Account, paused: bool) -> Option<Reason> {
    if paused {
        Some(Reason::PausedByOperator)
    } else if account.status != Status::Connected {
        Some(Reason::AccountNotConnected)
    } else {
        None
    }
}

/// What the rules look at.
struct Look<'a> {
    row: &'a Account,
    budget: &'a Budget,
    window: Option<WindowReading>,
    request: &'a Request<'a>,
}

/// A rule: why it refuses, if it does.
type Rule = fn(&Look<'_>) -> Option<Blocked>;

/// The rules in the contract's order.
const ORDER: [Rule; 12] = [
    |look| stopped(look.row, look.request.paused).map(|reason| (reason, None)),
    breaker_is_open,
    account_cools_down,
    action_cools_down,
    outside_the_window,
    suppressed,
    prospect_is_taken,
    too_soon,
    |look| look.budget.week_is_full(look.row, look.request.action),
    |look| look.budget.day_is_full(look.row),
    |look| look.budget.attempts_are_spent(look.row, look.request.action, &look.request.limits),
    campaign_has_its_part,
];

/// Asks the rules in the contract's order; the first that holds refuses.
pub fn decide(account: &Account, request: &Request<'_>) -> Verdict {
    decide_as(Enforcement::Enforce, account, request)
}

/// The same for an account that may only be observed.
pub fn decide_as(enforcement: Enforcement, account: &Account, request: &Request<'_>) -> Verdict {
    let row = account.rolled(request.now);
    let budget = Budget::of(&row, request.action, &request.tier);
    if budget.needs_count() {
        return Verdict::NeedsCount;
    }
    if let Some(first) = breaker_comes_first(&row, request) {
        return first;
    }
    let window = row.window.map(|window| window.read(request.zone, request.now));
    let look = Look { row: &row, budget: &budget, window, request };
    let mut held = ORDER.iter().filter_map(|rule| rule(&look));
    let first = held.next();
    let refusal = match enforcement {
        Enforcement::Enforce => first,
        Enforcement::Observe => first.into_iter().chain(held).find(|(reason, _)| !reason.is_observed()),
    };
    if let Some((reason, retry_at)) = refusal {
        return Verdict::Refuse(Refusal { reason, retry_at, counts: budget.into() });
    }
    let mut grant = grant(row, request, window);
    grant.observed = first;
    Verdict::Grant(Box::new(grant))
}

/// What the breaker says to the request.
fn reading(row: &Account, request: &Request<'_>) -> Reading {
    match request.action {
        Action::Inmail => row.breaker.read(row.credit_reset_day, request.now),
        _ => Reading::Closed,
    }
}

/// What has to happen to the breaker and the credits under it before the rules are asked.
fn breaker_comes_first(row: &Account, request: &Request<'_>) -> Option<Verdict> {
    if request.action != Action::Inmail || stopped(row, request.paused).is_some() {
        return None;
    }
    if row.credits_due(request.now).is_some() {
        return Some(Verdict::NeedsPeriod);
    }
    let clear = match reading(row, request) {
        Reading::Lapsed => Some(ClearReason::MonthlyReset),
        Reading::Open { .. } if request.evidence => Some(ClearReason::RecentSuccessEvidence),
        Reading::Open { .. } if row.balance_lets_go(request.now) => Some(ClearReason::BalanceEvidence),
        _ => None,
    };
    let spent = credits_say(row, request) == credits::Reading::Spent;
    clear.map(Verdict::ClearBreaker).or(spent.then_some(Verdict::ArmBreaker))
}

/// What known credits say to an InMail that no stamp stops. A breaker that an operator forced is not
/// consulted.
fn credits_say(row: &Account, request: &Request<'_>) -> credits::Reading {
    let breaker = &row.breaker;
    let consulted = request.action == Action::Inmail
        && breaker.mode == BreakerMode::Auto
        && breaker.exhausted_at.is_none();
    match row.credits.as_ref().filter(|_| consulted) {
        Some(credits) => credits.read(|| request.first_expiry),
        None => credits::Reading::Enough,
    }
}

/// Whether the request passes an open breaker with its permit.
fn is_probe(row: &Account, request: &Request<'_>) -> bool {
    matches!(reading(row, request), Reading::Open { .. }) && row.breaker.has_permit(request.now)
}

fn breaker_is_open(look: &Look<'_>) -> Option<Blocked> {
    match reading(look.row, look.request) {
        Reading::ForcedOpen => Some((Reason::BreakerForcedOpen, None)),
        Reading::Open { retry_at } if !is_probe(look.row, look.request) => {
            Some((Reason::CreditsExhausted, Some(retry_at)))
        }
        Reading::Open { .. } | Reading::Lapsed => None,
        Reading::Closed => match credits_say(look.row, look.request) {
            credits::Reading::Waits { retry_at } => Some((Reason::CreditsExhausted, Some(retry_at))),
            credits::Reading::Enough | credits::Reading::Spent => None,
        },
    }
}

/// The rule lasts until then, if that lies ahead.
fn until(reason: Reason, until: Option<Instant>, now: Instant) -> Option<Blocked> {
    until.filter(|&until| until > now).map(|until| (reason, Some(until)))
}

fn account_cools_down(look: &Look<'_>) -> Option<Blocked> {
    until(Reason::AccountCooldown, look.row.cooldown_until, look.request.now)
}

/// The later of its ends: what the provider asked for, and the silence after failures in a row.
fn action_cools_down(look: &Look<'_>) -> Option<Blocked> {
    let i = look.request.action.index();
    let silent = look.row.failures[i].silent_until(&look.request.limits);
    until(Reason::ActionCooldown, look.row.action_cooldown_until[i].max(silent), look.request.now)
}

fn outside_the_window(look: &Look<'_>) -> Option<Blocked> {
    let reading = look.window?;
    (!reading.open).then_some((Reason::OutsideSendingWindow, Some(reading.until)))
}

fn suppressed(look: &Look<'_>) -> Option<Blocked> {
    let suppression = look.request.suppressed?;
    suppression.refuses(look.request.now).then_some((Reason::ProspectSuppressed, suppression.until))
}

fn prospect_is_taken(look: &Look<'_>) -> Option<Blocked> {
    let history = look.request.prospect?;
    if history.unresolved {
        return Some((Reason::OperationInFlight, None));
    }
    let warm = history.last_kept_at.map(|at| at.plus(look.request.prospect_cooldown));
    until(Reason::ProspectCooldown, warm, look.request.now)
}

fn too_soon(look: &Look<'_>) -> Option<Blocked> {
    let asked = pace::Asked {
        account_id: look.request.account_id,
        action: look.request.action,
        tier_gap: look.request.tier.minimum_gap,
        slots_left: look.budget.remaining(),
        zone: look.request.zone,
    };
    until(Reason::Pacing, paced_until(look.row, &asked), look.request.now)
}

fn campaign_has_its_part(look: &Look<'_>) -> Option<Blocked> {
    let campaign = look.request.campaign?;
    let tomorrow = look.row.day.next().start();
    (campaign.taken >= campaign.limit)
        .then_some((Reason::CampaignLimitReached, (campaign.limit > 0).then_some(tomorrow)))
}

/// Until when the answer holds for a row that is not yet written.
fn valid_until(row: &Account, request: &Request<'_>, window: Option<WindowReading>) -> Instant {
    let mut until = request.now.day().next().start();
    if is_probe(row, request)
        && let Some(permit) = &row.breaker.probe
    {
        until = until.min(permit.lease_until);
    }
    window.map_or(until, |reading| until.min(reading.until))
}

fn grant(mut row: Account, request: &Request<'_>, window: Option<WindowReading>) -> Grant {
    let (now, i) = (request.now, request.action.index());
    let expires_at = now.plus(request.operation_ttl);
    let valid_until = valid_until(&row, request, window);
    let probing = is_probe(&row, request);
    row.take_slot(request.action);
    row.last_granted_at[i] = Some(now);
    row.failures[i].grant(&request.limits, expires_at, now);
    let budget = Budget::of(&row, request.action, &request.tier);
    let mut beyond_credits = false;
    if request.action == Action::Inmail {
        beyond_credits = row.credits.as_mut().is_some_and(|credits| credits.take(now));
        row.inmail_cap_today = row.inmail_cap_today.max(budget.daily_cap);
    }
    if probing {
        // The lease outlives the operation, so that there are never two at a time.
        row.breaker.probe = row.breaker.probe.map(|permit| Probe {
            lease_until: permit.lease_until.max(expires_at),
            taken_by: Some(request.operation),
        });
    }
    Grant {
        counted_on: row.day,
        expires_at,
        valid_until,
        beyond_credits,
        counts: budget.into(),
        observed: None,
        account: row,
    }
}

#[cfg(test)]
mod credits_tests;
#[cfg(test)]
mod tests;
