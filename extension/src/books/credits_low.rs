//! The alert about credits that will not last: the audit raises it once a credit period, and resolves it when they
//! will after all.

use crate::books::run::Batch;
use crate::books::sweep::Member;
use crate::postgres::error::Result;
use crate::postgres::function::show_instant;
use crate::postgres::statement::Spi;
use crate::tables::accounts::AccountRow;
use crate::tables::accounts::many::{self, Busy};
use crate::tables::alerts;
use crate::tables::config::{self, Config};
use sendgate_decision::clock::{Day, Instant, credit_period_start};
use sendgate_decision::credits::forecast::{Forecast, PACE_DAYS, forecast};
use sendgate_decision::names::Action;
use std::collections::HashSet;

const ALERT: &str = "credits_low";

/// Days of the longest credit period: an alert of before is about a period that is over.
const PERIOD_DAYS_MAX: i32 = 31;

/// Warns of the accounts whose credits will not last until the next period; how many alerts that opened.
pub(super) fn look(spi: &Spi, batch: &Batch, members: &[Member]) -> Result<i64> {
    let now = batch.now;
    let config = config::current(spi);
    let counted: Vec<&Member> =
        members.iter().filter(|member| member.row.account.credits.is_some()).collect();
    let warned = |member: &&&Member| ahead(&config, &member.row, now).is_some_and(|ahead| ahead.warns);
    let suspects: HashSet<&str> = counted.iter().filter(warned).map(|member| member.id.as_str()).collect();
    // Held now, and looked at again. Accounts that another session holds wait for the next sweep.
    let mut opened = 0;
    for (held, row) in many::hold(spi, suspects.iter().copied(), Busy::Skip)? {
        let Some(ahead) = ahead(&config, &row, now).filter(|ahead| ahead.warns) else { continue };
        let period = credit_period_start(row.account.credit_reset_day, now).day();
        if !alerts::was_raised(spi, held, ALERT, period) {
            let detail = detail(&row, &ahead);
            opened += i64::from(alerts::open(spi, held, ALERT, period, &detail, now));
        }
    }
    let met: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    // One whose day lies within the period goes on as long as its cause.
    alerts::resolve_swept(spi, &met, ALERT, Day(now.day().0 - PERIOD_DAYS_MAX), &suspects, now);
    Ok(opened)
}

/// Resolves the alerts of periods that are over, at the end of a sweep: of accounts that have been idle since, which the
/// audit no longer meets.
pub(super) fn resolve_old(spi: &Spi, now: Instant) {
    alerts::resolve_old(spi, &[ALERT], Day(now.day().0 - PERIOD_DAYS_MAX), now);
}

/// What can be said ahead; none before layer 1, or an InMail, has carried the credits over a period's start.
fn ahead(config: &Config, row: &AccountRow, now: Instant) -> Option<Forecast> {
    let account = row.account.rolled(now);
    let credits = account.credits.as_ref().filter(|credits| !credits.is_ahead_of(now))?;
    if account.credits_due(now).is_some() {
        return None;
    }
    let used = account.sent_in_seven_days(Action::Inmail).unwrap_or(0);
    Some(forecast(Some(credits), used, config.allowance(&row.tier), &account.calendar(), now))
}

fn detail(row: &AccountRow, ahead: &Forecast) -> String {
    let left = row.account.credits.map_or(0, |credits| credits.shown());
    let used = (ahead.used_per_day * f64::from(PACE_DAYS)).round();
    let until = match ahead.lasts_until {
        Some(until) if left > 0 => format!("at this pace they last until {}", show_instant(until)),
        _ => "no InMail goes out".to_owned(),
    };
    let next = match (ahead.next_grant_at, ahead.next_grant) {
        (Some(at), Some(grant)) => format!("{grant} more come at {}", show_instant(at)),
        _ => "no grant is known to come".to_owned(),
    };
    format!("{left} InMail credits are left and {used} went in seven days: {until}, and {next}")
}
