//! PostgreSQL's lists.

use pgrx::pg_sys;

/// The cells of a list, as it is now; none of an empty one, which is a null pointer.
pub(super) unsafe fn cells(list: *const pg_sys::List) -> impl Iterator<Item = pg_sys::ListCell> {
    let length = unsafe { list.as_ref() }.map_or(0, |list| list.length as usize);
    (0..length).map(move |i| unsafe { *(*list).elements.add(i) })
}
