//! `campaigns`: what a campaign may take of each account's day, and what it has taken of one account's.
//!
//! What it has taken is counted from the journal, so that it is right whatever became of an operation: given
//! back, confirmed after that, recorded from outside. Only a decision for a campaign with a limit counts, and
//! reads the account's operations of the day for it.

use crate::postgres::error::Result;
use crate::postgres::index_scan::{self, Ascending, Lookup, key};
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use sendgate_decision::clock::Day;
use sendgate_decision::gate::CampaignLimit;
use sendgate_decision::names::{ACTIONS, Action, OperationState};
use std::collections::BTreeMap;

/// The limits of a campaign, by action; none where the account's caps alone hold.
pub type Limits = [Option<i32>; ACTIONS];

/// The columns that [`read_limits`] expects.
macro_rules! limit_columns {
    () => {
        "inmail_limit, invite_limit, message_limit, profile_view_limit, engagement_limit"
    };
}
pub(crate) use limit_columns;

static CAMPAIGN: Lookup = Lookup::new(c"campaigns", &[key::text(c"campaign_id")], limit_columns!());

static IN_ORDER: Lookup =
    Lookup::new(c"campaigns", &[key::text_from(c"campaign_id")], concat!("campaign_id, ", limit_columns!()));

static OF_DAY: Lookup = Lookup::new(
    c"send_operations",
    &[key::text(c"account_id"), key::date(c"counted_on")],
    "campaign_id, action, state",
);

static KEEP: Statement = Statement::new(
    "SELECT 1 FROM sendgate.campaigns k
     WHERE k.campaign_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
     FOR KEY SHARE SKIP LOCKED",
    types![texts],
);

/// Reads [`limit_columns`] from a row.
pub fn read_limits(row: &mut Row) -> Limits {
    [(); ACTIONS].map(|()| row.nullable())
}

/// What [`limits`], [`ManyLimits`] and [`Taken::count`] read.
pub fn tables() -> [&'static Lookup; 2] {
    [&CAMPAIGN, &OF_DAY]
}

/// Whether no campaign has a limit. Inside [`index_scan::now`] of [`tables`], as everything here.
pub fn are_unlimited() -> bool {
    CAMPAIGN.table_is_empty()
}

/// The limits of a campaign; none where it has no row.
pub fn limits(campaign: &str) -> Limits {
    CAMPAIGN.one(params![campaign], read_limits).unwrap_or_default()
}

/// The limits of many campaigns, most of them in the order of their ids.
pub struct ManyLimits(Ascending);

impl ManyLimits {
    /// Nothing is read yet.
    pub fn new() -> ManyLimits {
        ManyLimits(Ascending::new(&IN_ORDER))
    }

    /// As [`limits`].
    pub fn of(&mut self, campaign: &str) -> Limits {
        self.0.find(campaign, read_limits).unwrap_or_default()
    }

    /// Ends the reading.
    pub fn close(self) {
        self.0.close();
    }
}

/// Slots that campaigns hold of an account's day, by campaign and action.
pub struct Taken(BTreeMap<String, [i32; ACTIONS]>);

impl Taken {
    /// Counts the journal. What is given back is not taken; a slot whose outcome is unknown is.
    pub fn count(account: &str, day: Day) -> Taken {
        let mut taken = Taken(BTreeMap::new());
        OF_DAY.each(params![account, day], |columns| {
            let campaign: Option<&str> = columns.nullable();
            let action = columns.one_of(Action::parse);
            let is_taken = columns.one_of(OperationState::parse) != OperationState::Released;
            if let (Some(campaign), true) = (campaign, is_taken) {
                taken.add(campaign, action);
            }
            true
        });
        taken
    }

    /// A slot was taken since it was counted.
    pub fn add(&mut self, campaign: &str, action: Action) {
        let taken = self.0.get_mut(campaign).map(|slots| &mut slots[action.index()]);
        match taken {
            Some(slots) => *slots += 1,
            None => self.0.entry(campaign.to_owned()).or_default()[action.index()] += 1,
        }
    }

    /// Slots of the action that a campaign holds.
    pub fn of(&self, campaign: &str, action: Action) -> i32 {
        self.0.get(campaign).map_or(0, |slots| slots[action.index()])
    }
}

/// A campaign's part of an account's day; none where no limit is set for the action.
///
/// # Errors
/// `SG301` when another session has a table locked for too long.
pub fn part_of_day(account: &str, campaign: &str, action: Action, day: Day) -> Result<Option<CampaignLimit>> {
    index_scan::now(&[&CAMPAIGN], || {
        Ok(if are_unlimited() { None } else { limits(campaign)[action.index()] })
    })?
    .map(|limit| {
        let taken = index_scan::now(&[&OF_DAY], || Ok(Taken::count(account, day)))?;
        Ok(CampaignLimit { limit, taken: taken.of(campaign, action) })
    })
    .transpose()
}

/// Until this transaction ends, no session changes these campaigns' limits: `set_campaign` waits, and then finds
/// the work whose ticket was moved because of a limit. `false` where one is being changed.
pub fn keep_limits<'a>(spi: &Spi, campaigns: impl Iterator<Item = &'a str> + Clone) -> bool {
    let count = campaigns.clone().count();
    spi.run(&KEEP, &[array(Element::Text, campaigns)]).count() == count
}
