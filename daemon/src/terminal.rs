//! Text for people: tables, colours on a terminal, and no character that a terminal would obey.

mod harmless;
mod table;

use std::io::{IsTerminal, Write};

use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

pub use harmless::{harmless_json, is_harmful, json_line, stripped};
pub use table::{Cell, table};

/// The meaning of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// No special meaning.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// A person has to do something.
    Bad,
    /// A heading.
    Strong,
}

/// How text is written: with colours only on a terminal, and no wider than it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colours: bool,
    width: Option<usize>,
}

impl Style {
    /// The style for standard output: colours on a terminal, unless NO_COLOR is set or TERM is dumb. Anything
    /// else, such as a file, gets no colours and lines of any length.
    pub fn of_stdout() -> Style {
        let out = std::io::stdout();
        if !out.is_terminal() {
            return Style::plain();
        }
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        // Some terminals report the width 0 because they do not know it.
        let width = terminal_size_of(&out).map(|(Width(columns), _)| usize::from(columns));
        Style { colours: !unwanted, width: width.filter(|columns| *columns > 0) }
    }

    /// No colours, and lines of any length.
    pub const fn plain() -> Style {
        Style { colours: false, width: None }
    }

    /// The text in its tone.
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            _ if !self.colours || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Notable => "33",
            Tone::Bad => "31;1",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The text in its tone, in lines that are no wider than the terminal, each after `indent` blanks. A word that
    /// is wider than that stays whole.
    pub fn lines(self, text: &str, tone: Tone, indent: usize) -> String {
        let room = self.width.unwrap_or(usize::MAX).saturating_sub(indent);
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if line.width() + 1 + word.width() <= room => *line += &format!(" {word}"),
                _ => lines.push(word.to_owned()),
            }
        }
        lines.iter().map(|line| format!("{}{}\n", " ".repeat(indent), self.paint(line, tone))).collect()
    }
}

/// Writes to standard output. An error means that its reader is gone, and is ignored.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_are_no_colours() {
        assert_eq!(Style::plain().paint("x", Tone::Bad), "x");
        assert_eq!(
            Style { width: Some(9), ..Style::plain() }.lines("one two three", Tone::Bad, 2),
            "  one two\n  three\n"
        );
        assert_eq!(Style::plain().lines("one  two\nthree", Tone::Plain, 0), "one two three\n");
        assert!(Style { colours: true, ..Style::plain() }.paint("x", Tone::Bad).contains("\u{1b}[31;1mx"));
    }
}
