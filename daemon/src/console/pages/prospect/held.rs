//! What holds the next send to a prospect back, with its cause: the suppression, and the gate's own answers.

use crate::console::kind::Kind;
use crate::console::links;
use crate::console::pages::action_name;
use crate::db::console::attempt::Attempt;
use crate::db::console::prospect::{Answer, Prospect, Suppression};
use crate::db::{Timestamp, Untrusted};
use crate::words::explained;

/// So many refusals are shown that hold for an account with every prospect: the accounts' pages tell more.
const ACCOUNTS_MAX: usize = 3;

/// What is shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// What cannot go, and why.
    pub heading: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Until when; none if only a person or a worker ends it.
    pub until: Option<Timestamp>,
    /// Who ends it where no time does.
    pub ends: &'static str,
    /// Who made it so.
    pub by: Option<Untrusted>,
    /// In which words.
    pub words: Option<Untrusted>,
    /// What can be done.
    pub advice: &'static str,
    /// A page or an act that helps: its label, its address, and the function that it calls, if it calls one.
    pub way: Option<(&'static str, String, Option<&'static str>)>,
}

impl Held {
    /// Whether a person wants it so: then the way out is not what comes first.
    pub fn is_by_choice(&self) -> bool {
        self.by.is_some()
    }
}

/// What holds sends to the prospect back, the suppression first.
pub fn held(id: &str, found: &Prospect, now: Timestamp) -> Vec<Held> {
    let suppression = found.suppression.as_ref().filter(|suppression| suppression.holds(now));
    let mut held: Vec<Held> =
        suppression.map(|suppression| suppressed(id, suppression)).into_iter().collect();
    let refused: Vec<&Answer> = found.answers.iter().filter(|answer| !answer.proceed).collect();
    let (of_prospect, of_accounts): (Vec<&Answer>, Vec<&Answer>) =
        refused.into_iter().partition(|answer| answer.reason.as_deref().is_some_and(is_of_prospect));
    let shown = of_prospect.into_iter().chain(of_accounts.into_iter().take(ACCOUNTS_MAX));
    held.extend(shown.filter_map(|answer| refusal(answer, &found.attempts)));
    held
}

/// Whether it is a rule about the prospect.
fn is_of_prospect(reason: &str) -> bool {
    matches!(reason, "prospect_suppressed" | "operation_in_flight" | "prospect_cooldown")
}

fn suppressed(id: &str, suppression: &Suppression) -> Held {
    Held {
        heading: "No account may write to this prospect".to_owned(),
        since: Some(suppression.suppressed_at),
        until: suppression.until,
        ends: "for good",
        by: Some(suppression.actor.clone()),
        words: suppression.note.clone(),
        advice: "It wants no contact; unsuppress_prospect(prospect_id, note) takes that back.",
        way: Some((
            Kind::Unsuppress.label(),
            Kind::Unsuppress.link(id, ""),
            Some(Kind::Unsuppress.function()),
        )),
    }
}

/// The gate's refusal; none for the suppression, which is told once.
fn refusal(answer: &Answer, attempts: &[Attempt]) -> Option<Held> {
    let reason = answer.reason.as_deref().filter(|reason| *reason != "prospect_suppressed")?;
    let account = answer.account_id.raw();
    let name = action_name(&answer.action);
    let is_one =
        |attempt: &&Attempt| attempt.account_id == answer.account_id && attempt.action == answer.action;
    let last = |wanted: fn(&Attempt) -> bool| attempts.iter().filter(is_one).find(|attempt| wanted(attempt));
    let (last, ends, advice, way) = match reason {
        "operation_in_flight" => (
            last(|attempt| matches!(attempt.state.as_str(), "reserved" | "indeterminate")),
            "a person settles it",
            "Its outcome is not known yet. Look at the provider, then settle it: resolve_operation(account_id, operation_id, sent, …).",
            Some(("Settle it", links::query("/unknown", &[("of", account)]), None)),
        ),
        "prospect_cooldown" => (
            last(|attempt| attempt.state != "released"),
            "a person ends it",
            "So soon after the last one it would be too much: it goes on by itself; the setting sendgate.prospect_cooldown says after how long.",
            None,
        ),
        _ => (
            None,
            "its account's page says",
            "This holds for the account with every prospect: its page says since when, and what ends it.",
            Some(("Its account", links::account(account), None)),
        ),
    };
    Some(Held {
        heading: format!(
            "{}{name} through {} cannot go: {}",
            if last.is_some() { "Another " } else { "" },
            answer.account_id,
            explained(reason)
        ),
        since: last.map(|attempt| attempt.reserved_at),
        until: answer.retry_at,
        ends,
        by: None,
        words: last.and_then(Attempt::words),
        advice,
        way,
    })
}
