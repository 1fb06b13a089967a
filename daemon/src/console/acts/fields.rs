//! What an act's address and its form say, and the call that they make.

use axum::http::StatusCode;
use serde::Deserialize;

use crate::console::kind::{FROM_UNKNOWN, Kind, Subject};
use crate::console::links;
use crate::console::pages::{Problem, is_id};
use crate::console::span::read_instant;
use crate::db::Timestamp;
use crate::db::account::ACTIONS;
use crate::db::console::acts::Act;
use crate::db::cursor::is_uuid;

/// Most slots of a cap or a limit; the database has the same limit.
const CAP_MAX: i32 = 10_000;
/// Longest gap of a pace, in seconds: 31 days.
const GAP_SECONDS_MAX: i32 = 31 * 24 * 60 * 60;
/// Longest name of a kind of alert.
const KIND_CHARACTERS_MAX: usize = 64;

/// In an act's address: the link was on a prospect's page, and the act leads back there.
pub const FROM_PROSPECT: &str = "prospect";

/// The address's query.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ActQuery {
    #[serde(rename = "do")]
    pub(super) name: String,
    /// The account, prospect or campaign.
    #[serde(default)]
    pub(super) id: String,
    /// The alert, the operation or the action.
    #[serde(default)]
    pub(super) item: String,
    /// The list that the link was on, to go back to.
    #[serde(default)]
    pub(super) from: String,
    /// Of a piece of work: its account.
    #[serde(default)]
    pub(super) account: String,
    /// Of a piece of work: its prospect.
    #[serde(default)]
    pub(super) prospect: String,
    /// Of a piece of work: its step.
    #[serde(default)]
    pub(super) step: String,
    /// Of many operations: reserved from this instant on, UTC.
    #[serde(default)]
    pub(super) since: String,
    /// Of many operations: reserved before this instant, UTC.
    #[serde(default)]
    pub(super) before: String,
}

/// The form's fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    pub(super) csrf: String,
    /// The form's own id: two forms with equal fields are two acts, the same form twice is one.
    pub(super) form: String,
    pub(super) note: String,
    pub(super) chat_id: String,
    pub(super) until: String,
    pub(super) action: String,
    pub(super) to_action: String,
    pub(super) daily: String,
    pub(super) weekly: String,
    pub(super) gap: String,
    pub(super) jitter: String,
    pub(super) spread: String,
    pub(super) inmail: String,
    pub(super) invite: String,
    pub(super) message: String,
    pub(super) profile_view: String,
    pub(super) engagement: String,
}

impl ActForm {
    /// The limits' fields, in the order of the actions.
    pub fn limits(&self) -> [&str; 5] {
        [&self.inmail, &self.invite, &self.message, &self.profile_view, &self.engagement]
    }
}

impl ActQuery {
    /// The act.
    ///
    /// # Errors
    ///
    /// A page with status 404 if there is no such act, or 400 if its subject cannot be.
    pub fn kind(&self) -> Result<Kind, Problem> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.name);
        let kind = kind.filter(|kind| self.item_fits(*kind)).ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such thing to do",
                "Begin on the account's page.",
            )
        })?;
        let ids: &[&String] = match (kind, kind.subject()) {
            (Kind::Requeue, _) => &[&self.id, &self.account, &self.prospect],
            (_, Subject::Prospect | Subject::Campaign) => &[&self.id],
            _ => &[],
        };
        let is_odd = ids.iter().any(|id| !is_id(id))
            || self.since_and_before().is_err()
            || kind == Kind::Requeue && self.step().is_none();
        if is_odd {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "This cannot be understood",
                "Something in the address is no id, no time or no number. Begin with the menu.",
            ));
        }
        Ok(kind)
    }

    fn item_fits(&self, kind: Kind) -> bool {
        let item = self.item.as_str();
        match kind {
            Kind::AcknowledgeAll => {
                item.len() <= KIND_CHARACTERS_MAX && item.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            }
            // The operations of everything are never settled at once: an account or a time is named.
            Kind::AllSent | Kind::AllNotSent => {
                (item.is_empty() || ACTIONS.contains(&item))
                    && !(self.id.is_empty() && self.since.is_empty() && self.before.is_empty())
            }
            Kind::Requeue => ACTIONS.contains(&item),
            _ if kind.takes_item() => is_uuid(item),
            _ => item.is_empty() || kind.takes_action() && ACTIONS.contains(&item),
        }
    }

    /// The address of the act's page and of its form.
    pub fn link(&self, kind: Kind) -> String {
        links::query(
            "/act",
            &[
                ("do", kind.name()),
                ("id", &self.id),
                ("item", &self.item),
                ("from", &self.from),
                ("account", &self.account),
                ("prospect", &self.prospect),
                ("step", &self.step),
                ("since", &self.since),
                ("before", &self.before),
            ],
        )
    }

    /// The address to go to afterwards.
    pub fn back(&self, kind: Kind) -> String {
        if kind.takes_item() && self.from == FROM_UNKNOWN {
            "/unknown".to_owned()
        } else if kind == Kind::Requeue && self.from == FROM_PROSPECT {
            links::prospect(&self.prospect)
        } else {
            kind.back(&self.id)
        }
    }

    /// The step of a piece of work.
    pub fn step(&self) -> Option<i32> {
        self.step.parse().ok().filter(|step| (1..=1_000).contains(step))
    }

    /// The range of time, if its ends are named.
    ///
    /// # Errors
    ///
    /// What cannot be understood, in a sentence.
    pub fn since_and_before(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        let (since, before) = (read_instant(&self.since)?, read_instant(&self.before)?);
        match (since, before) {
            (Some(since), Some(before)) if before < since => {
                Err("The range ends before it begins.".to_owned())
            }
            range => Ok(range),
        }
    }

    /// The call that address and form make.
    ///
    /// # Errors
    ///
    /// What cannot be understood, in a sentence.
    pub fn act<'a>(&'a self, kind: Kind, given: &'a ActForm) -> Result<Act<'a>, String> {
        let id = self.id.as_str();
        let chat_id = named(given.chat_id.trim());
        Ok(match kind {
            Kind::Clear => Act::Clear(id),
            Kind::Probe => Act::Probe(id),
            Kind::ForceOpen => Act::Force(id, "open"),
            Kind::ForceAuto => Act::Force(id, "auto"),
            Kind::Connect => Act::Status(id, "connected"),
            Kind::Pause => Act::Status(id, "paused"),
            Kind::Cooldown => Act::Cooldown(id, named(&self.item)),
            Kind::Acknowledge => Act::Acknowledge(&self.item),
            Kind::Sent => Act::Resolve { account: id, operation: &self.item, sent: true, chat_id },
            Kind::NotSent => Act::Resolve { account: id, operation: &self.item, sent: false, chat_id: None },
            Kind::PauseAll => Act::PauseAll,
            Kind::ResumeAll => Act::ResumeAll,
            Kind::Pace => Act::Pace {
                account: id,
                gap_seconds: number(&given.gap, "The gap", GAP_SECONDS_MAX)?.unwrap_or(0),
                jitter_percent: number(&given.jitter, "The jitter", 100)?.unwrap_or(0),
                spread: !given.spread.is_empty(),
            },
            Kind::Cap => Act::Cap {
                account: id,
                action: action(if given.action.is_empty() { &self.item } else { &given.action })?,
                daily: number(&given.daily, "The daily cap", CAP_MAX)?,
                weekly: number(&given.weekly, "The weekly cap", CAP_MAX)?,
            },
            Kind::Suppress => Act::Suppress(id, read_instant(&given.until)?),
            Kind::Unsuppress => Act::Unsuppress(id),
            Kind::PauseCampaign => Act::PauseCampaign(id),
            Kind::ResumeCampaign => Act::ResumeCampaign(id),
            Kind::Limits => {
                let mut limits = [None; 5];
                for (limit, text) in limits.iter_mut().zip(given.limits()) {
                    *limit = number(text, "A limit", CAP_MAX)?;
                }
                Act::Limits(id, limits)
            }
            Kind::SwitchAction => match (action(&given.action)?, action(&given.to_action)?) {
                (from, to) if from == to => return Err("Choose two different actions.".to_owned()),
                (from, to) => Act::Switch(id, from, to),
            },
            Kind::Requeue => Act::Requeue {
                campaign: id,
                prospect: &self.prospect,
                account: &self.account,
                action: &self.item,
                step: self.step().unwrap_or(1),
            },
            Kind::RequeueParked => Act::RequeueParked(id),
            Kind::AllSent | Kind::AllNotSent => {
                let (since, before) = self.since_and_before()?;
                Act::ResolveAll {
                    sent: kind == Kind::AllSent,
                    since,
                    before,
                    account: named(id),
                    action: named(&self.item),
                }
            }
            Kind::AcknowledgeAll => Act::AcknowledgeAll { kind: named(&self.item), account: named(id) },
        })
    }
}

/// An empty field names nothing.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A whole number from 0 on; none for an empty field.
fn number(text: &str, what: &str, most: i32) -> Result<Option<i32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) if (0..=most).contains(&number) => Ok(Some(number)),
            _ => Err(format!("{what} is a whole number from 0 to {most}.")),
        },
    }
}

/// An action of the closed list.
fn action(text: &str) -> Result<&str, String> {
    Some(text).filter(|text| ACTIONS.contains(text)).ok_or_else(|| "Choose an action.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "01985c1e-0c4a-7b7e-9d3a-5f2f0a6f4b11";

    fn query(name: &str, item: &str) -> ActQuery {
        ActQuery {
            name: name.to_owned(),
            id: "a".to_owned(),
            item: item.to_owned(),
            account: "a".to_owned(),
            prospect: "p".to_owned(),
            step: "1".to_owned(),
            ..ActQuery::default()
        }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            let item = match kind {
                Kind::Requeue => "invite",
                _ if kind.takes_item() => UUID,
                _ => "",
            };
            let query = query(kind.name(), item);
            assert_eq!(query.kind().expect("a kind"), kind);
        }
        assert!(query("drop", "").kind().is_err());
        assert!(query("acknowledge", "' OR true --").kind().is_err());
        assert!(query("acknowledge", "").kind().is_err());
        assert!(query("clear", UUID).kind().is_err());
        assert!(query("acknowledge-all", "' OR true").kind().is_err());
        assert!(ActQuery { id: String::new(), ..query("all-sent", "") }.kind().is_err());
        assert!(ActQuery { id: "信".repeat(129), ..query("suppress", "") }.kind().is_err());
        assert!(ActQuery { id: "信".repeat(128), ..query("suppress", "") }.kind().is_ok());
        assert!(ActQuery { step: "0".to_owned(), ..query("requeue", "invite") }.kind().is_err());
        assert!(ActQuery { since: "noon".to_owned(), ..query("all-sent", "") }.kind().is_err());
    }

    #[test]
    fn fields_that_cannot_be_understood_are_refused_with_a_sentence() {
        let given = |change: fn(&mut ActForm)| {
            let mut form = ActForm::default();
            change(&mut form);
            form
        };
        let told = |name: &str, form: &ActForm| {
            let query = query(name, "");
            query.act(query.kind().expect("a kind"), form).map(|_| ())
        };
        for (name, form, fits) in [
            ("pace", given(|form| form.gap = "90".to_owned()), true),
            ("pace", given(|form| form.gap = "-1".to_owned()), false),
            ("pace", given(|form| form.jitter = "101".to_owned()), false),
            ("cap", given(|form| form.action = "inmail".to_owned()), true),
            ("cap", ActForm::default(), false),
            ("cap", given(|form| (form.action, form.daily) = ("inmail".to_owned(), "9e9".to_owned())), false),
            ("suppress", given(|form| form.until = "2027-01-31T09:30".to_owned()), true),
            ("suppress", given(|form| form.until = "tomorrow".to_owned()), false),
            ("limits", given(|form| form.invite = "10001".to_owned()), false),
            (
                "switch",
                given(|form| (form.action, form.to_action) = ("inmail".to_owned(), "inmail".to_owned())),
                false,
            ),
        ] {
            assert_eq!(told(name, &form).is_ok(), fits, "{name}: {form:?}");
        }
    }

    #[test]
    fn a_range_ends_after_it_begins() {
        let range = |since: &str, before: &str| ActQuery {
            since: since.to_owned(),
            before: before.to_owned(),
            ..ActQuery::default()
        };
        assert!(range("2026-01-01 10:00", "2026-01-01 11:00").since_and_before().is_ok());
        assert!(range("2026-01-01 10:00", "2026-01-01 09:59").since_and_before().is_err());
        assert!(range("", "").since_and_before().expect("all").0.is_none());
    }
}
