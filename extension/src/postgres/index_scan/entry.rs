//! Entries of an index, compared without their rows: whether two of them begin alike.

use crate::postgres::raw;
use pgrx::pg_sys;
use pgrx::varlena::varsize_any;

/// The longest beginning that is compared. What begins with more is looked up instead.
const LENGTH_MAX: usize = 256;

/// What an entry has before its columns: where its row lies, and its flags.
const HEAD: usize = size_of::<pg_sys::IndexTupleData>();

/// Bytes that are compared at once.
const WORD: usize = size_of::<u64>();

/// The flag of an entry that has a NULL; before its columns it says which of them are.
const HAS_NULLS: u16 = 0x8000;

/// How an entry begins: its bytes up to the end of a column. Equal values may be written in two ways, so entries that
/// begin otherwise may have the same values there; those that begin alike have.
pub(super) struct Start {
    bytes: [u8; LENGTH_MAX],
    length: usize,
    has_nulls: bool,
}

impl Start {
    /// Up to the end of that column, which is of text and not NULL. None where that is too long.
    ///
    /// # Safety
    /// Inside `calling`; the entry is one that the scan keeps.
    pub unsafe fn of(entry: pg_sys::IndexTuple, column: u16, columns: pg_sys::TupleDesc) -> Option<Start> {
        unsafe {
            if entry.is_null() {
                return None;
            }
            let text = raw::nocache_index_getattr(entry, i32::from(column), columns);
            let text: *const pg_sys::varlena = text.cast_mut_ptr();
            let start = entry.cast::<u8>().add(HEAD).cast_const();
            let length = text.cast::<u8>().add(varsize_any(text)).offset_from(start) as usize;
            if length > LENGTH_MAX {
                return None;
            }
            let mut bytes = [0; LENGTH_MAX];
            std::ptr::copy_nonoverlapping(start, bytes.as_mut_ptr(), length);
            Some(Start { bytes, length, has_nulls: has_nulls(entry) })
        }
    }

    /// Whether another entry of the index begins like this.
    ///
    /// # Safety
    /// The entry is one that the scan keeps.
    pub unsafe fn is_of(&self, entry: pg_sys::IndexTuple) -> bool {
        unsafe {
            if has_nulls(entry) != self.has_nulls || room(entry) < self.length {
                return false;
            }
            let (ours, theirs) = (self.bytes.as_ptr(), entry.cast::<u8>().add(HEAD).cast_const());
            if self.length < WORD {
                return std::slice::from_raw_parts(theirs, self.length) == &self.bytes[..self.length];
            }
            // Most are alike up to the end, and a few words are compared at less than the call of a function costs. The
            // last word may begin within the one before it.
            let last = self.length - WORD;
            let mut at = 0;
            while at < last {
                if word(ours.add(at)) != word(theirs.add(at)) {
                    return false;
                }
                at += WORD;
            }
            word(ours.add(last)) == word(theirs.add(last))
        }
    }
}

#[inline(always)]
unsafe fn word(at: *const u8) -> u64 {
    unsafe { at.cast::<u64>().read_unaligned() }
}

unsafe fn has_nulls(entry: pg_sys::IndexTuple) -> bool {
    unsafe { (*entry).t_info & HAS_NULLS != 0 }
}

/// Bytes of an entry behind its head.
unsafe fn room(entry: pg_sys::IndexTuple) -> usize {
    const SIZE: u16 = 0x1FFF;
    unsafe { usize::from((*entry).t_info & SIZE).saturating_sub(HEAD) }
}
