//! What `reserve` and `preview` share: the one look at everything that a decision needs.

use pgrx::pg_sys;
use sendgate_decision::breaker::{OperationId, Reading};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{Action, OperationState, Origin};

use crate::account_row::{self, ACCOUNT_COLUMNS, AccountRow, account_columns, read_columns, unknown};
use crate::config::Config;
use crate::error::Result;
use crate::journal;
use crate::settings;
use crate::statement::{Row, Spi, Statement, params};
use crate::zone;

/// The account, with what the journal says about the prospect and action: a row for each operation
/// that was not given back, or one without. Folded here rather than by an aggregate, which would cost more than the look-up.
static LOOK: Statement = Statement::new(
    concat!(
        "SELECT ",
        account_columns!(),
        ", o.operation_id, o.prospect_id, o.action, o.campaign_id, o.origin, o.state, o.reserved_at,
           o.expires_at
         FROM sendgate.accounts a
         LEFT JOIN sendgate.send_operations o
             ON o.account_id OPERATOR(pg_catalog.=) $1 AND o.prospect_id OPERATOR(pg_catalog.=) $2
                AND o.action OPERATOR(pg_catalog.=) $3
                AND o.state OPERATOR(pg_catalog.<>) 'released'
         WHERE a.id OPERATOR(pg_catalog.=) $1"
    ),
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
);

/// An operation of the id that the worker chose.
static REPLAYED: Statement = Statement::new(
    "SELECT o.operation_id, o.prospect_id, o.action, o.campaign_id, o.origin, o.state, o.reserved_at,
            o.expires_at
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2",
    &[pg_sys::TEXTOID, pg_sys::UUIDOID],
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
    /// What it was to send.
    pub action: Action,
    /// Whom to.
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
}

/// Looks once, without holding anything.
///
/// # Errors
/// `SG101` for an unknown account.
pub fn look(spi: &Spi, ask: &Ask<'_>) -> Result<Seen> {
    let rows = spi.run(&LOOK, params![ask.account, ask.prospect, ask.action.name()]);
    let mut columns = rows.first().ok_or_else(|| unknown(ask.account))?;
    let mut row = read_columns(&mut columns);
    let mut history = ProspectHistory::default();
    let mut earlier = None;
    let mut next = Some(columns);
    for index in 1.. {
        let Some((id, reserved_at, operation)) = next.as_mut().and_then(read_operation) else {
            break;
        };
        history.unresolved |= operation.state.is_unresolved();
        history.last_kept_at = history.last_kept_at.max(Some(reserved_at));
        if ask.operation == Some(id) {
            earlier = Some(operation);
        }
        next = rows.row(index).map(|mut columns| {
            columns.skip(ACCOUNT_COLUMNS);
            columns
        });
    }
    if earlier.is_none() && ask.operation.is_some() {
        // Not among the prospect's: it may have been given back, or used for somebody else, or
        // committed since. Then the account is read again, so that both are of one instant.
        let rows = spi.run(&REPLAYED, params![ask.account, ask.operation]);
        earlier = rows.first().and_then(|mut columns| read_operation(&mut columns)).map(|found| found.2);
        if earlier.is_some() {
            row = account_row::read(spi, ask.account)?;
        }
    }
    Ok(Seen { row, earlier, history: ask.prospect.map(|_| history) })
}

fn read_operation(columns: &mut Row) -> Option<(OperationId, Instant, Earlier)> {
    let id = columns.nullable_uuid()?;
    let prospect = columns.value();
    let action = columns.one_of(Action::parse);
    let campaign = columns.nullable();
    let origin = columns.one_of(Origin::parse);
    let state = columns.one_of(OperationState::parse);
    let (reserved_at, expires_at) = (columns.instant(), columns.instant());
    Some((id, reserved_at, Earlier { action, prospect, campaign, origin, state, expires_at }))
}

/// Asks the rule about what was seen.
pub fn judge(
    spi: &Spi,
    ask: &Ask<'_>,
    seen: &Seen,
    config: &Config,
    operation: OperationId,
    now: Instant,
) -> Result<Verdict> {
    let account = &seen.row.account;
    let breaker = &account.breaker;
    let open = matches!(breaker.read(account.credit_reset_day, now), Reading::Open { .. });
    let evidence = ask.action == Action::Inmail
        && open
        && breaker.exhausted_at.is_some_and(|stamp| journal::has_evidence(spi, ask.account, stamp, now));
    let zone = zone::load(if account.window.is_some() { &seen.row.time_zone } else { "UTC" })?;
    let request = Request {
        action: ask.action,
        now,
        operation,
        paused: config.paused,
        evidence,
        prospect: seen.history,
        tier: config.tier_cap(&seen.row.tier, ask.action),
        prospect_cooldown: settings::prospect_cooldown(),
        operation_ttl: settings::operation_ttl(),
        zone: &*zone,
    };
    Ok(decide(account, &request))
}
