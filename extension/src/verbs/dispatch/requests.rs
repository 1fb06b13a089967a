//! The rows that were handed out to a request: the same request again gets the same rows, as long as they
//! are in flight.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::suppressions::{self, Suppressed};
use crate::verbs::dispatch::{Filter, Handed};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;

static READ: Statement = Statement::new(
    "SELECT r.max_operations, r.action, r.account_id, r.campaign_id
     FROM sendgate.dispatch_requests r WHERE r.request_id OPERATOR(pg_catalog.=) $1",
    types![uuid],
);

/// Only what the worker may still act on: in flight, in time, on an account that is connected; those whose
/// prospect is suppressed by now are left out afterwards.
static REPLAY: Statement = Statement::new(
    "SELECT o.account_id, o.campaign_id, o.prospect_id, o.action, o.operation_id, o.expires_at, o.attempt,
            COALESCE(o.step, 1::pg_catalog.int2), e.payload
     FROM sendgate.dispatch_requests r
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(r.account_ids), pg_catalog.unnest(r.operation_ids))
          WITH ORDINALITY AS u (account_id, operation_id, n)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id
            AND o.operation_id OPERATOR(pg_catalog.=) u.operation_id
     JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) u.account_id
     LEFT JOIN sendgate.enrollments e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.prospect_id OPERATOR(pg_catalog.=) o.prospect_id
            AND e.campaign_id OPERATOR(pg_catalog.=) o.campaign_id
            AND e.action OPERATOR(pg_catalog.=) o.action AND e.step OPERATOR(pg_catalog.=) COALESCE(o.step, 1)
     WHERE r.request_id OPERATOR(pg_catalog.=) $1
       AND o.state OPERATOR(pg_catalog.=) 'reserved' AND o.expires_at OPERATOR(pg_catalog.>) $2
       AND a.status OPERATOR(pg_catalog.=) 'connected'
     ORDER BY u.n",
    types![uuid, instant],
);

static REMEMBER: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_requests (request_id, at, max_operations, action, account_id,
         account_ids, operation_ids, campaign_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (request_id) DO NOTHING",
    types![uuid, instant, int4, text, text, texts, uuids, text],
);

/// The rows of a request that was answered before; none when it is new.
///
/// # Errors
/// `SG213` when it was made with other arguments, `SG301` when a table is locked for too long.
pub(super) fn replay(
    spi: &Spi,
    request: Id,
    max: usize,
    filter: &Filter<'_>,
    paused: bool,
    now: Instant,
) -> Result<Option<Vec<Handed>>> {
    let Some(mut row) = spi.run_waiting(&READ, params![request])?.first() else {
        return Ok(None);
    };
    let same = row.value::<i32>() as usize == max
        && row.nullable::<&str>() == filter.action.map(Action::name)
        && row.nullable::<&str>() == filter.account
        && row.nullable::<&str>() == filter.campaign;
    if !same {
        return Err(mismatch(request));
    }
    if paused {
        return Ok(Some(Vec::new()));
    }
    let rows = spi.run_waiting(&REPLAY, params![request, now])?;
    let mut handed: Vec<Handed> = Vec::new();
    for mut row in rows.iter() {
        let one = Handed {
            account: row.value(),
            campaign: row.nullable().unwrap_or_default(),
            prospect: row.value(),
            action: row.one_of(Action::parse),
            operation: row.nullable_uuid().unwrap_or_default(),
            expires_at: row.instant(),
            attempt: row.nullable::<i16>().map_or(0, i32::from),
            step: row.value(),
            payload: row.nullable(),
        };
        handed.push(one);
    }
    let suppressed = suppressions::of_many(handed.iter().map(|row| row.prospect.as_str()))?;
    let refuses = |found: &Option<Suppressed>| found.is_some_and(|found| found.rule.refuses(now));
    let allowed = handed.into_iter().zip(suppressed).filter(|(_, found)| !refuses(found));
    Ok(Some(allowed.map(|(row, _)| row).collect()))
}

/// Remembers what a request got; one that got nothing may simply ask again.
///
/// # Errors
/// `SG303` when another session has answered the same request meanwhile.
pub(super) fn remember(
    spi: &Spi,
    request: Id,
    max: usize,
    filter: &Filter<'_>,
    handed: &[Handed],
    now: Instant,
) -> Result<()> {
    if handed.is_empty() {
        return Ok(());
    }
    let values = [
        request.param(),
        now.param(),
        (max as i32).param(),
        filter.action.map(Action::name).param(),
        filter.account.param(),
        array(Element::Text, handed.iter().map(|row| row.account.as_str())),
        array(Element::Uuid, handed.iter().map(|row| row.operation)),
        filter.campaign.param(),
    ];
    if spi.run_waiting(&REMEMBER, &values)?.count() == 1 {
        return Ok(());
    }
    Err(Error::new(
        Code::RequestAnswered,
        format!("request {} was answered by another session meanwhile", ids::show(request)),
        "Two sessions dispatched for the same request_id at the same time; only the first may hand out rows.",
        "Nothing was changed: repeat the call, and it returns what the other session got.",
    ))
}

fn mismatch(request: Id) -> Error {
    Error::new(
        Code::RequestMismatch,
        format!("request {} was made with other arguments", ids::show(request)),
        "A request_id stands for one call of dispatch, so that a lost reply can be asked for again.",
        "Use a new request_id for every new call, and the same arguments when you repeat one.",
    )
}
