//! Due work in memory, which counts what is read of it.

use sendgate_decision::turns::Queues;
use std::collections::{BTreeMap, BTreeSet};

/// A piece of work: how old it is, the smallest the oldest.
pub type Work = u32;

/// Due work by priority and campaign, and the rows read of it.
#[derive(Clone, Default)]
pub struct World {
    pub due: BTreeMap<(i32, String), BTreeSet<Work>>,
    /// What campaigns with a limit may still have, and the rows read of theirs at each priority.
    pub left: BTreeMap<String, usize>,
    pub given: BTreeMap<(String, i32), usize>,
    pub probes: usize,
    pub read: usize,
}

impl World {
    /// How much of a campaign may be handed out at this priority.
    pub fn left(&self, priority: i32, campaign: &str) -> usize {
        let given = self.given.iter().filter(|((of, level), _)| of == campaign && *level != priority);
        let left = self.left.get(campaign).copied().unwrap_or(usize::MAX);
        left.saturating_sub(given.map(|(_, count)| count).sum())
    }

    /// Whether a campaign may have more.
    pub fn may_have(&self, campaign: &str) -> bool {
        self.left.get(campaign).is_none_or(|left| *left > 0)
    }
}

impl Queues for World {
    type Work = Work;

    fn next_level(&mut self, below: Option<i32>) -> Option<(i32, String)> {
        self.probes += 1;
        let levels: BTreeSet<i32> = self.due.keys().map(|(level, _)| *level).collect();
        let mut below = levels.into_iter().rev().filter(|level| below.is_none_or(|below| *level < below));
        below.find_map(|level| Some((level, self.next_campaign(level, None)?)))
    }

    fn next_campaign(&mut self, priority: i32, after: Option<&str>) -> Option<String> {
        self.probes += 1;
        let of_level = self.due.keys().filter(|(level, _)| *level == priority).map(|(_, campaign)| campaign);
        let behind = of_level.filter(|campaign| after.is_none_or(|after| campaign.as_str() > after));
        behind.filter(|campaign| self.left(priority, campaign) > 0).min().cloned()
    }

    fn oldest(&mut self, priority: i32, campaign: &str, most: usize) -> (Vec<Work>, bool) {
        let key = (priority, campaign.to_owned());
        let most = most.min(self.left(priority, campaign));
        let work: Vec<Work> = self.due.get(&key).into_iter().flatten().take(most).copied().collect();
        self.read += work.len();
        self.given.insert((campaign.to_owned(), priority), work.len());
        let is_all = work.len() < most;
        (work, is_all)
    }
}
