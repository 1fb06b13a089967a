//! `webhooks`: which ones daemons have in their configuration, and how their receivers are.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::shown;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::alerts::{self, About};
use sendgate_decision::clock::Instant;

/// The alert about events that were given up; it is about no account.
const FAILING: &str = "webhook_failing";

static HOLD: Statement = Statement::new(
    "SELECT w.failing_since, w.given_up FROM sendgate.webhooks w
     WHERE w.name OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
    types![text],
);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.webhooks w SET failing_since = $2, given_up = $3, error = $4
     WHERE w.name OPERATOR(pg_catalog.=) $1",
    types![text, instant, int4, text],
);

/// One line for all that fail: there is one alert.
static GIVEN_UP: Statement = Statement::new(
    "SELECT pg_catalog.string_agg(pg_catalog.format(
                'webhook \"%s\": %s given up, its receiver has taken nothing since %s UTC (%s)',
                w.name,
                CASE WHEN w.given_up OPERATOR(pg_catalog.=) 1 THEN '1 event was'
                     ELSE pg_catalog.concat(w.given_up, ' events were') END,
                pg_catalog.to_char(w.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), w.error),
            '; ' ORDER BY w.name USING OPERATOR(pg_catalog.<))
     FROM sendgate.webhooks w WHERE w.given_up OPERATOR(pg_catalog.>) 0",
    &[],
);

/// How a webhook's receiver is; the webhook's row is held.
pub struct Receiver<'a> {
    name: &'a str,
    /// Since when it has taken nothing.
    pub failing_since: Option<Instant>,
    given_up: i32,
}

impl<'a> Receiver<'a> {
    /// Holds the webhook until the transaction ends.
    ///
    /// # Errors
    /// `SG106`, and `SG301` when another session holds it for too long.
    pub fn hold(spi: &Spi, name: &'a str) -> Result<Receiver<'a>> {
        let mut row = spi.run_waiting(&HOLD, params![name])?.first().ok_or_else(|| unknown(name))?;
        Ok(Receiver { name, failing_since: row.nullable_instant(), given_up: row.value() })
    }

    /// It took an event: the fault is over.
    pub fn took(self, spi: &Spi, now: Instant) {
        if self.failing_since.is_none() {
            return;
        }
        spi.run(&WRITE, params![self.name, None::<Instant>, 0i32, None::<&str>]).must_be(1, "webhooks");
        if self.given_up > 0 {
            match given_up(spi) {
                Some(others) => alerts::open_or_renew(spi, About::Webhooks, FAILING, &others, now),
                None => alerts::resolve(spi, About::Webhooks, FAILING, now),
            }
        }
    }

    /// It did not take one, for this reason; so many events were given up over it.
    pub fn failed(self, spi: &Spi, error: &str, given_up_now: usize, now: Instant) {
        let since = self.failing_since.unwrap_or(now);
        let error: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let total = self.given_up.saturating_add(given_up_now as i32);
        spi.run(&WRITE, params![self.name, since, total, &error]).must_be(1, "webhooks");
        if given_up_now > 0
            && let Some(detail) = given_up(spi)
        {
            alerts::open_or_renew(spi, About::Webhooks, FAILING, &detail, now);
        }
    }
}

/// Which events were given up, in words; none where no event was.
fn given_up(spi: &Spi) -> Option<String> {
    spi.run(&GIVEN_UP, &[]).first().and_then(|mut row| row.nullable())
}

/// The error for a webhook that no daemon has registered.
pub fn unknown(name: &str) -> Error {
    Error::new(
        Code::UnknownWebhook,
        format!("unknown webhook: \"{}\"", shown(name)),
        "A webhook is known from register_webhook on, until no daemon has asked about it for seven days.",
        "Call sendgate.register_webhook(name, events); sendgated run does so when it starts.",
    )
}
