//! What is posted: the event as Standard Webhooks has it, or a sentence for a chat.

use serde_json::{Value, json};

use crate::config::webhooks::Format;
use crate::db::notifications::Notification;
use crate::terminal::stripped;

/// Longest foreign text in a sentence, in characters.
const WORDS_CHARACTERS_MAX: usize = 300;

/// The body of a post; with the name of the database where several are served.
pub fn of(format: Format, told: &Notification, database: Option<&str>) -> String {
    match (format, database) {
        (Format::Json, None) => json!({ "type": told.event, "timestamp": told.at, "data": told.data }),
        (Format::Json, Some(name)) => {
            let mut data = told.data.clone();
            if let Value::Object(fields) = &mut data {
                fields.insert("database".to_owned(), Value::from(name));
            }
            json!({ "type": told.event, "timestamp": told.at, "data": data })
        }
        (Format::Slack, None) => json!({ "text": sentence(told) }),
        (Format::Slack, Some(name)) => json!({ "text": format!("[{}] {}", chat(name), sentence(told)) }),
    }
    .to_string()
}

fn sentence(told: &Notification) -> String {
    let of = |name: &str| told.data.get(name).and_then(Value::as_str).map(chat);
    let spoken = |name: &str| of(name).unwrap_or_default().replace('_', " ");
    let account = match of("display_name") {
        Some(name) => format!("{name} ({})", chat(&told.account_id)),
        None => chat(&told.account_id),
    };
    let on = if told.account_id == "*" { String::new() } else { format!(" on {account}") };
    match told.event.as_str() {
        "alert_opened" => format!("Alert{on}: {}. {}", spoken("kind"), of("detail").unwrap_or_default()),
        "alert_resolved" => format!("Over{on}: {}. {}", spoken("kind"), of("detail").unwrap_or_default()),
        "breaker_set" => format!("InMails of {account} are stopped: {}{}", spoken("reason"), words(&of)),
        "breaker_clear" => format!("InMails of {account} may go on: {}{}", spoken("reason"), words(&of)),
        "cooldown_set" => {
            let what = match of("action") {
                Some(action) => format!("{} of {account} cools down", action.replace('_', " ")),
                None => format!("{account} cools down"),
            };
            let until =
                of("until").map_or_else(String::new, |until| format!(" until {}", to_the_second(&until)));
            format!("{what}{until}: {}{}", spoken("cause"), words(&of))
        }
        other => format!("{}{on}", chat(other)),
    }
}

/// The provider's words, or an operator's with the name.
fn words(of: &impl Fn(&str) -> Option<String>) -> String {
    let by = |note: String| of("actor").map_or_else(|| note.clone(), |actor| format!("{note} ({actor})"));
    of("error").or_else(|| of("note").map(by)).map_or_else(String::new, |words| format!(". {words}"))
}

/// `2026-05-20T12:00:00.000000Z` without what no reader wants.
fn to_the_second(instant: &str) -> String {
    match instant.split_once('.') {
        Some((whole, _)) => format!("{} UTC", whole.replace('T', " ")),
        None => instant.to_owned(),
    }
}

/// Foreign text in a chat: no control characters, no links, no mentions, and not endlessly long.
fn chat(text: &str) -> String {
    let mut short: String = text.chars().take(WORDS_CHARACTERS_MAX).collect();
    if text.chars().nth(WORDS_CHARACTERS_MAX).is_some() {
        short.push('…');
    }
    stripped(&short).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(event: &str, account: &str, data: Value) -> Notification {
        Notification {
            id: "1".to_owned(),
            account_id: account.to_owned(),
            event: event.to_owned(),
            at: "2026-05-20T12:00:00.000000Z".to_owned(),
            attempt: 1,
            data,
        }
    }

    #[test]
    fn each_event_is_a_sentence() {
        for (event, account, data, expected) in [
            (
                "alert_opened",
                "*",
                json!({ "kind": "provider_failing", "detail": "5 of 9 fail" }),
                "Alert: provider failing. 5 of 9 fail",
            ),
            (
                "alert_resolved",
                "a",
                json!({ "kind": "failing", "detail": "inmail", "display_name": "Zoë" }),
                "Over on Zoë (a): failing. inmail",
            ),
            (
                "breaker_set",
                "a",
                json!({ "reason": "credits_exhausted", "note": null }),
                "InMails of a are stopped: credits exhausted",
            ),
            (
                "breaker_clear",
                "a",
                json!({ "reason": "manual", "note": "topped up", "actor": "ada" }),
                "InMails of a may go on: manual. topped up (ada)",
            ),
            (
                "cooldown_set",
                "a",
                json!({ "action": "profile_view", "cause": "failing", "until": "2026-05-20T13:00:00.000000Z",
                        "error": "busy", "note": null, "actor": "app" }),
                "profile view of a cools down until 2026-05-20 13:00:00 UTC: failing. busy",
            ),
        ] {
            assert_eq!(sentence(&told(event, account, data)), expected);
        }
    }

    #[test]
    fn foreign_text_is_text() {
        let data =
            json!({ "reason": "manual", "note": "<!channel> & \u{202e}<http://evil|x>\n", "actor": "ada" });
        let text = sentence(&told("breaker_set", "<@U1>", data));
        assert!(!text.contains('<') && !text.contains('\u{202e}') && !text.contains('\n'), "{text}");
        assert!(text.contains("&lt;!channel&gt; &amp; "), "{text}");
    }

    #[test]
    fn json_is_the_event_as_it_is() {
        let told = told("breaker_set", "a", json!({ "account_id": "a", "note": "<b>" }));
        let body: Value = serde_json::from_str(&of(Format::Json, &told, None)).expect("JSON");
        assert_eq!(body["data"].get("database"), None);
        assert_eq!(body["type"], "breaker_set");
        assert_eq!(body["timestamp"], "2026-05-20T12:00:00.000000Z");
        assert_eq!(body["data"]["note"], "<b>");
        let body: Value = serde_json::from_str(&of(Format::Json, &told, Some("eu"))).expect("JSON");
        assert_eq!((&body["data"]["note"], &body["data"]["database"]), (&json!("<b>"), &json!("eu")));
        assert!(of(Format::Slack, &told, Some("eu")).contains(r#""[eu] InMails of a"#));
    }
}
