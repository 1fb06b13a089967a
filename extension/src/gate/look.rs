//! What `reserve` and `preview` share: the one look at everything that a decision needs.

use crate::gate::rule::{self, Rule};
use crate::postgres::error::Result;
use crate::postgres::index_scan::{self, Lookup, Reader, key};
use crate::postgres::param::params;
use crate::postgres::row::Row;
use crate::postgres::statement::Spi;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::campaigns;
use crate::tables::credits;
use crate::tables::events;
use crate::tables::suppressions::{self, Suppressed};
use sendgate_decision::breaker::Reading;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{ProspectHistory, Verdict};
use sendgate_decision::names::{Action, OperationId, OperationState, Origin};

/// The columns of an operation: first those of [`read_head`], which are read for every operation of the
/// prospect, then those of [`read_operation`].
macro_rules! operation_columns {
    () => {
        "operation_id, state, reserved_at, prospect_id, action, campaign_id, origin, expires_at"
    };
}

/// What the journal says about the prospect and action.
static OF_PROSPECT: Lookup = Lookup::new(
    c"send_operations",
    &[key::text(c"account_id"), key::text(c"prospect_id"), key::text(c"action")],
    operation_columns!(),
);

/// An operation of the id that the worker chose.
static REPLAYED: Lookup = Lookup::new(
    c"send_operations",
    &[key::text(c"account_id"), key::uuid(c"operation_id")],
    operation_columns!(),
);

/// What a worker asks.
pub struct Ask<'a> {
    /// The account to send through.
    pub account: &'a str,
    /// What to send.
    pub action: Action,
    /// Whom to; none in a `preview` about the account alone.
    pub prospect: Option<&'a str>,
    /// The operation id that the worker chose.
    pub operation: Option<OperationId>,
}

/// An operation that is in the journal already.
pub struct Earlier {
    /// The action.
    pub action: Action,
    /// The prospect.
    pub prospect: String,
    /// For which campaign.
    pub campaign: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// Its state.
    pub state: OperationState,
    /// Until when it is in flight.
    pub expires_at: Instant,
}

/// Everything that a decision needs, of one instant.
pub struct Seen {
    /// The account.
    pub row: AccountRow,
    /// The operation of the same id, if there is one.
    pub earlier: Option<Earlier>,
    /// What the journal says about the prospect.
    pub history: Option<ProspectHistory>,
    /// The prospect's suppression.
    pub suppressed: Option<Suppressed>,
}

/// Reads everything on one snapshot, without holding the account; the suppression as of the last commit.
///
/// # Errors
/// `SG101` for an unknown account.
pub fn look(ask: &Ask<'_>) -> Result<Seen> {
    let suppressed = match ask.prospect {
        Some(prospect) => suppressions::of(prospect)?,
        None => None,
    };
    index_scan::now(&[&accounts::ACCOUNT, &OF_PROSPECT], || {
        let row = accounts::read_now(ask.account)?;
        let (history, mut earlier) = match ask.prospect {
            Some(prospect) => look_at_prospect(ask, prospect),
            None => (None, None),
        };
        if earlier.is_none() && ask.operation.is_some() {
            // Not among the prospect's: it may have been given back, or used for another prospect.
            earlier = REPLAYED.one(params![ask.account, ask.operation], |columns| {
                let (_, state, _) = read_head(columns);
                read_operation(columns, state)
            });
        }
        Ok(Seen { row, earlier, history, suppressed })
    })
}

/// What the journal says about the prospect, and the operation that the worker names if it is there.
fn look_at_prospect(ask: &Ask<'_>, prospect: &str) -> (Option<ProspectHistory>, Option<Earlier>) {
    let mut history = ProspectHistory::default();
    let mut earlier = None;
    OF_PROSPECT.each(params![ask.account, prospect, ask.action.name()], |columns| {
        let (id, state) = add(&mut history, columns);
        if state != OperationState::Released && ask.operation == id {
            earlier = Some(read_operation(columns, state));
        }
        true
    });
    (Some(history), earlier)
}

/// Takes in an operation of the prospect; its id and state.
fn add(history: &mut ProspectHistory, columns: &mut Row) -> (Option<OperationId>, OperationState) {
    let (id, state, reserved_at) = read_head(columns);
    if state != OperationState::Released {
        history.unresolved |= state.is_unresolved();
        history.last_kept_at = history.last_kept_at.max(Some(reserved_at));
    }
    (id, state)
}

/// What the journal says about many prospects. Inside one [`index_scan::now`] of [`Histories::journal`].
pub struct Histories {
    reader: Reader,
}

impl Histories {
    /// Nothing is read yet.
    pub fn new() -> Histories {
        Histories { reader: OF_PROSPECT.reader() }
    }

    /// The table that is read.
    pub fn journal() -> &'static Lookup {
        &OF_PROSPECT
    }

    /// What it says about a prospect.
    pub fn of(&mut self, account: &str, action: Action, prospect: &str) -> ProspectHistory {
        let mut history = ProspectHistory::default();
        self.reader.each(params![account, prospect, action.name()], |columns| {
            add(&mut history, columns);
            true
        });
        history
    }

    /// Ends the reading.
    pub fn close(self) {
        self.reader.close();
    }
}

fn read_head(columns: &mut Row) -> (Option<OperationId>, OperationState, Instant) {
    (columns.nullable_uuid(), columns.one_of(OperationState::parse), columns.instant())
}

fn read_operation(columns: &mut Row, state: OperationState) -> Earlier {
    Earlier {
        state,
        prospect: columns.value(),
        action: columns.one_of(Action::parse),
        campaign: columns.nullable(),
        origin: columns.one_of(Origin::parse),
        expires_at: columns.instant(),
    }
}

/// Asks the rule about the rows that were read, on behalf of a campaign if the worker names one.
pub fn judge(
    spi: &Spi,
    ask: &Ask<'_>,
    campaign: Option<&str>,
    seen: &Seen,
    rule: &Rule,
    operation: OperationId,
    now: Instant,
) -> Result<Verdict> {
    let account = &seen.row.account;
    let breaker = &account.breaker;
    let open = matches!(breaker.read(account.credit_reset_day, now), Reading::Open { .. });
    let evidence = ask.action == Action::Inmail
        && open
        && breaker.exhausted_at.is_some_and(|stamp| events::has_evidence(spi, ask.account, stamp, now));
    let asked = rule::ask(rule, ask.account, &seen.row, evidence, ask.action, now)?;
    if ask.action == Action::Inmail {
        asked.in_flight_until(credits::first_expiry(spi, ask.account, &seen.row, now));
    }
    let asked = asked.under(seen.row.enforcement());
    let suppressed = seen.suppressed.map(|found| found.rule);
    let verdict = asked.decide(account, operation, seen.history, suppressed, None);
    // The campaign's part of the day is the last rule, so it is counted only where all others let go. Whatever
    // is taken or given back meanwhile changes the row's version.
    if let (Verdict::Grant(grant), Some(campaign)) = (&verdict, campaign)
        && let Some(part) = campaigns::part_of_day(ask.account, campaign, ask.action, grant.counted_on)?
    {
        return Ok(asked.decide(account, operation, seen.history, suppressed, Some(part)));
    }
    Ok(verdict)
}
