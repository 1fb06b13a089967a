//! The text of an alert about actions of one account: an entry for each action, on a line of its own.
//!
//! An entry begins with the action and what happened to it, and ends with the provider's words, as they are: they
//! may have lines of their own, which belong to the entry above them.

use crate::names::Action;

/// The entry of an action.
pub fn entry(action: Action, what: &str, words: &str) -> String {
    format!("{}{words}", beginning(action, what))
}

/// The text with this entry, in place of an earlier one of its action.
pub fn with(text: &str, what: &str, action: Action, entry: &str) -> String {
    let mut entries = split(text, what);
    match entries.iter_mut().find(|(of, _)| *of == Some(action)) {
        Some((_, old)) => entry.clone_into(old),
        None => entries.push((Some(action), entry.to_owned())),
    }
    join(&entries)
}

/// Whether the text has an entry of this action.
pub fn names(text: &str, what: &str, action: Action) -> bool {
    split(text, what).iter().any(|(of, _)| *of == Some(action))
}

/// The text without the entry of this action; none where it is about no other action.
pub fn without(text: &str, what: &str, action: Action) -> Option<String> {
    let mut entries = split(text, what);
    entries.retain(|(of, _)| *of != Some(action));
    entries.iter().any(|(of, _)| of.is_some()).then(|| join(&entries))
}

fn beginning(action: Action, what: &str) -> String {
    format!("{}: {what}; the provider said: ", action.name())
}

/// The entries in their order. What stands before the first, such as a text that was blanked, is about no action.
fn split(text: &str, what: &str) -> Vec<(Option<Action>, String)> {
    let mut entries: Vec<(Option<Action>, String)> = Vec::new();
    for line in text.split('\n') {
        let of = Action::ALL.iter().copied().find(|&action| line.starts_with(&beginning(action, what)));
        match entries.last_mut().filter(|_| of.is_none()) {
            Some((_, entry)) => {
                entry.push('\n');
                entry.push_str(line);
            }
            None => entries.push((of, line.to_owned())),
        }
    }
    entries
}

fn join(entries: &[(Option<Action>, String)]) -> String {
    entries.iter().map(|(_, entry)| entry.as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "failed";

    fn said(action: Action, words: &str) -> String {
        entry(action, WHAT, words)
    }

    #[test]
    fn an_alert_names_each_action_once_with_its_last_words() {
        let invite = said(Action::Invite, "400 bad\nreally bad");
        let both = with(&invite, WHAT, Action::Message, &said(Action::Message, "503"));
        assert_eq!(
            both,
            "invite: failed; the provider said: 400 bad\nreally bad\nmessage: failed; the provider said: 503"
        );
        let newer = with(&both, WHAT, Action::Invite, &said(Action::Invite, "504"));
        assert_eq!(newer, "invite: failed; the provider said: 504\nmessage: failed; the provider said: 503");
        assert!(names(&newer, WHAT, Action::Message) && !names(&newer, WHAT, Action::Inmail));
    }

    #[test]
    fn what_is_left_without_an_action_is_about_the_others() {
        let both =
            with(&said(Action::Invite, "a\nb"), WHAT, Action::Message, &said(Action::Message, "invite: c"));
        assert_eq!(without(&both, WHAT, Action::Invite), Some(said(Action::Message, "invite: c")));
        assert_eq!(without(&both, WHAT, Action::Message), Some(said(Action::Invite, "a\nb")));
        assert_eq!(without(&both, WHAT, Action::Inmail), Some(both.clone()));
        assert_eq!(without(&said(Action::Invite, "a"), WHAT, Action::Invite), None);
        assert_eq!(without("blanked", WHAT, Action::Invite), None, "about no action");
        let later = with("blanked", WHAT, Action::Message, &said(Action::Message, "d"));
        assert_eq!(without(&later, WHAT, Action::Invite), Some(later.clone()));
        assert_eq!(without(&later, WHAT, Action::Message), None);
    }
}
