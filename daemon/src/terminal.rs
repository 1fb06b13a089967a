//! Text for people: tables, colours on a terminal, and nothing that a terminal would obey.

use std::io::{IsTerminal, Write};

use serde_json::Value;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// Somebody has to do something.
    Bad,
    /// A heading.
    Strong,
}

/// How text is written: with colours only if somebody can see them.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colours: bool,
}

impl Style {
    /// Colours on a terminal, unless NO_COLOR is set.
    pub fn of_stdout() -> Style {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Style { colours: std::io::stdout().is_terminal() && !unwanted }
    }

    /// No colours.
    pub const fn plain() -> Style {
        Style { colours: false }
    }

    /// The text in its tone.
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            _ if !self.colours => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Notable => "33",
            Tone::Bad => "31;1",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Text that other people wrote, without anything that a terminal obeys or that hides or turns the
/// text beside it; blanks become spaces.
pub fn stripped(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        _ if c.is_control() || is_invisible(c) => None,
        _ => Some(c),
    };
    text.chars().filter_map(harmless).collect()
}

/// Characters without width, and those that turn the direction of writing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A value as people read it: text without quotes, nothing for null.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => stripped(text),
        other => stripped(&other.to_string()),
    }
}

/// Writes to standard output. Whoever closed it does not want to know more.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

impl Cell {
    /// Text, to the left.
    pub fn text(text: &str) -> Cell {
        Cell { text: stripped(text), tone: Tone::Plain, right: false }
    }

    /// A number, to the right.
    pub fn number(text: &str) -> Cell {
        Cell { right: true, ..Cell::text(text) }
    }

    /// The same in another tone.
    pub fn in_tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

/// Rows under headings, each column as wide as it has to be.
pub fn table(style: Style, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count());
        cells.max().unwrap_or(0).max(headings[column].chars().count())
    };
    let widths: Vec<usize> = (0..headings.len()).map(width_of).collect();
    let right = |column: usize| rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.right);
    let heads = headings.iter().enumerate().map(|(n, text)| Cell {
        text: (*text).to_owned(),
        tone: Tone::Strong,
        right: right(n),
    });
    let heads: Vec<Cell> = heads.collect();
    let mut out = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        out += line(style, row, &widths).trim_end();
        out += "\n";
    }
    out
}

fn line(style: Style, row: &[Cell], widths: &[usize]) -> String {
    let padded = |(cell, width): (&Cell, &usize)| {
        let blanks = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        let painted = style.paint(&cell.text, cell.tone);
        if cell.right { blanks + &painted } else { painted + &blanks }
    };
    row.iter().zip(widths).map(padded).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(stripped("a\u{1b}[31mb\u{7}\u{9b}2J\r\nc\u{202e}d\u{200b}"), "a[31mb2J  cd");
        assert_eq!(stripped("Ängström – 信"), "Ängström – 信");
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let rows = vec![
            vec![Cell::text("ada"), Cell::number("7")],
            vec![Cell::text("grace"), Cell::number("50").in_tone(Tone::Bad)],
        ];
        let shown = table(Style::plain(), &["account", "sent"], &rows);
        assert_eq!(shown, "account  sent\nada         7\ngrace      50\n");
    }

    #[test]
    fn without_a_terminal_there_are_no_colours() {
        assert_eq!(Style::plain().paint("x", Tone::Bad), "x");
        assert!(Style { colours: true }.paint("x", Tone::Bad).contains("\u{1b}[31;1mx"));
    }
}
