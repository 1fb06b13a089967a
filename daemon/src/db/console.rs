//! What the console shows and does. Every page is a few statements whose plans are bounded: by a page,
//! by a number of rows that is looked at, or by one account's own history.

pub mod account;
pub mod accounts;
pub mod acts;
pub mod logs;
pub mod unknown;

use std::fmt;

use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;

/// What wants a person is counted up to here; more is "many".
pub const COUNTED_MAX: i64 = 99;

/// What operators do here. Without the function, or without its grant, there is no button.
const FUNCTIONS: [&str; 7] = [
    "acknowledge_alert",
    "breaker_clear",
    "breaker_force",
    "breaker_probe",
    "pause_all",
    "resolve_operation",
    "resume_all",
];

/// The clock, the switch, how many alerts are open and how many outcomes unknown (up to a bound), and whether
/// the books are kept: what every page says.
const FRAME: &str = "SELECT to_char(c.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       (c.at AT TIME ZONE 'UTC')::date::text,
       to_char(p.paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), p.actor, p.note,
       (SELECT count(*) FROM (SELECT FROM sendgate.open_alerts AS o ORDER BY o.opened_at LIMIT 100) AS a),
       (SELECT count(*) FROM sendgate.reconciler_health AS h WHERE h.stale),
       ARRAY(SELECT f.proname::text FROM pg_proc AS f
             WHERE f.pronamespace = 'sendgate'::regnamespace AND f.proname = ANY ($1)
               AND has_function_privilege(f.oid, 'EXECUTE')),
       to_char(q.quarantined_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), q.audited AND q.reconciled,
       (SELECT count(*) FROM (
           SELECT FROM sendgate.send_operations AS u
           WHERE u.unknown_since IS NOT NULL ORDER BY u.unknown_since LIMIT 100) AS n)
FROM (SELECT sendgate.clock() AS at) AS c
LEFT JOIN sendgate.pause_switch AS p ON true
LEFT JOIN sendgate.quarantine_progress AS q ON true";

/// Text that somebody else wrote: an id, a name, a note, a provider's words. It is shown as it is, but
/// for what cannot be seen or turns the text beside it, which is made visible. The template escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alien(String);

impl Alien {
    /// The text itself, for links and statements.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl From<String> for Alien {
    fn from(text: String) -> Alien {
        Alien(text)
    }
}

impl fmt::Display for Alien {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| fmt::Write::write_char(f, visible(c)))
    }
}

/// Controls as their pictures; what has no width or turns the direction of writing as a mark.
fn visible(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{2028}' | '\u{2029}' => '\u{2424}',
        _ if c.is_control() || crate::terminal::is_harmful(c) => '\u{fffd}',
        _ => c,
    }
}

/// What every page says.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The clock by which the page is read, in UTC.
    pub at: String,
    /// Its day.
    pub today: String,
    /// The switch that stops everything, if it is on.
    pub paused: Option<Paused>,
    /// Open alerts, counted up to [`COUNTED_MAX`] and one.
    pub alerts: i64,
    /// Unknown outcomes, counted in the same way.
    pub unknown: i64,
    /// Jobs that missed two runs.
    pub stale_jobs: i64,
    /// Operators' functions that there are and that this login may call.
    pub functions: Vec<String>,
}

/// Who stopped everything, when and why.
#[derive(Clone, Debug)]
pub struct Paused {
    /// Since when.
    pub since: String,
    /// Who.
    pub actor: Alien,
    /// Why.
    pub note: Option<Alien>,
    /// Where it is more than a pause.
    pub quarantine: Option<Quarantine>,
}

/// What nobody can end before the books were checked.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// Since when.
    pub since: String,
    /// Whether layers 1 and 2 have met every account since.
    pub checked: bool,
}

impl Session {
    /// What every page says.
    pub async fn console_frame(&self) -> Result<Frame> {
        let functions = FUNCTIONS.as_slice();
        let row = self.row("reading the clock", FRAME, &[(&functions, Type::TEXT_ARRAY)]).await?;
        let paused = row.get::<_, Option<String>>(2).map(|since| Paused {
            since,
            actor: alien(&row, 3).unwrap_or_default(),
            note: alien(&row, 4),
            quarantine: row
                .get::<_, Option<String>>(8)
                .map(|since| Quarantine { since, checked: row.get(9) }),
        });
        Ok(Frame {
            at: row.get(0),
            today: row.get(1),
            paused,
            alerts: row.get(5),
            unknown: row.get(10),
            stale_jobs: row.get(6),
            functions: row.get(7),
        })
    }
}

/// A column of text that somebody else wrote.
fn alien(row: &tokio_postgres::Row, column: usize) -> Option<Alien> {
    row.get::<_, Option<String>>(column).map(Alien)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        let shown = |text: &str| Alien(text.to_owned()).to_string();
        assert_eq!(shown("a\u{1b}[31m\nb\u{7f}"), "a␛[31m␊b␡");
        assert_eq!(shown("x\u{202e}y\u{200b}z\u{85}"), "x\u{fffd}y\u{fffd}z\u{fffd}");
        assert_eq!(shown("Ängström – <b>信</b>"), "Ängström – <b>信</b>");
    }
}
