//! The configuration, which seldom changes: tiers, error rules, the one switch and whose books these are, compiled
//! once per backend.
//!
//! A change sends every backend an invalidation when it commits, through the triggers
//! `config_changed`; a backend looks for one before each decision and again after the write. It
//! reads with the latest snapshot, also at REPEATABLE READ: an operator's `pause_all` counts from
//! its commit, not from the next transaction.

use crate::postgres::gucs;
use crate::postgres::invalidation::Watch;
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::home_database::{self, Database};
use pgrx::log;
use sendgate_decision::budget::TierCap;
use sendgate_decision::classify::{Rule, StatusPattern, folded};
use sendgate_decision::clock::DAY;
use sendgate_decision::credits::Allowance;
use sendgate_decision::names::{ACTIONS, Action, Outcome, Scope};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

static SWITCH: Statement = Statement::new("SELECT 1 FROM sendgate.pause_switch", &[]);

static TIERS: Statement = Statement::new(
    "SELECT t.tier, t.action, t.daily_cap, t.weekly_cap, t.ramp_start_percent, t.ramp_step_percent,
            pg_catalog.date_part('epoch', t.minimum_gap), t.credits_a_month, t.credits_ceiling
     FROM sendgate.tiers t",
    &[],
);

static RULES: Statement = Statement::new(
    "SELECT r.outcome, r.action, r.error_type, r.http_status, r.error_text, r.scope,
            pg_catalog.date_part('epoch', r.wait)
     FROM sendgate.error_rules r ORDER BY r.rule_order USING OPERATOR(pg_catalog.<)",
    &[],
);

static TABLES: Statement = Statement::new(
    "SELECT c.oid FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'sendgate'::pg_catalog.name
       AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['tier_defaults', 'tier_overrides',
           'error_rule_defaults', 'error_rule_overrides', 'pause_switch', 'home_database']::pg_catalog.name[])",
    &[],
);

/// The compiled configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// Whether `pause_all` is on.
    switched_off: bool,
    /// Whether the books know where they belong: not before the first account is provisioned.
    pub has_home: bool,
    /// Whether that is another database than this one.
    copied: bool,
    tiers: HashMap<String, [Option<TierCap>; ACTIONS]>,
    allowances: HashMap<String, Allowance>,
    /// The classifier's rules, in order.
    pub rules: Vec<Rule>,
}

impl Config {
    /// Whether nothing is granted: `pause_all` is on, or this is a copy of the books.
    pub fn paused(&self) -> bool {
        self.switched_off || self.is_copy()
    }

    /// Whether the books belong to another database, and `sendgate.copy_check` is on.
    pub fn is_copy(&self) -> bool {
        self.copied && gucs::copy_check()
    }

    /// What a tier allows for an action; nothing where the tier does not name it.
    pub fn tier_cap(&self, tier: &str, action: Action) -> TierCap {
        self.tiers.get(tier).and_then(|caps| caps[action.index()]).unwrap_or(TierCap::NOTHING)
    }

    /// What a tier grants at the start of a credit period; a tier of the users' own says nothing of it.
    pub fn allowance(&self, tier: &str) -> Allowance {
        self.allowances.get(tier).copied().unwrap_or(Allowance { monthly: None, ceiling: None })
    }

    /// Whether a tier exists.
    pub fn has_tier(&self, tier: &str) -> bool {
        self.tiers.contains_key(tier)
    }

    /// The names of all tiers, for an error message.
    pub fn tier_names(&self) -> String {
        let mut names: Vec<&str> = self.tiers.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

thread_local! {
    /// With the number of changes from before it was read.
    static CURRENT: RefCell<Option<(u64, Rc<Config>)>> = const { RefCell::new(None) };
}

/// The tables that the configuration is read from.
pub static WATCHED: Watch = Watch::new();

/// A number that changes whenever the configuration does, also while it is being read, or between a decision and
/// its write.
pub fn changes() -> u64 {
    WATCHED.changes()
}

/// The configuration as it was read for a decision.
pub struct Reading {
    /// The configuration.
    pub config: Rc<Config>,
    /// The number of changes from before it was read.
    changes: u64,
}

impl Reading {
    /// Whether nothing has changed since. A yes is given only after this: the call may have waited, for a row
    /// or a table, while an operator paused everything.
    pub fn still_holds(&self) -> bool {
        changes() == self.changes
    }
}

/// The configuration as of now.
pub fn current(spi: &Spi) -> Rc<Config> {
    read(spi).config
}

/// The same for a decision, which has to look whether it still holds in the end.
pub fn read(spi: &Spi) -> Reading {
    loop {
        let before = changes();
        let current = CURRENT.with_borrow(|current| {
            let current = current.as_ref().filter(|(changes, _)| *changes == before);
            current.map(|(_, config)| Rc::clone(config))
        });
        if let Some(config) = current {
            return Reading { config, changes: before };
        }
        let config = Rc::new(load(spi));
        if changes() == before {
            if config.is_copy() {
                log!(
                    "sendgate: the books of this database were written in another one, so this is a copy, and nothing is sent from it until an operator calls sendgate.adopt_database(note)"
                );
            }
            CURRENT.set(Some((before, Rc::clone(&config))));
            return Reading { config, changes: before };
        }
    }
}

fn load(spi: &Spi) -> Config {
    let watched = spi.run_on_latest_snapshot(&TABLES, &[]).iter().map(|mut row| row.value()).collect();
    WATCHED.replace(watched);
    let switched_off = spi.run_on_latest_snapshot(&SWITCH, &[]).count() > 0;
    let home = home_database::read(spi);
    let copied = home.is_some_and(Database::is_elsewhere);
    let mut config = Config { switched_off, has_home: home.is_some(), copied, ..Config::default() };
    for mut row in spi.run_on_latest_snapshot(&TIERS, &[]).iter() {
        let (tier, action, cap): (String, _, _) = read_tier(&mut row);
        let allowance = Allowance { monthly: row.nullable(), ceiling: row.nullable() };
        config.allowances.insert(tier.clone(), allowance);
        config.tiers.entry(tier).or_default()[action.index()] = Some(cap);
    }
    config.rules =
        spi.run_on_latest_snapshot(&RULES, &[]).iter().map(|mut row| read_rule(&mut row)).collect();
    config
}

fn read_tier(row: &mut Row) -> (String, Action, TierCap) {
    let tier = row.value();
    let action = row.one_of(Action::parse);
    let cap = TierCap {
        daily: row.value(),
        weekly: row.nullable(),
        ramp_start_percent: row.value(),
        ramp_step_percent: row.value(),
        minimum_gap: ((row.value::<f64>() * 1e6) as i64).clamp(0, 366 * DAY),
    };
    (tier, action, cap)
}

fn read_rule(row: &mut Row) -> Rule {
    Rule {
        outcome: row.one_of(Outcome::parse),
        action: row.nullable::<&str>().and_then(Action::parse),
        error_type: row.nullable(),
        http_status: row.nullable::<&str>().and_then(StatusPattern::parse),
        error_text: row.nullable::<&str>().map(folded),
        scope: row.nullable::<&str>().and_then(Scope::parse),
        wait: row.nullable::<f64>().map(|seconds| (seconds * 1e6) as i64),
    }
}
