//! Tables: each column is as wide as its widest cell, and narrow terminals get fewer columns.

use unicode_width::UnicodeWidthStr;

use super::{Style, Tone, harmless::stripped};

/// Spaces between two columns.
const GAP: usize = 2;
/// On a narrow terminal a name is cut to this share of a line, but keeps at least `CUT_MIN` columns.
const CUT_SHARE: usize = 4;
const CUT_MIN: usize = 12;

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
    right: bool,
    may_be_cut: bool,
}

impl Cell {
    /// Text, aligned to the left.
    pub fn text(text: &str) -> Cell {
        Cell { text: stripped(text), tone: Tone::Plain, right: false, may_be_cut: false }
    }

    /// Text that may be cut: its beginning is enough.
    pub fn name(text: &str) -> Cell {
        Cell { may_be_cut: true, ..Cell::text(text) }
    }

    /// A number, aligned to the right.
    pub fn number(text: &str) -> Cell {
        Cell { right: true, ..Cell::text(text) }
    }

    /// The same cell in another tone.
    pub fn in_tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    /// Whether the cell has something to say: it is not empty, and no number 0.
    fn says_something(&self) -> bool {
        match self.text.as_str() {
            "" => false,
            "0" => !self.right,
            _ => true,
        }
    }

    /// The cell, cut to at most `width` columns if it may be cut; `…` shows that there is more.
    fn cut_to(&self, width: usize) -> Cell {
        if !self.may_be_cut || self.width() <= width {
            return self.clone();
        }
        let mut text = String::new();
        for c in self.text.chars() {
            text.push(c);
            if text.width() >= width {
                text.pop();
                break;
            }
        }
        Cell { text: text.trim_end().to_owned() + "…", ..self.clone() }
    }
}

/// Rows under headings. If the terminal is too narrow for a row, its last columns go below it, without those
/// that say nothing.
pub fn table(style: Style, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let all = headings.len();
    if style.width.is_none_or(|room| line_width(&widths(headings, rows)) <= room) {
        return with_columns(style, headings, rows, all);
    }
    let room = style.width.unwrap_or(usize::MAX);
    let cut = (room / CUT_SHARE).max(CUT_MIN);
    let rows: Vec<Vec<Cell>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.cut_to(cut)).collect()).collect();
    let widths = widths(headings, &rows);
    let beside = (1..=all).rev().find(|n| line_width(&widths[..*n]) <= room).unwrap_or(1);
    with_columns(style, headings, &rows, beside)
}

/// The table with the first `beside` columns, and the others below each row.
fn with_columns(style: Style, headings: &[&str], rows: &[Vec<Cell>], beside: usize) -> String {
    let widths = widths(&headings[..beside], rows);
    let right = |column: usize| rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.right);
    let head = |(n, text): (usize, &&str)| Cell { right: right(n), ..Cell::text(text).in_tone(Tone::Strong) };
    let heads: Vec<Cell> = headings[..beside].iter().enumerate().map(head).collect();
    let mut out = line(style, &heads, &widths);
    for row in rows {
        let (here, below) = row.split_at(beside.min(row.len()));
        out += &line(style, here, &widths);
        out += &lines_below(style, &headings[beside..], below);
    }
    out
}

/// The width that each column needs.
fn widths(headings: &[&str], rows: &[Vec<Cell>]) -> Vec<usize> {
    let width_of = |(column, heading): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(Cell::width);
        cells.max().unwrap_or(0).max(heading.width())
    };
    headings.iter().enumerate().map(width_of).collect()
}

/// The width of a line with these columns; empty last columns need none.
fn line_width(widths: &[usize]) -> usize {
    let filled = widths.iter().rposition(|width| *width > 0).map_or(0, |last| last + 1);
    widths[..filled].iter().sum::<usize>() + GAP * filled.saturating_sub(1)
}

fn line(style: Style, row: &[Cell], widths: &[usize]) -> String {
    let padded = |(cell, width): (&Cell, &usize)| {
        let blanks = " ".repeat(width.saturating_sub(cell.width()));
        let painted = style.paint(&cell.text, cell.tone);
        if cell.right { blanks + &painted } else { painted + &blanks }
    };
    let cells: Vec<String> = row.iter().zip(widths).map(padded).collect();
    format!("{}\n", cells.join(&" ".repeat(GAP)).trim_end())
}

/// The cells that have no room in the row, each after its heading.
fn lines_below(style: Style, headings: &[&str], cells: &[Cell]) -> String {
    let room = style.width.unwrap_or(usize::MAX);
    let (mut out, mut used) = (String::new(), 0);
    for (heading, cell) in headings.iter().zip(cells).filter(|(_, cell)| cell.says_something()) {
        let text = format!("{heading} {}", cell.text);
        for (n, word) in text.split_whitespace().enumerate() {
            let gap = if n == 0 { GAP } else { 1 };
            if used == 0 || used + gap + word.width() > room {
                out += if used == 0 { "  " } else { "\n  " };
                used = GAP;
            } else {
                out += &" ".repeat(gap);
                used += gap;
            }
            out += &style.paint(word, cell.tone);
            used += word.width();
        }
    }
    if used > 0 {
        out += "\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADINGS: [&str; 5] = ["account", "name", "sent", "drift", ""];

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![
                Cell::text("ada"),
                Cell::name("Augusta Ada King, Countess of Lovelace"),
                Cell::number("7"),
                Cell::number("0"),
                Cell::text(""),
            ],
            vec![
                Cell::text("grace"),
                Cell::name("信用卡"),
                Cell::number("50").in_tone(Tone::Bad),
                Cell::number("3"),
                Cell::text("Sales Nav credits exhausted — auto-resumes Jun 1"),
            ],
        ]
    }

    fn at(width: usize) -> String {
        table(Style { width: Some(width), ..Style::plain() }, &HEADINGS, &rows())
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let shown = table(Style::plain(), &HEADINGS, &rows());
        let expected = "\
account  name                                    sent  drift
ada      Augusta Ada King, Countess of Lovelace     7      0
grace    信用卡                                    50      3  Sales Nav credits exhausted — auto-resumes Jun 1
";
        assert_eq!(shown, expected);
        assert_eq!(at(200), expected);
    }

    #[test]
    fn on_a_narrow_terminal_names_are_cut_and_the_last_columns_go_below() {
        assert_eq!(
            at(60),
            "\
account  name             sent  drift
ada      Augusta Ada Ki…     7      0
grace    信用卡             50      3
  Sales Nav credits exhausted — auto-resumes Jun 1
"
        );
        assert_eq!(
            at(30),
            "\
account  name          sent
ada      Augusta Ada…     7
grace    信用卡          50
  drift 3  Sales Nav credits
  exhausted — auto-resumes Jun
  1
"
        );
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        // The longest word and the spaces before it.
        for width in 14..140 {
            for line in at(width).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_wide_letter_that_does_not_fit_is_cut_as_a_whole() {
        assert_eq!(Cell::name("信信信信信").cut_to(6).text, "信信…");
        assert_eq!(Cell::name("信信信").cut_to(6).text, "信信信");
        assert_eq!(Cell::text("acc-123456").cut_to(6).text, "acc-123456");
    }
}
