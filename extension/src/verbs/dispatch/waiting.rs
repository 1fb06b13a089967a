//! The waiting work of an account and action, read by index straight from the table: as much as is handed out, and
//! not more for the work that lies behind it.
//!
//! Where little is due, it is read at once in the order of its due time. Else a walk goes from campaign to campaign
//! ([`super::walk`]), and what it meets on its way need not be looked up afterwards: an account with a thousand campaigns
//! of one piece each is read row by row, as one campaign of a thousand pieces is.

use crate::postgres::index_scan::Patience;
use crate::postgres::row;
use crate::verbs::dispatch::met::AllMet;
use crate::verbs::dispatch::shares::{Place, Share, Shares};
use crate::verbs::dispatch::together;
use crate::verbs::dispatch::walk::{Along, Beginning, Readers, Walk, Way, Work};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::CampaignLimit;
use sendgate_decision::turns::Queues;
use std::collections::BTreeMap;
use std::ops::Bound;

/// If no more work is due than this, it is read at once, and the campaigns are told apart afterwards.
const TOGETHER_MAX: usize = 64;

/// The work of one account and action. Inside one snapshot of [`super::walk::table`] and of what [`Shares`] reads.
pub(super) struct Waiting<'a, 'b> {
    walk: Walk<'a>,
    open: Open<'a, 'b>,
    patience: Patience,
    /// Whether at least two campaigns share the work, as far as that is known.
    is_shared: bool,
    /// All due work that may be handed out, by priority and campaign, where it is so little that it was read at
    /// once.
    together: Option<BTreeMap<(i16, String), Vec<Work>>>,
    met: AllMet,
}

/// Which work may be handed out now.
struct Open<'a, 'b> {
    place: Place<'a>,
    now: Instant,
    shares: &'a mut Shares<'b>,
    /// How much was read of campaigns with a limit, by priority and campaign.
    read: Vec<(i16, BTreeMap<String, usize>)>,
}

/// A row to which the walk came.
struct Stop {
    along: Along,
    beginning: Beginning,
    /// Whether it may be handed out.
    is_open: bool,
    /// The work, where it may and is kept.
    work: Option<Work>,
}

impl<'a, 'b> Waiting<'a, 'b> {
    /// The work that is due now.
    pub fn new(
        place: Place<'a>,
        shares: &'a mut Shares<'b>,
        readers: &'a mut Readers,
        now: Instant,
    ) -> Waiting<'a, 'b> {
        Waiting {
            walk: Walk::new(place, readers),
            open: Open { place, now, shares, read: Vec::new() },
            patience: Patience::new(),
            is_shared: false,
            together: None,
            met: AllMet::new(),
        }
    }

    /// The due work of campaigns that are not paused, the oldest first, whatever campaign or priority it has.
    pub fn oldest_of_all(&mut self, most: usize) -> Vec<Work> {
        let (open, mut work) = (&mut self.open, Vec::new());
        self.walk.oldest(|beginning, row| {
            if beginning.due_at > open.now {
                return false;
            }
            if !matches!(open.share(&beginning.campaign), Share::Paused | Share::Unwanted) {
                work.push(Work::read(beginning, row));
            }
            work.len() < most
        });
        work
    }

    /// Several campaigns shared the work when it was handed out last.
    pub fn expect_campaigns(&mut self) {
        self.is_shared = true;
        self.patience.expect_many();
    }

    /// Prepares for `most` pieces: reads all due work at once, if it is little and hardly more than these.
    pub fn read_together(&mut self, most: usize) {
        self.met.make_room(most);
        if self.is_shared && !together::is_worth_a_try() {
            return;
        }
        let (now, most) = (self.open.now, most.min(TOGETHER_MAX));
        let (mut due, mut is_all) = (Vec::new(), true);
        self.walk.oldest(|beginning, row| {
            if beginning.due_at > now {
                return false;
            }
            is_all = due.len() < most;
            if is_all {
                due.push(Work::read(beginning, row));
            }
            is_all
        });
        if self.is_shared {
            together::learn(is_all);
        }
        self.together = is_all.then(|| self.open.apart(due));
    }

    /// When its next work is due, and what holds back other work that is due earlier.
    pub fn next_due(&mut self) -> Option<NextDue> {
        let mut oldest = None;
        self.walk.oldest(|beginning, _| {
            oldest = Some(beginning);
            false
        });
        let oldest = oldest?;
        let mut next =
            NextDue { of_any: oldest.due_at, of_open: None, is_paused: false, limited: Vec::new() };
        if self.open.share(&oldest.campaign).left() > 0 {
            next.of_open = Some(oldest.due_at);
            return Some(next);
        }
        let mut at = self.go(Way::First);
        while let Some(Stop { beginning: Beginning { priority, campaign, due_at }, .. }) = at {
            match self.open.share(&campaign) {
                Share::Paused | Share::Unwanted => next.is_paused = true,
                Share::Limited(part) if part.left() == 0 => next.limited.push(campaign.clone()),
                Share::Open | Share::Limited(_) => {
                    next.of_open = Some(next.of_open.map_or(due_at, |earlier| earlier.min(due_at)));
                }
            }
            at = self.behind(priority, &campaign).or_else(|| self.go(Way::Below(priority)));
        }
        Some(next)
    }

    /// Goes to the first row of a campaign.
    fn go(&mut self, way: Way<'_>) -> Option<Stop> {
        let stop = self.stop(way, None)?;
        Some(self.arrive(stop))
    }

    /// Goes there. The first piece of a campaign is kept; a further one of the campaign `from` which it goes where there
    /// is room.
    fn stop(&mut self, way: Way<'_>, from: Option<(i16, &str)>) -> Option<Stop> {
        let (open, keeps, has_room) = (&mut self.open, self.met.keeps(), self.met.has_room());
        let (along, beginning, (is_open, work)) = self.walk.go(way, |beginning, row| {
            let is_open = open.is_open(beginning);
            let is_first = || from.is_none_or(|(level, from)| !beginning.is_of(level, from));
            let is_kept = is_open && keeps && (has_room || is_first());
            (is_open, is_kept.then(|| Work::read(beginning.clone(), row)))
        })?;
        Some(Stop { along, beginning, is_open, work })
    }

    /// Goes to the first row of the next campaign of this priority, if the walk stands at this one: over a few rows of
    /// it, if these can be kept, and a few more of its entries. Else past all of them.
    fn behind(&mut self, priority: i16, campaign: &str) -> Option<Stop> {
        if let Some(along) = self.stands_at(priority, campaign) {
            let entries = if self.is_shared { self.patience.entries() } else { 0 };
            let steps = match (self.met.has_room(), entries) {
                (false, _) => 0,
                (true, 0) => self.patience.steps(),
                (true, _) => self.patience.steps_before_entries(),
            };
            for _ in 0..steps {
                match self.stop(Way::On(along), Some((priority, campaign))) {
                    Some(stop) if stop.beginning.is_of(priority, campaign) => self.pass(stop),
                    next => {
                        self.patience.paid();
                        self.met.end(priority, campaign);
                        let next = next.map(|stop| self.arrive(stop));
                        return next.filter(|stop| stop.beginning.priority == priority);
                    }
                }
            }
            if steps > 0 {
                self.patience.wasted();
            }
            if entries > 0 {
                if let Some(stop) = self.go(Way::Over(along, entries)) {
                    self.patience.passed(self.walk.passed());
                    return Some(stop).filter(|stop| stop.beginning.priority == priority);
                }
                self.patience.passed_in_vain();
            }
        }
        let next = self.go(Way::Behind(priority, campaign));
        self.is_shared |= next.is_some();
        next
    }

    /// The reading that leads on from that campaign: the one along which its work was met, if some is kept.
    fn stands_at(&mut self, priority: i16, campaign: &str) -> Option<Along> {
        match self.met.of(priority, campaign) {
            Some(met) => Some(met.along)
                .filter(|along| *along != Along::Campaign && self.walk.stands(*along, priority, campaign)),
            None => self.walk.stands_at(priority, campaign),
        }
    }

    /// Keeps the oldest work of a campaign, which is met here. The walk comes to a campaign twice at most.
    fn arrive(&mut self, mut stop: Stop) -> Stop {
        self.met.begin(&stop.beginning.campaign, stop.along, stop.work.take());
        stop
    }

    /// Keeps further work of a campaign.
    fn pass(&mut self, Stop { beginning: Beginning { priority, campaign, due_at }, work, .. }: Stop) {
        if work.is_none() && due_at > self.open.now {
            self.met.end(priority, &campaign);
        } else {
            self.met.add(priority, &campaign, work);
        }
    }

    /// From there on, the first campaign of this priority that has due work and may have it.
    fn open_from(&mut self, mut at: Option<Stop>) -> Option<String> {
        while let Some(Stop { beginning: Beginning { priority, campaign, .. }, is_open, .. }) = at {
            if is_open {
                return Some(campaign);
            }
            at = match self.open.shares.only() {
                None => self.behind(priority, &campaign),
                Some(only) if campaign.as_str() < only => self.go(Way::To(priority, only)),
                Some(_) => None,
            };
        }
        None
    }
}

impl Open<'_, '_> {
    /// Of this work, what may be handed out, by priority and campaign, the oldest first.
    fn apart(&mut self, mut due: Vec<Work>) -> BTreeMap<(i16, String), Vec<Work>> {
        let mut together: BTreeMap<_, Vec<Work>> = BTreeMap::new();
        // In the order of their ids, in which campaigns are looked up at the least cost.
        due.sort_by(|a, b| (&a.campaign, a.due_at, a.step).cmp(&(&b.campaign, b.due_at, b.step)));
        for mut work in due {
            let share = self.share(&work.campaign);
            if share.left() > 0 {
                work.limit = limit_of(share);
                together.entry((work.priority, work.campaign.clone())).or_default().push(work);
            }
        }
        together
    }

    fn share(&mut self, campaign: &str) -> Share {
        self.shares.of(self.place, campaign)
    }

    /// How much of the campaign may be handed out at this priority: what it had at others counts.
    fn left(&self, share: Share, priority: i16, campaign: &str) -> usize {
        let Share::Limited(part) = share else {
            return share.left();
        };
        let others = self.read.iter().filter(|(level, _)| *level != priority);
        part.left().saturating_sub(others.filter_map(|(_, read)| read.get(campaign)).sum())
    }

    /// So much of a campaign with a limit was read at this priority.
    fn has_read(&mut self, priority: i16, campaign: &str, count: usize) {
        let known = self.read.iter().position(|(level, _)| *level == priority);
        let at = known.unwrap_or_else(|| {
            self.read.push((priority, BTreeMap::new()));
            self.read.len() - 1
        });
        self.read[at].1.insert(campaign.to_owned(), count);
    }

    fn is_open(&mut self, Beginning { priority, campaign, due_at }: &Beginning) -> bool {
        *due_at <= self.now && {
            let share = self.share(campaign);
            self.left(share, *priority, campaign) > 0
        }
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
        let mut at = self.go(below.map_or(Way::First, |below| Way::Below(below as i16)));
        while let Some(stop) = at {
            let priority = stop.beginning.priority;
            if let Some(campaign) = self.open_from(Some(stop)) {
                return Some((i32::from(priority), campaign));
            }
            at = self.go(Way::Below(priority));
        }
        None
    }

    fn next_campaign(&mut self, priority: i32, after: Option<&str>) -> Option<String> {
        let priority = priority as i16;
        // No campaign has an empty id.
        let after = after.unwrap_or_default();
        if let Some(together) = &self.together {
            let behind = (Bound::Excluded((priority, after.to_owned())), Bound::Unbounded);
            let (level, campaign) = together.range(behind).next()?.0;
            return (*level == priority).then(|| campaign.clone());
        }
        let at = self.behind(priority, after);
        self.open_from(at)
    }

    fn oldest(&mut self, priority: i32, campaign: &str, most: usize) -> (Vec<Work>, bool) {
        let priority = priority as i16;
        let share = self.open.share(campaign);
        let most = most.min(self.open.left(share, priority, campaign));
        let (limit, now, mut work) = (limit_of(share), self.open.now, Vec::new());
        if let Some(together) = &self.together {
            let all = together.get(&(priority, campaign.to_owned()));
            work.extend(all.into_iter().flatten().take(most).cloned());
        } else if most > 0 {
            let met = self.met.take(priority, campaign);
            let is_enough = met.as_ref().is_some_and(|met| met.is_all || met.work.len() >= most);
            // The reading may still stand at the last piece that is kept.
            let on = met.as_ref().filter(|met| !met.is_cut).map(|met| met.along);
            let on = on.filter(|along| self.walk.stands(*along, priority, campaign));
            work.extend(met.into_iter().flat_map(|met| met.work).take(most));
            // Told by its place: another index may have equally old work in another order.
            let mut known: Vec<row::Place> = work.iter().map(|work| work.at).collect();
            let more = |beginning: Beginning, row: &mut row::Row| {
                if beginning.due_at > now {
                    return false;
                }
                let next = Work::read(beginning, row);
                match known.iter().position(|at| *at == next.at) {
                    Some(at) => _ = known.swap_remove(at),
                    None => work.push(next),
                }
                work.len() < most
            };
            match on {
                _ if is_enough => {}
                Some(along) => self.walk.rest(along, more),
                None => self.walk.of_campaign(priority, campaign, more),
            }
            work.iter_mut().for_each(|work| work.limit = limit);
        }
        if limit.is_some() {
            self.open.has_read(priority, campaign, work.len());
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
