//! `settle_notification`: what became of an event that was lent.
//!
//! Rows are locked in one order: the event, then its webhook, then the alert.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, sql_statements};
use crate::postgres::ids::Id;
use crate::postgres::param::{IntoParam, Span, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::webhook_outbox;
use crate::tables::webhooks::{self, Receiver};
use sendgate_decision::clock::{DAY, Instant, MINUTE};

sql_statements!(sendgate_settle_notification, pg_finfo_sendgate_settle_notification, settle_notification);

/// An event is tried for so long.
const TRIED_MAX: i64 = DAY;

/// The longest wait, in days.
const RETRY_DAYS_MAX: i64 = 1;

/// The wait that is meant where none is said.
const RETRY_DEFAULT: i64 = MINUTE;

static FAILS: Statement = Statement::new(
    "SELECT w.failing_since IS NOT NULL FROM sendgate.webhooks w WHERE w.name OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// The last attempt is a day after the first one.
static RETRY: Statement = Statement::new(
    "UPDATE sendgate.webhook_outbox o
     SET not_before = LEAST($4 OPERATOR(pg_catalog.+) $5, o.first_tried_at OPERATOR(pg_catalog.+) $6)
     WHERE o.webhook OPERATOR(pg_catalog.=) $1 AND o.account_id OPERATOR(pg_catalog.=) $2
       AND o.id OPERATOR(pg_catalog.=) $3
       AND (o.first_tried_at OPERATOR(pg_catalog.+) $6) OPERATOR(pg_catalog.>) $4",
    types![text, text, uuid, instant, span, span],
);

/// Events as old as that, which were never tried because the receiver took nothing.
static GIVE_UP: Statement = Statement::new(
    "DELETE FROM sendgate.webhook_outbox o
     WHERE o.webhook OPERATOR(pg_catalog.=) $1 AND o.attempts OPERATOR(pg_catalog.=) 0
       AND o.not_before OPERATOR(pg_catalog.=) '-infinity'::pg_catalog.timestamptz
       AND o.at OPERATOR(pg_catalog.<=) $2",
    types![text, instant],
);

/// An event that was lent.
struct Lent<'a> {
    webhook: &'a str,
    account: &'a str,
    id: Id,
}

fn settle_notification(args: &Args) -> Answer {
    let lent =
        Lent { webhook: args.id(0, "webhook")?, account: args.id(1, "account_id")?, id: args.uuid(2, "id")? };
    let error = args.optional_text(3, "error", TEXT_CHARACTERS_MAX)?;
    let retry_in = args.optional_interval(4, "retry_in", RETRY_DAYS_MAX)?.unwrap_or(RETRY_DEFAULT);
    let became = Spi::connect(|spi| {
        let now = clock::now();
        match error {
            None => posted(spi, &lent, now),
            Some(error) => failed(spi, &lent, error, retry_in, now),
        }
    })?;
    Ok(became.param())
}

/// It was taken: the event leaves.
fn posted(spi: &Spi, lent: &Lent<'_>, now: Instant) -> Result<Option<&'static str>> {
    let is_there = webhook_outbox::remove(spi, lent.webhook, lent.account.param(), lent.id.param());
    // Most of the time nothing was wrong, and then the webhook's row is only read.
    let mut row = spi.run(&FAILS, params![lent.webhook]).first();
    let fails: bool = row.as_mut().ok_or_else(|| webhooks::unknown(lent.webhook))?.value();
    if is_there && fails {
        Receiver::hold(spi, lent.webhook)?.took(spi, now);
    }
    Ok(is_there.then_some("posted"))
}

/// It was not taken: the event waits, or it is given up.
fn failed(
    spi: &Spi,
    lent: &Lent<'_>,
    error: &str,
    retry_in: i64,
    now: Instant,
) -> Result<Option<&'static str>> {
    let values = params![lent.webhook, lent.account, lent.id, now, Span(retry_in), Span(TRIED_MAX)];
    let waits = spi.run_waiting(&RETRY, values)?.count() > 0;
    let leaves = !waits && webhook_outbox::remove(spi, lent.webhook, lent.account.param(), lent.id.param());
    let receiver = Receiver::hold(spi, lent.webhook)?;
    if !waits && !leaves {
        return Ok(None);
    }
    let mut given_up = usize::from(leaves);
    let a_day_ago = now.plus(-TRIED_MAX);
    if leaves && receiver.failing_since.is_some_and(|since| since <= a_day_ago) {
        given_up += spi.run(&GIVE_UP, params![lent.webhook, a_day_ago]).count();
    }
    receiver.failed(spi, error, given_up, now);
    Ok(Some(if leaves { "given_up" } else { "waits" }))
}
