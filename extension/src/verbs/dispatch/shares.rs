//! Campaigns that may not be handed out now: paused ones, and those that have taken their part of the account's
//! day. Asked once for each campaign, not once for each piece of its work.

use crate::postgres::index_scan::{Ascending, Lookup, key};
use crate::tables::campaigns::{self, Limits, ManyLimits, Taken};
use sendgate_decision::clock::Day;
use sendgate_decision::gate::CampaignLimit;
use sendgate_decision::names::Action;
use std::collections::{BTreeMap, HashMap};

static PAUSED: Lookup = Lookup::new(c"paused_campaigns", &[key::text_from(c"campaign_id")], "campaign_id");

/// The tables that are read here.
pub(super) fn tables() -> [&'static Lookup; 3] {
    let [limits, journal] = campaigns::tables();
    [&PAUSED, limits, journal]
}

/// Whose day is asked about.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The account.
    pub account: &'a str,
    /// The action.
    pub action: Action,
    /// The account's day.
    pub day: Day,
}

/// What a campaign may have now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// As much as the account may send.
    Open,
    /// A part of the account's day.
    Limited(CampaignLimit),
    /// Nothing, because it is paused.
    Paused,
    /// Nothing, because the call is about another campaign.
    Unwanted,
}

impl Share {
    /// Pieces of work that may be handed out.
    pub fn left(self) -> usize {
        match self {
            Share::Open => usize::MAX,
            Share::Limited(part) => part.left(),
            Share::Paused | Share::Unwanted => 0,
        }
    }
}

/// What campaigns have taken of the days of accounts that are held.
pub(super) type AllTaken = HashMap<String, Taken>;

/// What is known of campaigns and accounts at one instant. Inside the snapshot in which it was made.
pub(super) struct Shares<'a> {
    /// The only campaign that is wanted, if the call names one.
    only: Option<&'a str>,
    any_paused: bool,
    any_limited: bool,
    paused: Ascending,
    limits: ManyLimits,
    /// Most calls meet few: then comparing costs less than hashing.
    campaigns: BTreeMap<String, (bool, Limits)>,
    taken: AllTaken,
}

impl<'a> Shares<'a> {
    /// Nothing is known yet but what campaigns have taken: no other session takes anything from an account that is held.
    pub fn new(only: Option<&'a str>, taken: AllTaken) -> Shares<'a> {
        Shares {
            only,
            any_paused: !PAUSED.table_is_empty(),
            any_limited: !campaigns::are_unlimited(),
            paused: Ascending::new(&PAUSED),
            limits: ManyLimits::new(),
            campaigns: BTreeMap::new(),
            taken,
        }
    }

    /// The only campaign that is wanted; none where all are.
    pub fn only(&self) -> Option<&'a str> {
        self.only
    }

    /// What the campaign may have of the account's day.
    pub fn of(&mut self, place: Place<'_>, campaign: &str) -> Share {
        if self.only.is_some_and(|only| only != campaign) {
            return Share::Unwanted;
        }
        if !self.any_paused && !self.any_limited {
            return Share::Open;
        }
        let (is_paused, limits) = match self.campaigns.get(campaign) {
            Some(known) => *known,
            None => {
                let is_paused = self.any_paused && self.paused.find(campaign, |_| ()).is_some();
                let limits = if self.any_limited { self.limits.of(campaign) } else { Limits::default() };
                self.campaigns.insert(campaign.to_owned(), (is_paused, limits));
                (is_paused, limits)
            }
        };
        if is_paused {
            return Share::Paused;
        }
        let Some(limit) = limits[place.action.index()] else {
            return Share::Open;
        };
        let taken = match self.taken.get(place.account) {
            Some(taken) => taken,
            None => {
                let taken = Taken::count(place.account, place.day);
                self.taken.entry(place.account.to_owned()).or_insert(taken)
            }
        };
        Share::Limited(CampaignLimit { limit, taken: taken.of(campaign, place.action) })
    }

    /// Ends the reading; what campaigns have taken, as far as it was counted.
    pub fn close(self) -> AllTaken {
        self.paused.close();
        self.limits.close();
        self.taken
    }
}
