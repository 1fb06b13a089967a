//! Notices when a relation changes that this session keeps something about: dropped with the extension and made
//! anew, altered by an upgrade, indexed anew by a DBA; or a table whose changes a trigger of ours tells.
//!
//! PostgreSQL reports every change before it grants the lock that makes using the relation safe. It has few places
//! for those who listen, and all extensions share them; so we listen once, for all that we watch.

use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

/// Relations that are watched, and how often they have changed.
pub struct Watch {
    relations: RefCell<Vec<pg_sys::Oid>>,
    changes: Cell<u64>,
}

// A backend has one thread.
unsafe impl Sync for Watch {}

impl Watch {
    /// Watches nothing yet.
    pub const fn new() -> Watch {
        Watch { relations: RefCell::new(Vec::new()), changes: Cell::new(1) }
    }

    /// Watches this relation as well, from now on.
    pub fn add(&self, relation: pg_sys::Oid) {
        let mut relations = self.relations.borrow_mut();
        if !relations.contains(&relation) {
            relations.push(relation);
        }
    }

    /// Watches these relations and no others, from now on.
    pub fn replace(&self, relations: Vec<pg_sys::Oid>) {
        self.relations.replace(relations);
    }

    /// A number, at least 1, that changes with each change that this session has heard of.
    pub fn heard(&self) -> u64 {
        self.changes.get()
    }

    /// The same, after a look whether there is more to hear.
    pub fn changes(&self) -> u64 {
        unsafe { pg_sys::AcceptInvalidationMessages() };
        self.heard()
    }

    /// Something has changed.
    pub fn changed(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
    }

    fn is_about(&self, relation: pg_sys::Oid) -> bool {
        relation == pg_sys::InvalidOid
            || self.relations.try_borrow().map_or(true, |relations| relations.contains(&relation))
    }
}

thread_local! {
    static ALL: Cell<&'static [&'static Watch]> = const { Cell::new(&[]) };
}

/// Listens on behalf of these; called when the library is loaded.
pub fn listen(all: &'static [&'static Watch]) {
    ALL.set(all);
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null()) };
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn relation_changed(_arg: pg_sys::Datum, relation: pg_sys::Oid) {
    ALL.get().iter().filter(|watch| watch.is_about(relation)).for_each(|watch| watch.changed());
}
