//! Makes text of other people harmless for a terminal: nothing in it gives a command, hides, or turns the
//! text beside it.

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

/// Combining marks that one letter may have. Languages need three; more of them reach into other lines.
const MARKS_MAX: usize = 4;

/// The text for a terminal: harmful characters are left out, and line breaks become spaces.
pub fn stripped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        if matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}') {
            out.push(' ');
            marks = 0;
        } else if !is_harmful(c) {
            marks = if c.width() == Some(0) { marks + 1 } else { 0 };
            // A combining mark at the start would change the character before the text.
            if marks <= MARKS_MAX && !(marks > 0 && out.is_empty()) {
                out.push(c);
            }
        }
    }
    out
}

/// One line of JSON for a terminal, with its fields in the order of their names. Every key has to be text.
pub fn json_line(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("every key is text");
    harmless_json(&value.to_string()) + "\n"
}

/// The same JSON, with escapes for harmful characters: JSON itself demands escapes only up to U+001F.
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // JSON on one line has none of these outside of its strings.
        if is_harmful(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out += &format!("\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a terminal could obey the character or a reader could not see it: C0, DEL and C1; characters that
/// Unicode lets software ignore (zero width, direction, tags, variations, fillers); annotations; the Braille
/// letter without dots, which looks like a space.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(stripped("a\u{1b}[31mb\u{7}\u{9b}2J\r\nc\u{202e}d\u{200b}"), "a[31mb2J  cd");
        assert_eq!(stripped("Ängström – 信"), "Ängström – 信");
        assert_eq!(stripped("\u{7f}\u{feff}x\u{2066}y\u{e0041}\u{fe0f}\u{200d}z\u{3164}"), "xyz");
    }

    #[test]
    fn marks_stay_on_their_letter() {
        assert_eq!(stripped("e\u{301}o\u{302}\u{323}"), "e\u{301}o\u{302}\u{323}");
        assert_eq!(stripped("\u{301}e"), "e");
        let pile = format!("z{}", "\u{337}".repeat(40));
        assert_eq!(stripped(&pile).chars().count(), 1 + MARKS_MAX);
    }

    #[test]
    fn json_says_the_same_without_harm() {
        let value = json!({"name": "\u{1b}\u{9b}\u{7f}\u{202e}\u{e0041}é\u{2028}", "n": 1.5});
        let line = json_line(&value);
        assert!(!line.trim_end().chars().any(|c| is_harmful(c) || c == '\u{2028}'), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        assert!(line.contains("é") && line.ends_with('\n'));
    }
}
