//! What `reserve` and `preview` share: the one look at everything that a decision needs.

use pgrx::pg_sys;
use sendgate_decision::breaker::{OperationId, Reading};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{Action, OperationState, Origin};

use crate::account_row::{AccountRow, account_columns, read_columns, unknown};
use crate::config::Config;
use crate::error::Result;
use crate::journal;
use crate::settings;
use crate::statement::{Row, Spi, Statement, params};
use crate::zone;

/// The account, the operation of that id (a replay), and what the journal says about the prospect.
static LOOK: Statement = Statement::new(
    concat!(
        "SELECT ",
        account_columns!(),
        ", o.action, o.prospect_id, o.campaign_id, o.origin, o.state, o.expires_at,
           p.unresolved, p.last_kept_at
         FROM sendgate.accounts a
         LEFT JOIN sendgate.send_operations o
             ON o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2
         CROSS JOIN LATERAL (
             SELECT pg_catalog.bool_or(j.state OPERATOR(pg_catalog.=) 'reserved'
                        OR j.state OPERATOR(pg_catalog.=) 'indeterminate') AS unresolved,
                    pg_catalog.max(j.reserved_at)
                        FILTER (WHERE j.state OPERATOR(pg_catalog.<>) 'released') AS last_kept_at
             FROM sendgate.send_operations j
             WHERE j.account_id OPERATOR(pg_catalog.=) $1 AND j.prospect_id OPERATOR(pg_catalog.=) $3
               AND j.action OPERATOR(pg_catalog.=) $4
         ) p
         WHERE a.id OPERATOR(pg_catalog.=) $1"
    ),
    &[pg_sys::TEXTOID, pg_sys::UUIDOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
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

/// An operation of the same id that is in the journal already.
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
    let params = params![ask.account, ask.operation, ask.prospect, ask.action.name()];
    let mut columns = spi
        .run(&LOOK, params)
        .first()
        .ok_or_else(|| unknown(ask.account))?;
    let row = read_columns(&mut columns);
    let earlier = read_earlier(&mut columns);
    let history = ProspectHistory {
        unresolved: columns.nullable().unwrap_or(false),
        last_kept_at: columns.nullable_instant(),
    };
    Ok(Seen {
        row,
        earlier,
        history: ask.prospect.map(|_| history),
    })
}

fn read_earlier(columns: &mut Row) -> Option<Earlier> {
    let action: Option<&str> = columns.nullable();
    let (prospect, campaign) = (columns.nullable(), columns.nullable());
    let (origin, state): (Option<&str>, Option<&str>) = (columns.nullable(), columns.nullable());
    let expires_at = columns.nullable_instant();
    Some(Earlier {
        action: Action::parse(action?)?,
        prospect: prospect?,
        campaign,
        origin: Origin::parse(origin?)?,
        state: OperationState::parse(state?)?,
        expires_at: expires_at?,
    })
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
    let open = matches!(
        breaker.read(account.credit_reset_day, now),
        Reading::Open { .. }
    );
    let evidence = ask.action == Action::Inmail
        && open
        && breaker
            .exhausted_at
            .is_some_and(|stamp| journal::has_evidence(spi, ask.account, stamp, now));
    let zone = zone::load(if account.window.is_some() {
        &seen.row.time_zone
    } else {
        "UTC"
    })?;
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
