//! A look-up for one key after the other.

use crate::postgres::index_scan::Lookup;
use crate::postgres::index_scan::scan::Scan;
use crate::postgres::param::Param;
use crate::postgres::row::Row;
use pgrx::pg_sys;

/// A look-up that opens table and index once for all its keys. Inside one [`super::now`].
pub struct Reader {
    lookup: &'static Lookup,
    scan: Option<Scan>,
}

impl Reader {
    /// As [`Lookup::each`].
    pub fn each(&mut self, key: &[Param], mut each: impl FnMut(&mut Row) -> bool) {
        match &mut self.scan {
            Some(scan) => scan.begin_anew(key),
            None => self.scan = Some(self.lookup.scan(pg_sys::AccessShareLock, key)),
        }
        if let Some(scan) = &self.scan {
            while scan.next() && each(&mut scan.row()) {}
        }
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
        Reader { lookup: self, scan: None }
    }
}
