//! Turns: which of the work that is due goes first through an account that several campaigns share.
//!
//! Of one account and action, work of higher priority goes first. Among work of one priority the campaigns take
//! turns in the order of their ids, each with its oldest work first; after the last id comes the first again. What
//! is remembered is the campaign that was handed out last, for each priority at which at least two campaigns had
//! due work. So a campaign waits for one hand-out of each other campaign at most, over calls as within one.
//!
//! Reading is lazy: a campaign with ten thousand pieces of due work costs no more than one with a few.

use std::collections::{BTreeMap, VecDeque};

/// The due work of one account and action, wherever it lies. Campaigns that may not be handed out now are not in
/// it.
pub trait Queues {
    /// A piece of work.
    type Work;

    /// The highest priority below this one (none: the highest of all) at which work is due, and the first campaign
    /// that has some.
    fn next_level(&mut self, below: Option<i32>) -> Option<(i32, String)>;

    /// The first campaign after this one (none: the first of all), in the order of ids byte by byte, that has due
    /// work of this priority.
    fn next_campaign(&mut self, priority: i32, after: Option<&str>) -> Option<String>;

    /// A campaign's due work of this priority, the oldest first: at most `most`, and no more than the campaign may
    /// have. Also whether that is all of it.
    fn oldest(&mut self, priority: i32, campaign: &str, most: usize) -> (Vec<Self::Work>, bool);
}

/// Whose turn it is on an account, for one action: by priority, the campaign that was handed out last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(BTreeMap<i32, String>);

impl Turns {
    /// As it was remembered.
    pub fn of(last: impl IntoIterator<Item = (i32, String)>) -> Turns {
        Turns(last.into_iter().collect())
    }

    /// By priority, the campaign that was handed out last.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &str)> {
        self.0.iter().map(|(priority, campaign)| (*priority, campaign.as_str()))
    }

    /// Whether nothing is remembered, as where no two campaigns share a priority.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A campaign's work was handed out.
    pub fn handed_out(&mut self, priority: i32, campaign: &str) {
        match self.0.get_mut(&priority) {
            Some(last) if last == campaign => {}
            Some(last) => campaign.clone_into(last),
            None => drop(self.0.insert(priority, campaign.to_owned())),
        }
    }

    /// Forgets the priorities at which no two campaigns have due work: of those that were looked at, every one
    /// down to `lowest` that is not to be kept.
    pub fn forget(&mut self, lowest: i32, is_kept: impl Fn(i32) -> bool) {
        self.0.retain(|priority, _| *priority < lowest || is_kept(*priority));
    }
}

/// A piece of work with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<W> {
    /// Its priority.
    pub priority: i32,
    /// Its campaign.
    pub campaign: String,
    /// The work.
    pub work: W,
}

/// What goes first.
pub struct InTurn<W> {
    /// The work, in its order.
    pub order: Order<W>,
    /// The lowest priority that was looked at; none where no work is due.
    pub lowest: Option<i32>,
    /// The priorities at which at least two campaigns have due work, of those that were looked at; and those where a
    /// turn is remembered and another campaign may have work, if its part is not handed out above.
    pub shared: Vec<i32>,
    /// The priorities at which a turn is remembered and one campaign alone has due work, of those that were looked at. As
    /// long as it is not handed out it waits for that turn, also where others come meanwhile.
    pub alone: Vec<i32>,
}

/// Reads as much of the due work as it takes to hand out `most` pieces in their order.
pub fn in_turn<Q: Queues>(queues: &mut Q, turns: &Turns, most: usize) -> InTurn<Q::Work> {
    let mut picked = InTurn {
        order: Order { levels: Vec::new(), is_open: false, held_back: false },
        lowest: None,
        shared: Vec::new(),
        alone: Vec::new(),
    };
    let (mut wanted, mut is_limited) = (most, false);
    while wanted > 0 {
        let Some((priority, first)) = queues.next_level(picked.lowest) else {
            break;
        };
        picked.lowest = Some(priority);
        let ring = ring(queues, priority, &first, turns.0.get(&priority), wanted);
        // Of one campaign that is not the first one the first shares with it. Else the next one is looked for.
        let is_alone = ring.len() == 1 && ring[0] == first;
        let is_shared = !is_alone || wanted == 1 && queues.next_campaign(priority, Some(&first)).is_some();
        // A campaign whose part was read above has no more work here, but it has if that is held back.
        let is_remembered = turns.0.contains_key(&priority);
        if is_shared || is_limited && is_remembered {
            picked.shared.push(priority);
        } else if is_remembered {
            picked.alone.push(priority);
        }
        let is_cut = ring.len() == wanted && is_shared;
        let lines = read(queues, priority, ring, wanted);
        wanted = wanted.saturating_sub(lines.iter().map(|line| line.work.len()).sum());
        is_limited |= lines.iter().any(|line| !line.is_all && !line.is_cut);
        picked.order.levels.push(Level { priority, lines, at: 0, is_cut });
    }
    picked
}

/// Work in the order in which it is handed out. What is held back takes no turn: the campaign's next work does. The
/// order ends where it would depend on work that was not read.
#[derive(Clone, Debug)]
pub struct Order<W> {
    levels: Vec<Level<W>>,
    /// Whether the last piece is not handed out, and whether any was held back so far.
    is_open: bool,
    held_back: bool,
}

/// The work of a priority.
#[derive(Clone, Debug)]
struct Level<W> {
    priority: i32,
    /// The campaigns in the order of their turns.
    lines: Vec<Line<W>>,
    /// Whose turn it is.
    at: usize,
    /// Whether there may be campaigns behind these.
    is_cut: bool,
}

/// A campaign's work as far as it was read, the oldest first.
#[derive(Clone, Debug)]
struct Line<W> {
    campaign: String,
    work: VecDeque<W>,
    /// Whether that is all.
    is_all: bool,
    /// Whether there may be more than was asked for; else there is none, or the campaign may not have it.
    is_cut: bool,
}

impl<W> Order<W> {
    /// The next piece: of the same campaign as the last one, until that is handed out.
    pub fn next_due(&mut self) -> Option<Due<W>> {
        self.held_back |= std::mem::take(&mut self.is_open);
        loop {
            let level = self.levels.first_mut()?;
            if level.at == level.lines.len() {
                if level.is_cut {
                    return None;
                }
                level.at = 0;
                if level.lines.is_empty() {
                    self.levels.remove(0);
                    continue;
                }
            }
            let line = &mut level.lines[level.at];
            if let Some(work) = line.work.pop_front() {
                let (priority, campaign) = (level.priority, line.campaign.clone());
                self.is_open = true;
                return Some(Due { priority, campaign, work });
            }
            // Once it has had all that it may have, it is the others' turn. If anything was held back, it may have
            // more than was read.
            let is_done = line.is_all || !line.is_cut && !self.held_back;
            if !is_done {
                return None;
            }
            level.lines.remove(level.at);
        }
    }

    /// The last piece was handed out: it is the next campaign's turn.
    pub fn handed_out(&mut self) {
        self.is_open = false;
        if let Some(level) = self.levels.first_mut() {
            level.at += 1;
        }
    }

    /// All pieces in a list, in the order in which they go if each of them is handed out, and the order of their
    /// places in that list, counted from `first`.
    pub fn listed(self, first: usize) -> (Vec<Due<W>>, Order<usize>) {
        let (mut list, mut levels) = (Vec::new(), Vec::new());
        for Level { priority, mut lines, at, is_cut } in self.levels {
            let mut places: Vec<VecDeque<usize>> = lines.iter().map(|_| VecDeque::new()).collect();
            let mut before = usize::MAX;
            while before != list.len() {
                before = list.len();
                for (line, places) in lines.iter_mut().zip(&mut places) {
                    if let Some(work) = line.work.pop_front() {
                        places.push_back(first + list.len());
                        list.push(Due { priority, campaign: line.campaign.clone(), work });
                    }
                }
            }
            let lines = lines.into_iter().zip(places);
            let placed = |(line, work): (Line<W>, _)| Line {
                campaign: line.campaign,
                work,
                is_all: line.is_all,
                is_cut: line.is_cut,
            };
            levels.push(Level { priority, lines: lines.map(placed).collect(), at, is_cut });
        }
        (list, Order { levels, is_open: false, held_back: false })
    }
}

/// At most `most` campaigns in the order of their turns; `first` is the one with the smallest id.
fn ring<Q: Queues>(
    queues: &mut Q,
    priority: i32,
    first: &str,
    last: Option<&String>,
    most: usize,
) -> Vec<String> {
    let mut ring: Vec<String> = Vec::new();
    // Those behind the last one, and then from the first on up to the last one.
    let last = last.filter(|last| last.as_str() >= first);
    if let Some(last) = last {
        let mut after = last;
        while ring.len() < most
            && let Some(next) = queues.next_campaign(priority, Some(after))
        {
            ring.push(next);
            after = &ring[ring.len() - 1];
        }
    }
    let mut next = Some(first.to_owned());
    while ring.len() < most
        && let Some(campaign) = next.filter(|campaign| last.is_none_or(|last| campaign <= last))
    {
        // Behind the last one begins what is in the ring already.
        let goes_on = ring.len() + 1 < most && Some(&campaign) != last;
        next = if goes_on { queues.next_campaign(priority, Some(&campaign)) } else { None };
        ring.push(campaign);
    }
    ring
}

/// Each campaign's oldest work: as much of each as it takes to have `wanted` pieces when they take turns.
fn read<Q: Queues>(queues: &mut Q, priority: i32, ring: Vec<String>, wanted: usize) -> Vec<Line<Q::Work>> {
    let mut share = wanted.div_ceil(ring.len());
    let mut lines: Vec<Line<Q::Work>> =
        ring.into_iter().map(|campaign| Line::read(queues, priority, campaign, share)).collect();
    // Some have less than their share, so the others may have more than that.
    while lines.iter().map(|line| line.work.len()).sum::<usize>() < wanted
        && lines.iter().any(|line| line.is_cut)
    {
        share = share.saturating_mul(2).min(wanted);
        for line in lines.iter_mut().filter(|line| line.is_cut) {
            *line = Line::read(queues, priority, std::mem::take(&mut line.campaign), share);
        }
    }
    lines
}

impl<W> Line<W> {
    fn read<Q: Queues<Work = W>>(queues: &mut Q, priority: i32, campaign: String, most: usize) -> Line<W> {
        let (work, is_all) = queues.oldest(priority, &campaign, most);
        Line { campaign, is_cut: !is_all && work.len() == most, work: work.into(), is_all }
    }
}
