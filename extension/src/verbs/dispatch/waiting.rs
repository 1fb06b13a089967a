//! The waiting work of an account and action, read by index straight from the table: as much as is handed out, and
//! not more for the work that lies behind it.
//!
//! One index has the order in which work is handed out, campaign by campaign: priority, campaign, due time. From the
//! work of a campaign the reading jumps to the next campaign. The other has the due time alone. It says when work is
//! due next, and where little is due it has all of that together.

use crate::postgres::index_scan::{Lookup, key};
use crate::postgres::jsonb::Jsonb;
use crate::postgres::param::params;
use crate::postgres::row::{Place as RowPlace, Row};
use crate::verbs::dispatch::shares::{Place, Share, Shares};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::CampaignLimit;
use sendgate_decision::turns::Queues;
use std::collections::BTreeMap;

/// If no more work is due than this, it is read at once, and the campaigns are told apart afterwards.
const TOGETHER_MAX: usize = 64;

/// One index: (account, action, priority, campaign, due time, step).
macro_rules! by_order {
    ([$($key:expr),*], [$($order:expr),*], $columns:expr) => {
        Lookup::ordered(
            c"enrollments",
            &[key::text(c"account_id"), key::text(c"action") $(, $key)*],
            &[$($order),*],
            c"next_dispatch_at",
            $columns,
        )
    };
}

/// The columns of a place in the order: where a campaign's work of a priority begins.
const PLACE: &str = "priority, campaign_id, next_dispatch_at";

/// The columns of a piece of work.
const WORK: &str = "priority, campaign_id, next_dispatch_at, prospect_id, step, attempts, payload, ctid";

static FIRST: Lookup = by_order!(
    [],
    [
        key::int2_descending(c"priority"),
        key::text(c"campaign_id"),
        key::instant(c"next_dispatch_at"),
        key::int2(c"step")
    ],
    PLACE
);

static FIRST_BELOW: Lookup = by_order!(
    [key::int2_below(c"priority")],
    [key::text(c"campaign_id"), key::instant(c"next_dispatch_at"), key::int2(c"step")],
    PLACE
);

static FIRST_OF_LEVEL: Lookup = by_order!(
    [key::int2_descending(c"priority")],
    [key::text(c"campaign_id"), key::instant(c"next_dispatch_at"), key::int2(c"step")],
    PLACE
);

static AFTER_CAMPAIGN: Lookup = by_order!(
    [key::int2_descending(c"priority"), key::text_after(c"campaign_id")],
    [key::instant(c"next_dispatch_at"), key::int2(c"step")],
    PLACE
);

static OF_CAMPAIGN: Lookup = by_order!(
    [key::int2_descending(c"priority"), key::text(c"campaign_id")],
    [key::instant(c"next_dispatch_at"), key::int2(c"step")],
    WORK
);

/// The other: (account, action, due time).
static OLDEST: Lookup = by_order!([], [key::instant(c"next_dispatch_at")], WORK);

/// The table that is read here.
pub(super) fn table() -> &'static Lookup {
    &OLDEST
}

/// A piece of work.
#[derive(Clone)]
pub(super) struct Work {
    /// Its priority.
    pub priority: i16,
    /// Its campaign.
    pub campaign: String,
    /// When it is due.
    pub due_at: Instant,
    /// Whom it is for.
    pub prospect: String,
    /// Which step of the campaign's sequence.
    pub step: i16,
    /// Attempts so far.
    pub attempts: i32,
    /// The payload that `enqueue` stored with it.
    pub payload: Option<Jsonb>,
    /// Where its row lies.
    pub at: RowPlace,
    /// What its campaign may take of the account's day; none without a limit.
    pub limit: Option<CampaignLimit>,
}

fn read_work(row: &mut Row) -> Work {
    Work {
        priority: row.value(),
        campaign: row.value(),
        due_at: row.instant(),
        prospect: row.value(),
        step: row.value(),
        attempts: row.value(),
        payload: row.nullable(),
        at: row.place(),
        limit: None,
    }
}

/// Where a campaign's work of a priority begins: priority, campaign, due time of the oldest.
type Beginning = (i16, String, Instant);

fn read_beginning(row: &mut Row) -> Beginning {
    (row.value(), row.value(), row.instant())
}

/// The work of one account and action. Inside one snapshot of [`table`] and of what [`Shares`] reads.
pub(super) struct Waiting<'a, 'b> {
    place: Place<'a>,
    now: Instant,
    shares: &'a mut Shares<'b>,
    /// All due work that may be handed out, by priority and campaign, where it is so little that it was read at
    /// once.
    together: Option<BTreeMap<(i16, String), Vec<Work>>>,
    /// How much of a campaign with a limit was read at each priority.
    read: BTreeMap<(String, i16), usize>,
}

impl<'a, 'b> Waiting<'a, 'b> {
    /// The work that is due now.
    pub fn new(place: Place<'a>, shares: &'a mut Shares<'b>, now: Instant) -> Waiting<'a, 'b> {
        Waiting { place, now, shares, together: None, read: BTreeMap::new() }
    }

    /// The due work of campaigns that are not paused, the oldest first, whatever campaign or priority it has.
    pub fn oldest_of_all(&mut self, most: usize) -> Vec<Work> {
        let (shares, place, now, mut work) = (&mut *self.shares, self.place, self.now, Vec::new());
        OLDEST.each(params![place.account, place.action.name()], |row| {
            let next = read_work(row);
            if next.due_at > now {
                return false;
            }
            if !matches!(shares.of(place, &next.campaign), Share::Paused | Share::Unwanted) {
                work.push(next);
            }
            work.len() < most
        });
        work
    }

    /// Reads all due work at once, if it is little and hardly more than `most`.
    pub fn read_together(&mut self, most: usize) {
        let (shares, place, now) = (&mut *self.shares, self.place, self.now);
        let most = most.min(TOGETHER_MAX);
        let (mut together, mut count, mut is_all): (BTreeMap<_, Vec<Work>>, _, _) =
            (BTreeMap::new(), 0, true);
        OLDEST.each(params![place.account, place.action.name()], |row| {
            let mut next = read_work(row);
            if next.due_at > now {
                return false;
            }
            count += 1;
            is_all = count <= most;
            if is_all {
                let share = shares.of(place, &next.campaign);
                next.limit = limit_of(share);
                if share.left() > 0 {
                    together.entry((next.priority, next.campaign.clone())).or_default().push(next);
                }
            }
            is_all
        });
        together.values_mut().for_each(|work| work.sort_by_key(|work| (work.due_at, work.step)));
        self.together = is_all.then_some(together);
    }

    /// When its next work is due, and what holds back other work that is due earlier.
    pub fn next_due(&mut self) -> Option<NextDue> {
        let (place, key) = (self.place, params![self.place.account, self.place.action.name()]);
        let oldest = OLDEST.one(key, read_work)?;
        let mut next =
            NextDue { of_any: oldest.due_at, of_open: None, is_paused: false, limited: Vec::new() };
        if self.shares.of(place, &oldest.campaign).left() > 0 {
            next.of_open = Some(oldest.due_at);
            return Some(next);
        }
        let mut at = FIRST.one(key, read_beginning);
        while let Some((priority, campaign, due_at)) = at {
            match self.shares.of(place, &campaign) {
                Share::Paused | Share::Unwanted => next.is_paused = true,
                Share::Limited(part) if part.left() == 0 => next.limited.push(campaign.clone()),
                Share::Open | Share::Limited(_) => {
                    next.of_open = Some(next.of_open.map_or(due_at, |earlier| earlier.min(due_at)));
                }
            }
            at = self.after(priority, &campaign).or_else(|| self.first_below(priority));
        }
        Some(next)
    }

    fn after(&self, priority: i16, campaign: &str) -> Option<Beginning> {
        let key = params![self.place.account, self.place.action.name(), priority, campaign];
        AFTER_CAMPAIGN.one(key, read_beginning)
    }

    fn first_below(&self, priority: i16) -> Option<Beginning> {
        FIRST_BELOW.one(params![self.place.account, self.place.action.name(), priority], read_beginning)
    }

    /// How much of the campaign may be handed out at this priority: what it had at others counts.
    fn left(&self, share: Share, priority: i16, campaign: &str) -> usize {
        let Share::Limited(part) = share else {
            return share.left();
        };
        let read = self.read.iter().filter(|((of, level), _)| of == campaign && *level != priority);
        part.left().saturating_sub(read.map(|(_, count)| count).sum())
    }

    fn is_open(&mut self, (priority, campaign, due_at): &Beginning) -> bool {
        let share = self.shares.of(self.place, campaign);
        *due_at <= self.now && self.left(share, *priority, campaign) > 0
    }

    /// From there on, the first campaign of this priority with due work.
    fn open_from(&mut self, mut at: Option<Beginning>) -> Option<String> {
        while let Some(beginning) = at {
            if self.is_open(&beginning) {
                return Some(beginning.1);
            }
            at = self.after(beginning.0, &beginning.1);
        }
        None
    }
}

fn limit_of(share: Share) -> Option<CampaignLimit> {
    if let Share::Limited(part) = share { Some(part) } else { None }
}

impl Queues for Waiting<'_, '_> {
    type Work = Work;

    fn next_level(&mut self, below: Option<i32>) -> Option<(i32, String)> {
        if let Some(together) = &self.together {
            let top = together.keys().map(|(priority, _)| i32::from(*priority));
            let priority = top.filter(|priority| below.is_none_or(|below| *priority < below)).max()?;
            return self.next_campaign(priority, None).map(|campaign| (priority, campaign));
        }
        let mut at = match below {
            Some(below) => self.first_below(below as i16),
            None => FIRST.one(params![self.place.account, self.place.action.name()], read_beginning),
        };
        while let Some(beginning) = at {
            let priority = beginning.0;
            if let Some(campaign) = self.open_from(Some(beginning)) {
                return Some((i32::from(priority), campaign));
            }
            at = self.first_below(priority);
        }
        None
    }

    fn next_campaign(&mut self, priority: i32, after: Option<&str>) -> Option<String> {
        let priority = priority as i16;
        if let Some(together) = &self.together {
            let of_level = together.keys().filter(|(level, _)| *level == priority);
            let mut campaigns = of_level.map(|(_, campaign)| campaign);
            return campaigns.find(|campaign| after.is_none_or(|after| campaign.as_str() > after)).cloned();
        }
        let at = match after {
            Some(after) => self.after(priority, after),
            None => FIRST_OF_LEVEL
                .one(params![self.place.account, self.place.action.name(), priority], read_beginning),
        };
        self.open_from(at)
    }

    fn oldest(&mut self, priority: i32, campaign: &str, most: usize) -> (Vec<Work>, bool) {
        let priority = priority as i16;
        let share = self.shares.of(self.place, campaign);
        let most = most.min(self.left(share, priority, campaign));
        let (limit, now, mut work) = (limit_of(share), self.now, Vec::new());
        if let Some(together) = &self.together {
            let all = together.get(&(priority, campaign.to_owned()));
            work.extend(all.into_iter().flatten().take(most).cloned());
        } else if most > 0 {
            let key = params![self.place.account, self.place.action.name(), priority, campaign];
            OF_CAMPAIGN.each(key, |row| {
                let next = read_work(row);
                let is_due = next.due_at <= now;
                if is_due {
                    work.push(Work { limit, ..next });
                }
                is_due && work.len() < most
            });
        }
        if limit.is_some() {
            self.read.insert((campaign.to_owned(), priority), work.len());
        }
        let is_all = work.len() < most;
        (work, is_all)
    }
}

/// When an account's work of an action is due next.
pub(super) struct NextDue {
    /// Of any campaign.
    pub of_any: Instant,
    /// Of campaigns that may be handed out; none where all is held back.
    pub of_open: Option<Instant>,
    /// Whether a paused campaign has work.
    pub is_paused: bool,
    /// Campaigns with work that have taken their part of the day.
    pub limited: Vec<String>,
}
