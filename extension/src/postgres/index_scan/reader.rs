//! A look-up for one key after the other.

use crate::postgres::index_scan::Lookup;
use crate::postgres::index_scan::scan::Scan;
use crate::postgres::param::Param;
use crate::postgres::row::Row;
use pgrx::pg_sys;

/// A look-up that opens table and index once for all its keys. Inside one [`super::now`].
pub struct Reader {
    lookup: &'static Lookup,
    /// Whether it keeps the entries of the index.
    entries: bool,
    scan: Option<Scan>,
    /// Whether it stands behind the last row of its key: from there PostgreSQL would begin anew.
    is_over: bool,
}

impl Reader {
    /// As [`Lookup::each`].
    pub fn each(&mut self, key: &[Param], mut each: impl FnMut(&mut Row) -> bool) {
        self.begin(key);
        while self.next(&mut each) == Some(true) {}
    }

    /// Goes to the first row of this key and reads it. The key stays as it is until the next one is given.
    pub fn first<T>(&mut self, key: &[Param], read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        self.begin(key);
        self.next(read)
    }

    /// Goes on to the next row of the key and reads it; none behind the last one.
    pub fn next<T>(&mut self, read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let scan = self.scan.as_ref().filter(|_| !self.is_over)?;
        if scan.next() {
            return Some(read(&mut scan.row()));
        }
        self.is_over = true;
        None
    }

    /// Reads the row where it stands once more; none behind the last one.
    pub fn again<T>(&self, read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        self.scan.as_ref().filter(|_| !self.is_over).map(|scan| read(&mut scan.row()))
    }

    /// Goes on to the first row whose entry in the index begins otherwise than this row's, up to the end of that column,
    /// which is of text, and reads it. It passes `most` entries on the way, without a look at their rows; none where
    /// it is farther, or there is none. And how many it passed. Of a reader that keeps the entries.
    pub fn beyond<T>(
        &mut self,
        column: u16,
        most: u32,
        read: impl FnOnce(&mut Row) -> T,
    ) -> Option<(u32, T)> {
        let scan = self.scan.as_ref().filter(|_| !self.is_over)?;
        match scan.beyond(column, most) {
            Some((passed, true)) => return Some((passed, read(&mut scan.row()))),
            Some((_, false)) => self.is_over = true,
            None => {}
        }
        None
    }

    fn begin(&mut self, key: &[Param]) {
        match &mut self.scan {
            Some(scan) => scan.begin_anew(key),
            None => self.scan = Some(self.lookup.scan_keeping(self.entries, pg_sys::AccessShareLock, key)),
        }
        self.is_over = false;
    }

    /// Lets go of table and index.
    pub fn close(self) {
        if let Some(scan) = self.scan {
            scan.close();
        }
    }
}

impl Lookup {
    /// For many keys.
    pub fn reader(&'static self) -> Reader {
        Reader { lookup: self, entries: false, scan: None, is_over: false }
    }

    /// The same, and it keeps the entries of the index: [`Reader::beyond`] compares them.
    pub fn reader_of_entries(&'static self) -> Reader {
        Reader { lookup: self, entries: true, scan: None, is_over: false }
    }
}
