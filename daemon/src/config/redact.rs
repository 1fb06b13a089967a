//! Replaces passwords in text of others: a command line, a parser's message.

/// The text in a password's place.
const STARS: &str = "***";

/// The text with the password of every URL and every `password=` replaced.
pub fn redact(text: &str) -> String {
    redact_assignments(&redact_urls(text))
}

/// `scheme://user:secret@` becomes `scheme://user:***@`. An unescaped password may hold `/` or `@`, so
/// everything up to the word's last `@` is replaced.
fn redact_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        let (before, after) = rest.split_at(found + 3);
        out += before;
        let end = after.find(|c: char| c.is_whitespace() || c == '\'' || c == '"').unwrap_or(after.len());
        let (word, tail) = after.split_at(end);
        match (word.find(':'), word.rfind('@')) {
            (Some(colon), Some(at)) if colon < at => {
                out += &word[..=colon];
                out += STARS;
                out += &word[at..];
            }
            _ => out += word,
        }
        rest = tail;
    }
    out + rest
}

/// `password=secret` and `password='se cret'` become `password=***`; also in a URL's query, and
/// `sslpassword` as well.
fn redact_assignments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = find_ignoring_case(rest, "password") {
        let (before, after) = rest.split_at(found + "password".len());
        out += before;
        let value = after.trim_start();
        let Some(value) = value.strip_prefix('=') else {
            rest = after;
            continue;
        };
        out += "=";
        out += STARS;
        rest = skip_value(value.trim_start());
    }
    out + rest
}

fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(word)
}

/// The text after a value, which may be quoted as libpq quotes.
fn skip_value(text: &str) -> &str {
    let Some(quote @ ('\'' | '"')) = text.chars().next() else {
        let end = text.find(|c: char| c.is_whitespace() || c == '&').unwrap_or(text.len());
        return &text[end..];
    };
    let mut escaped = false;
    for (position, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return &text[position + 1..],
            _ => (),
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn passwords_of_urls_go() {
        assert_eq!(redact("postgres://u:secret@h:5/d"), "postgres://u:***@h:5/d");
        assert_eq!(redact("see 'postgresql://u:p@ss/w@h/d?x=1' now"), "see 'postgresql://u:***@h/d?x=1' now");
        assert_eq!(redact("http://127.0.0.1:80/"), "http://127.0.0.1:80/");
        assert_eq!(redact("postgres://u@h/d"), "postgres://u@h/d");
    }

    #[test]
    fn passwords_of_keywords_go() {
        assert_eq!(redact("host=h password=secret user=u"), "host=h password=*** user=u");
        assert_eq!(redact(r"password = 'a \' b' user=u"), "password=*** user=u");
        assert_eq!(redact("postgres://h/d?password=x&user=u"), "postgres://h/d?password=***&user=u");
        assert_eq!(redact("PASSWORD=x"), "PASSWORD=***");
        assert_eq!(redact("password='unclosed"), "password=***");
        assert_eq!(redact("the password is wrong"), "the password is wrong");
    }
}
