//! What holds for all accounts: the pause switch, a quarantine, the test clock.

use serde::Serialize;

use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// The clock comes first, because the call loads the library that knows the settings.
const STOPPED: &str =
    "SELECT c.at, p.paused_at, p.actor, p.note, q.quarantined_at, q.audited AND q.reconciled,
       coalesce(current_setting('sendgate.test_clock', true), 'off') = 'on'
FROM (SELECT sendgate.clock() AS at) AS c
LEFT JOIN sendgate.pause_switch AS p ON true
LEFT JOIN sendgate.quarantine_progress AS q ON true";

/// What holds for all accounts.
#[derive(Clone, Debug, Serialize)]
pub struct Stopped {
    /// The pause switch, if it is on.
    pub paused: Option<Paused>,
    /// Whether a superuser can make any time of day.
    pub test_clock: bool,
}

/// The pause switch while it is on.
#[derive(Clone, Debug, Serialize)]
pub struct Paused {
    /// When it began.
    pub since: Timestamp,
    /// The operator or login that set it.
    pub actor: Untrusted,
    /// The note of the operator.
    pub note: Option<Untrusted>,
    /// The quarantine, if the pause is one.
    pub quarantine: Option<Quarantine>,
}

/// A quarantine: it cannot end before the books were checked.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantine {
    /// When it began.
    pub since: Timestamp,
    /// Whether layers 1 and 2 have checked every account since.
    pub checked: bool,
}

/// One thing that holds for all accounts, in a sentence, and what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is. Foreign text in it is as it came.
    pub what: String,
    /// What ends it.
    pub todo: &'static str,
    /// Whether nothing is sent because of it.
    pub stops: bool,
}

impl Stopped {
    /// In sentences, the most important one first; none if nothing of it holds.
    pub fn told(&self) -> Vec<Statement> {
        let mut told = Vec::new();
        if let Some(paused) = &self.paused {
            let by = paused.actor.raw();
            let note = paused.note.as_ref().map_or_else(String::new, |note| format!(": {}", note.raw()));
            let (what, todo) = match &paused.quarantine {
                Some(quarantine) if quarantine.checked => (
                    format!(
                        "everything is in quarantine since {}, by {by}{note}; the books have been checked",
                        quarantine.since.to_iso()
                    ),
                    "SELECT sendgate.resume_all()",
                ),
                Some(quarantine) => (
                    format!("everything is in quarantine since {}, by {by}{note}", quarantine.since.to_iso()),
                    "let the jobs meet every account (sendgate.quarantine_progress), then SELECT sendgate.resume_all()",
                ),
                None => (
                    format!("everything is paused since {}, by {by}{note}", paused.since.to_iso()),
                    "SELECT sendgate.resume_all() when everything may send again",
                ),
            };
            told.push(Statement { what, todo, stops: true });
        }
        if self.test_clock {
            told.push(Statement {
                what: "the test clock is on: a superuser can make any time of day".to_owned(),
                todo: "remove sendgate.test_clock from the configuration file and reload, unless this is a test",
                stops: false,
            });
        }
        told
    }
}

impl Session {
    /// What holds for all accounts, and the database's clock.
    pub async fn stopped(&self) -> Result<(Timestamp, Stopped)> {
        let row = self.row("asking what is stopped", STOPPED, &[]).await?;
        let paused = row.get::<_, Option<Timestamp>>(1).map(|since| Paused {
            since,
            actor: row.get(2),
            note: row.get(3),
            quarantine: row
                .get::<_, Option<Timestamp>>(4)
                .map(|since| Quarantine { since, checked: row.get(5) }),
        });
        Ok((row.get(0), Stopped { paused, test_clock: row.get(6) }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn what_stops_everything_comes_first() {
        let since = from_value(json!("2026-05-20T12:00:00+00:00")).expect("an instant");
        let paused = Paused {
            since,
            actor: "ada".to_owned().into(),
            note: Some("they called".to_owned().into()),
            quarantine: None,
        };
        let told = Stopped { paused: Some(paused), test_clock: true }.told();
        assert_eq!(told.iter().map(|line| line.stops).collect::<Vec<_>>(), [true, false]);
        assert_eq!(told[0].what, "everything is paused since 2026-05-20T12:00:00Z, by ada: they called");
        assert_eq!(Stopped { paused: None, test_clock: false }.told(), []);
    }
}
