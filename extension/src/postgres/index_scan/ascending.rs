//! A look-up of one text after the other, most of them in their order: as a merge join reads its inner side.

use crate::postgres::index_scan::Lookup;
use crate::postgres::index_scan::patience::Patience;
use crate::postgres::index_scan::reader::Reader;
use crate::postgres::param::params;
use crate::postgres::row::Row;
use std::cmp::Ordering;

/// A look-up by [`super::key::text_from`] alone, whose first column is that text and identifies its row. Inside one
/// [`super::now`].
pub struct Ascending {
    reader: Reader,
    /// The text that was asked for last, and the first one in the table that is not before it; none where there is
    /// none.
    at: Option<(String, Option<String>)>,
    patience: Patience,
}

impl Ascending {
    /// Nothing is read yet.
    pub fn new(lookup: &'static Lookup) -> Ascending {
        Ascending { reader: lookup.reader(), at: None, patience: Patience::new() }
    }

    /// The row of this text: its columns behind the first one.
    pub fn find<T>(&mut self, text: &str, read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        if self.seek(text) != Some(Ordering::Equal) {
            return None;
        }
        self.reader.again(|row| {
            row.value::<&str>();
            read(row)
        })
    }

    /// Goes to the first row that is not before this text; how that compares with it, if there is one.
    fn seek(&mut self, text: &str) -> Option<Ordering> {
        let found = match self.at.take() {
            // No row lies between the text before and where the walk stands.
            Some((asked, Some(at))) if asked.as_str() <= text && at.as_str() >= text => Some(at),
            Some((asked, None)) if asked.as_str() <= text => None,
            Some((asked, Some(_))) if asked.as_str() <= text => self.step(text),
            _ => self.jump(text),
        };
        let order = found.as_deref().map(|at| at.cmp(text));
        self.at = Some((text.to_owned(), found));
        order
    }

    fn step(&mut self, text: &str) -> Option<String> {
        for _ in 0..self.patience.steps() {
            let next = self.reader.next(|row| row.value::<String>());
            if next.as_deref().is_none_or(|next| next >= text) {
                self.patience.paid();
                return next;
            }
        }
        self.patience.wasted();
        self.jump(text)
    }

    fn jump(&mut self, text: &str) -> Option<String> {
        self.reader.first(params![text], |row| row.value())
    }

    /// Lets go of table and index.
    pub fn close(self) {
        self.reader.close();
    }
}
