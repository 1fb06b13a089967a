//! Settings that let go: no event tells the work that sleeps under `sendgate.failure_limit` or
//! `sendgate.attempt_percent` that they were switched off or loosened, so the sweep of layer 1 wakes it.

use crate::books::sweep::Seen;
use crate::postgres::gucs;
use crate::postgres::statement::Spi;
use crate::tables::config::Config;
use crate::tables::dispatch_queue;
use sendgate_decision::books::let_go;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;

/// Makes the work of these accounts due that sleeps under a setting which refuses no more.
pub(super) fn wake(spi: &Spi, members: &[Seen<'_>], config: &Config, now: Instant) {
    let limits = gucs::limits();
    let mut asleep = Vec::new();
    for (id, row) in members {
        for &action in Action::ALL {
            let tier = || config.tier_cap(&row.tier, action);
            if let Some(until) = let_go(&row.account, action, tier, &limits, now) {
                asleep.push((*id, action, until));
            }
        }
    }
    dispatch_queue::wake_unheld(spi, &asleep, now);
}
