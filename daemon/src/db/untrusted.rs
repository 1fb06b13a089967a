//! Text that other people wrote: shown without characters that could hide or turn the text beside it.

use std::error::Error;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, Type};

use crate::terminal::is_harmful;

/// Most characters of a text that is short.
const SHORT_MAX: usize = 240;

/// Text that other people wrote: an id, a name, a note, a provider's words. `Display` shows it as it is,
/// except that characters without a width, and those that turn the text beside them, become visible
/// marks. Templates escape it for HTML. JSON has the text itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// The text itself, for links and statements.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The beginning of a long text, such as a gateway's page in HTML; none if the text is short.
    pub fn beginning(&self) -> Option<Untrusted> {
        let (end, _) = self.0.char_indices().nth(SHORT_MAX)?;
        Some(Untrusted(format!("{}…", &self.0[..end])))
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Untrusted {
        Untrusted(text)
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| f.write_char(visible(c)))
    }
}

impl<'a> FromSql<'a> for Untrusted {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Untrusted, Box<dyn Error + Sync + Send>> {
        String::from_sql(kind, raw).map(Untrusted)
    }

    fn accepts(kind: &Type) -> bool {
        <String as FromSql>::accepts(kind)
    }
}

/// Control characters become their pictures; other characters that cannot be seen become a mark.
fn visible(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{2028}' | '\u{2029}' => '\u{2424}',
        _ if c.is_control() || is_harmful(c) => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_has_a_beginning() {
        let short = Untrusted("ü".repeat(SHORT_MAX));
        assert_eq!(short.beginning(), None);
        let long = Untrusted(format!("{}x", short.raw()));
        assert_eq!(long.beginning(), Some(Untrusted(format!("{}…", short.raw()))));
    }

    #[test]
    fn invisible_characters_are_made_visible() {
        let shown = |text: &str| Untrusted(text.to_owned()).to_string();
        assert_eq!(shown("a\u{1b}[31m\nb\u{7f}"), "a␛[31m␊b␡");
        assert_eq!(shown("x\u{202e}y\u{200b}z\u{85}"), "x\u{fffd}y\u{fffd}z\u{fffd}");
        assert_eq!(shown("Ängström – <b>信</b>"), "Ängström – <b>信</b>");
    }
}
