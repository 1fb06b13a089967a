//! Whether the books were written in another database: the alert `copied_database`.

use crate::postgres::statement::Spi;
use crate::tables::alerts::{self, About};
use crate::tables::config::Config;
use sendgate_decision::clock::Instant;

const DETAIL: &str = "these books were written in another database, so this is a copy, and nothing is sent from it: \
    adopt_database(note) makes it the one that sends";

/// Raises the alert or resolves it, at the end of a sweep; whether it is new. A copy has no grant that could.
pub(super) fn look(spi: &Spi, config: &Config, now: Instant) -> bool {
    if config.is_copy() {
        return alerts::open(spi, About::Jobs, alerts::COPIED_DATABASE, now.day(), DETAIL, now);
    }
    alerts::resolve(spi, About::Jobs, alerts::COPIED_DATABASE, now);
    false
}
