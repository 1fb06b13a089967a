//! What an account's card says of its trouble: which actions cannot go, until when, and who or what made it so.

use crate::console::pages::action_name;
use crate::db::account::ACTIONS;
use crate::db::console::accounts::{Card, Flag};
use crate::db::why::{Cause, Why, causes};
use crate::db::{Timestamp, Untrusted};
use crate::words::explained;

/// Most of them on a card; the account's page has all.
const TOLD_MAX: usize = 3;
/// Most characters of a note or of the provider's words on a card.
const WORDS_MAX: usize = 120;

/// A card and what refuses the account.
#[derive(Clone, Debug)]
pub struct Told {
    /// The card.
    pub card: Card,
    /// Its troubles, one sentence each.
    pub troubles: Vec<String>,
}

impl Told {
    /// The card with the sentences of these refusals.
    pub fn of(card: Card, refusals: &[Why], now: Timestamp) -> Told {
        let causes = causes(refusals);
        let mut troubles: Vec<String> =
            causes.iter().filter_map(|cause| trouble(&card, cause, now)).collect();
        if troubles.len() > TOLD_MAX {
            let more = troubles.len() - TOLD_MAX + 1;
            troubles.truncate(TOLD_MAX - 1);
            troubles.push(format!("{more} more"));
        }
        Told { card, troubles }
    }
}

/// Whether each account of a list is asked why: the filter does not say which of its actions it is about.
pub fn is_asked(flag: Flag) -> bool {
    matches!(flag, Flag::CapReached | Flag::OutsideWindow)
}

/// A sentence about it; none where the card says it already.
fn trouble(card: &Card, cause: &Cause, now: Timestamp) -> Option<String> {
    let why = &cause.why;
    let reason = why.reason.as_deref()?;
    let said = why.note.clone().or_else(|| why.words()).map(|words| shortened(&words));
    let who = why.actor.as_ref().filter(|_| why.note.is_some());
    let said = match (who, said) {
        (Some(actor), Some(said)) => Some(format!("{actor}: {said}")),
        (_, said) => said,
    };
    let until = why.until.map_or_else(String::new, |until| format!(" until {}", until.told(now)));
    match reason {
        // The banner says it.
        "paused_by_operator" => None,
        // The status and the pills say it.
        "account_not_connected" => said,
        "account_cooldown" if card.cooling_until.is_some() => said,
        "breaker_forced_open" if card.pill.is_some() => said,
        "account_inmail_credits_exhausted" if card.pill.is_some() => None,
        _ => {
            let names: Vec<&str> = cause.actions.iter().map(|action| action_name(action)).collect();
            let names = if names.len() == ACTIONS.len() { "Everything".to_owned() } else { names.join(", ") };
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            Some(format!("{names}: {}{until}{said}", explained(reason)))
        }
    }
}

fn shortened(words: &Untrusted) -> String {
    let text = words.to_string();
    match text.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn card() -> Card {
        Card {
            id: Untrusted::from("a".to_owned()),
            name: None,
            status: "connected".to_owned(),
            tier: Untrusted::from("free".to_owned()),
            cooling_until: None,
            pill: None,
            breaker: "closed".to_owned(),
            sent: 0,
            cap: 0,
            delivered: 0,
            in_flight: 0,
            unresolved: 0,
            drift: 0,
        }
    }

    fn now() -> Timestamp {
        from_value(json!("2026-11-30T12:00:00+00:00")).expect("an instant")
    }

    fn line(action: &str, reason: &str, more: Value) -> Why {
        let mut line = json!({ "action": action, "proceed": false, "reason": reason });
        line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        from_value(line).expect("a line")
    }

    #[test]
    fn a_card_says_which_action_cannot_go_and_in_whose_words() {
        let refused = [
            line("inmail", "account_inmail_credits_exhausted", json!({})),
            line(
                "message",
                "action_cooldown",
                json!({ "http_status": 422, "error": "too long", "until": "2026-11-30T14:00:00+00:00" }),
            ),
        ];
        let stopped = Card { pill: Some(Untrusted::from("no credits".to_owned())), ..card() };
        assert_eq!(
            Told::of(stopped, &refused, now()).troubles,
            [format!(
                "Message: {} until 2026-11-30 14:00:00 (in 2 h): 422 too long",
                explained("action_cooldown")
            )]
        );
        let paused = ACTIONS.map(|action| {
            line(action, "account_not_connected", json!({ "actor": "ada", "note": "on holiday" }))
        });
        assert_eq!(Told::of(card(), &paused, now()).troubles, ["ada: on holiday"]);
        let everything = ACTIONS.map(|action| line(action, "outside_sending_window", json!({})));
        assert_eq!(
            Told::of(card(), &everything, now()).troubles,
            ["Everything: it is outside its sending window"]
        );
        let each = ACTIONS.map(|action| line(action, "daily_cap_reached", json!({ "advice": action })));
        let told = Told::of(card(), &each, now()).troubles;
        assert_eq!((told.len(), told[TOLD_MAX - 1].as_str()), (TOLD_MAX, "3 more"));
        let long = "ü".repeat(WORDS_MAX + 1);
        let told =
            Told::of(card(), &[line("invite", "account_not_connected", json!({ "error": long }))], now());
        assert_eq!(told.troubles, [format!("{}…", "ü".repeat(WORDS_MAX))]);
    }
}
