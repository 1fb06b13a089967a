//! Names and literals as SQL writes them.

/// A name; quoted unless it is plain.
pub fn name(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(&text);
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Words that sendgate uses as names and that SQL reads otherwise.
const RESERVED: &[&str] =
    &["at", "before", "after", "action", "all", "any", "end", "every", "order", "since", "until", "user"];

/// A literal, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_name_is_quoted() {
        assert_eq!(name("account_id"), "account_id");
        assert_eq!(name("at"), "\"at\"");
        assert_eq!(name("Ab\"c"), "\"Ab\"\"c\"");
    }

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\b'c"), r"E'a\\b''c'");
    }
}
