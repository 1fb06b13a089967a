//! Due work that a walk met on its way from campaign to campaign, so that it need not be looked up afterwards.

use crate::verbs::dispatch::walk::{Along, Work};
use std::collections::BTreeMap;

/// Due work of a campaign and priority, from the oldest on.
pub(super) struct Met {
    /// The priority.
    pub priority: i16,
    /// The pieces, in their order.
    pub work: Vec<Work>,
    /// Along which reading it was met.
    pub along: Along,
    /// Whether due work behind it was met that is not in it.
    pub is_cut: bool,
    /// Whether it is all of it.
    pub is_all: bool,
}

/// The work that was met, by campaign: the first piece of each, and further ones while there is room.
pub(super) struct AllMet {
    campaigns: BTreeMap<String, Met>,
    pieces: usize,
    room: usize,
}

impl AllMet {
    /// Nothing yet, and nothing is kept before there is room.
    pub fn new() -> AllMet {
        AllMet { campaigns: BTreeMap::new(), pieces: 0, room: 0 }
    }

    /// Keeps first pieces, and further ones as long as there are fewer than this.
    pub fn make_room(&mut self, pieces: usize) {
        self.room = pieces;
    }

    /// Whether anything is kept.
    pub fn keeps(&self) -> bool {
        self.room > 0
    }

    /// Whether further pieces are kept.
    pub fn has_room(&self) -> bool {
        self.pieces < self.room
    }

    /// The work of a campaign at this priority that was met.
    pub fn of(&mut self, priority: i16, campaign: &str) -> Option<&mut Met> {
        self.campaigns.get_mut(campaign).filter(|met| met.priority == priority)
    }

    /// The walk has come to the first piece of a campaign, along that reading; none where it may not be handed out. What
    /// the walk met of the campaign before is read again.
    pub fn begin(&mut self, campaign: &str, along: Along, first: Option<Work>) {
        let before = match first {
            Some(work) => {
                self.pieces += 1;
                let met =
                    Met { priority: work.priority, work: vec![work], along, is_cut: false, is_all: false };
                self.campaigns.insert(campaign.to_owned(), met)
            }
            None if self.campaigns.is_empty() => None,
            None => self.campaigns.remove(campaign),
        };
        self.pieces -= before.map_or(0, |met| met.work.len());
    }

    /// The walk has come to a further piece of it that may be handed out.
    pub fn add(&mut self, priority: i16, campaign: &str, further: Option<Work>) {
        let Some(met) = self.of(priority, campaign) else { return };
        match further {
            Some(work) if !met.is_cut => {
                met.work.push(work);
                self.pieces += 1;
            }
            _ => met.is_cut = true,
        }
    }

    /// No other work of it is due.
    pub fn end(&mut self, priority: i16, campaign: &str) {
        if let Some(met) = self.of(priority, campaign) {
            met.is_all = !met.is_cut;
        }
    }

    /// Takes the work of a campaign at this priority that was met: it is kept no longer.
    pub fn take(&mut self, priority: i16, campaign: &str) -> Option<Met> {
        self.of(priority, campaign)?;
        let met = self.campaigns.remove(campaign)?;
        self.pieces -= met.work.len();
        Some(met)
    }
}
