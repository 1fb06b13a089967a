//! Turns between campaigns: any work, in any order of arrival, handed out by calls of any size. Beside the rule as
//! it is, rules that are wrong in one place; the properties have to find each.

mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sendgate_decision::turns::{Due, InTurn, Order, Queues, Turns, in_turn};
use std::collections::{BTreeMap, BTreeSet};
use world::{Work, World};

/// What is asked for: new work, and calls that hand out.
#[derive(Clone, Debug)]
enum Step {
    /// Work of a campaign at a priority becomes due.
    Add(i32, u8, u8),
    /// A campaign may have so much more.
    Limit(u8, usize),
    /// A call for so many. Work whose bit is set (by its age) is held back by a rule about its prospect: it is put
    /// off when it is met.
    Call(usize, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop_oneof![4 => Just(0), 1 => -2..3i32];
    let add = (priority, 0..6u8, 1..5u8).prop_map(|(p, c, n)| Step::Add(p, c, n));
    let call = (prop_oneof![5 => 1..4usize, 1 => 4..40usize], prop_oneof![3 => Just(0), 1 => any::<u32>()])
        .prop_map(|(most, held_back)| Step::Call(most, held_back));
    let limit = (0..6u8, 0..6usize).prop_map(|(campaign, left)| Step::Limit(campaign, left));
    vec(prop_oneof![6 => add, 6 => call, 1 => limit], 1..60)
}

/// How a rule remembers whose turn is next.
type Note = fn(&mut Turns, &Met, &[Due<Work>]);

/// The priorities that were looked at.
struct Met {
    lowest: Option<i32>,
    shared: Vec<i32>,
    alone: Vec<i32>,
}

/// The rule as the properties ask it.
#[derive(Clone, Copy)]
struct Rules {
    pick: fn(&mut World, &Turns, usize) -> InTurn<Work>,
    handed_out: fn(&mut Order<Work>),
    note: Note,
}

fn note(turns: &mut Turns, met: &Met, handed: &[Due<Work>]) {
    note_handed(turns, met, handed);
    let waits = |level| handed.iter().all(|due| due.priority != level);
    let is_kept = |level| met.shared.contains(&level) || met.alone.contains(&level) && waits(level);
    if let Some(lowest) = met.lowest {
        turns.forget(lowest, is_kept);
    }
}

fn note_handed(turns: &mut Turns, met: &Met, handed: &[Due<Work>]) {
    for due in handed.iter().filter(|due| met.shared.contains(&due.priority)) {
        turns.handed_out(due.priority, &due.campaign);
    }
}

const REAL: Rules = Rules { pick: in_turn, handed_out: Order::handed_out, note };

fn is_held_back(mask: u32, work: Work) -> bool {
    mask & (1 << (work % 32)) != 0
}

/// The history so far.
#[derive(Default)]
struct Play {
    world: World,
    turns: Turns,
    age: Work,
    /// How often a campaign was handed out while another one waited: by priority, who waited and who went.
    passed: BTreeMap<(i32, String, String), usize>,
}

fn play(rules: Rules, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut play = Play::default();
    for step in steps {
        match step {
            Step::Add(priority, campaign, count) => {
                let line = play.world.due.entry((*priority, format!("k{campaign}"))).or_default();
                for _ in 0..*count {
                    play.age += 1;
                    line.insert(play.age);
                }
            }
            Step::Limit(campaign, left) => drop(play.world.left.insert(format!("k{campaign}"), *left)),
            Step::Call(most, mask) => play.call(rules, *most, *mask)?,
        }
    }
    Ok(())
}

impl Play {
    /// A call, as dispatch goes about it: it reads further ahead while it meets work that is held back.
    fn call(&mut self, rules: Rules, most: usize, mask: u32) -> Result<(), TestCaseError> {
        let mut may_go: BTreeMap<&str, usize> = BTreeMap::new();
        for ((_, campaign), line) in &self.world.due {
            let count = line.iter().filter(|work| !is_held_back(mask, **work)).count();
            *may_go.entry(campaign).or_default() += count;
        }
        let left = |campaign| self.world.left.get(campaign).copied().unwrap_or(usize::MAX);
        let may_go: usize = may_go.iter().map(|(campaign, count)| left(*campaign).min(*count)).sum();
        self.passed = std::mem::take(&mut self.passed)
            .into_iter()
            .filter(|((level, who, _), _)| self.waiting(*level, mask).contains(who))
            .collect();
        let (mut handed, mut ahead) = (0, 1);
        while handed < most {
            let before = self.world.clone();
            let wanted = (most - handed) * ahead;
            (self.world.probes, self.world.read) = (0, 0);
            self.world.given.clear();
            let picked = (rules.pick)(&mut self.world, &self.turns, wanted);
            let levels = before.due.keys().map(|(level, _)| level).collect::<BTreeSet<_>>().len();
            prop_assert!(self.world.read <= 4 * wanted, "{} were read for {wanted}", self.world.read);
            prop_assert!(self.world.probes <= 2 * levels + 3 * wanted + 4, "{} probes", self.world.probes);
            let (gone, met) = self.take(rules, picked, (most - handed, mask), &before)?;
            handed += gone;
            if met == gone {
                break;
            }
            ahead *= 4;
        }
        prop_assert_eq!(handed, may_go.min(most), "a call takes what there is");
        Ok(())
    }

    /// Takes the picked work in its order; how much was handed out, and how much was met.
    fn take(
        &mut self,
        rules: Rules,
        picked: InTurn<Work>,
        (most, mask): (usize, u32),
        before: &World,
    ) -> Result<(usize, usize), TestCaseError> {
        let InTurn { mut order, lowest, shared, alone } = picked;
        let (mut handed, mut met) = (Vec::new(), 0);
        while handed.len() < most
            && let Some(due) = order.next_due()
        {
            met += 1;
            self.is_in_order(&due)?;
            if !is_held_back(mask, due.work) {
                self.waits_no_longer(&due, mask)?;
                (rules.handed_out)(&mut order);
                if let Some(left) = self.world.left.get_mut(&due.campaign) {
                    prop_assert!(*left > 0, "{} has had its part", due.campaign);
                    *left -= 1;
                }
                handed.push(due);
            }
        }
        let remembered = self.turns.clone();
        (rules.note)(&mut self.turns, &Met { lowest, shared, alone }, &handed);
        // Whose part is read above may be among those that share a priority, or not.
        let is_shared = |level: i32| {
            let of_level = before.due.keys().filter(|(of, _)| *of == level);
            of_level.filter(|(_, who)| before.may_have(who)).count() > 1
                || before.due.keys().any(|(of, who)| *of > level && before.left.contains_key(who))
        };
        for (level, last) in self.turns.iter() {
            let is_new = remembered.iter().all(|known| known != (level, last));
            prop_assert!(!is_new || is_shared(level), "{level} is shared by none");
            // What no two share any more is forgotten when it is handed out, or when there is none, so that a row does not
            // grow for ever.
            let is_met = lowest.is_some_and(|lowest| level >= lowest);
            let waits = handed.iter().all(|due| due.priority != level)
                && before.due.keys().any(|(of, who)| *of == level && before.may_have(who));
            prop_assert!(!is_met || is_shared(level) || waits, "{level} is remembered");
        }
        Ok((handed.len(), met))
    }

    /// It is the highest priority and the oldest of its campaign; it is due no more.
    fn is_in_order(&mut self, due: &Due<Work>) -> Result<(), TestCaseError> {
        let may_have = self.world.due.keys().filter(|(_, who)| self.world.may_have(who));
        let top = may_have.map(|(level, _)| *level).max();
        prop_assert_eq!(Some(due.priority), top, "the highest priority goes first");
        let key = (due.priority, due.campaign.clone());
        let line = self.world.due.entry(key.clone()).or_default();
        prop_assert_eq!(line.first(), Some(&due.work), "the oldest of the campaign goes first");
        line.remove(&due.work);
        if line.is_empty() {
            self.world.due.remove(&key);
        }
        Ok(())
    }

    /// The campaigns of a priority with work that may go.
    fn waiting(&self, priority: i32, mask: u32) -> BTreeSet<String> {
        let may_go = |line: &BTreeSet<Work>| line.iter().any(|work| !is_held_back(mask, *work));
        let of_level =
            self.world.due.iter().filter(|((level, who), _)| *level == priority && self.world.may_have(who));
        of_level.filter(|(_, line)| may_go(line)).map(|((_, who), _)| who.clone()).collect()
    }

    /// No campaign with work that may go is passed twice by another one.
    fn waits_no_longer(&mut self, due: &Due<Work>, mask: u32) -> Result<(), TestCaseError> {
        let mut waiting = self.waiting(due.priority, mask);
        waiting.remove(&due.campaign);
        self.passed.retain(|(level, who, _), _| *level != due.priority || waiting.contains(who));
        for who in waiting {
            let times = self.passed.entry((due.priority, who.clone(), due.campaign.clone())).or_default();
            *times += 1;
            prop_assert!(*times < 2, "{who} waits longer than a round for {}", due.campaign);
        }
        Ok(())
    }
}

/// All the work of a history, and no call yet.
fn all_added(steps: &[Step]) -> World {
    let mut world = World::default();
    for step in steps {
        if let Step::Add(priority, campaign, count) = step {
            let line = world.due.entry((*priority, format!("k{campaign}"))).or_default();
            let age = line.len() as u32;
            line.extend(age..age + u32::from(*count));
        }
    }
    world
}

/// The pieces in their order, if each of them is handed out.
fn all_of(mut order: Order<Work>) -> Vec<Due<Work>> {
    let mut all = Vec::new();
    while let Some(due) = order.next_due() {
        order.handed_out();
        all.push(due);
    }
    all
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_due_campaign_of_the_highest_priority_waits_longer_than_one_round(steps in steps()) {
        play(REAL, &steps)?;
    }

    #[test]
    fn calls_of_one_hand_out_in_the_order_of_one_large_call(steps in steps(), most in 1..60usize) {
        let mut world = all_added(&steps);
        let mut together = all_of(in_turn(&mut world, &Turns::default(), most).order);
        together.truncate(most);
        let mut turns = Turns::default();
        let mut one_by_one = Vec::new();
        for _ in 0..most {
            let InTurn { mut order, lowest, shared, alone } = in_turn(&mut world, &turns, 1);
            let Some(due) = order.next_due() else { break };
            let key = (due.priority, due.campaign.clone());
            world.due.get_mut(&key).unwrap().remove(&due.work);
            if world.due[&key].is_empty() {
                world.due.remove(&key);
            }
            note(&mut turns, &Met { lowest, shared, alone }, std::slice::from_ref(&due));
            one_by_one.push(due);
        }
        prop_assert_eq!(together, one_by_one);
    }

    #[test]
    fn the_list_is_the_order_of_work_that_is_all_handed_out(steps in steps(), most in 1..60usize) {
        let mut world = all_added(&steps);
        let picked = in_turn(&mut world, &Turns::default(), most).order;
        let in_order = all_of(picked.clone());
        let (list, mut places) = picked.listed(100);
        prop_assert_eq!(&list[..in_order.len()], &in_order[..]);
        for (place, due) in in_order.iter().enumerate() {
            let next = places.next_due().unwrap();
            prop_assert_eq!((next.work, next.priority, &next.campaign), (100 + place, due.priority, &due.campaign));
            places.handed_out();
        }
        prop_assert_eq!(places.next_due(), None);
    }
}

/// A campaign with a limit, whose only part is held back above, is passed once below and not twice.
#[test]
fn a_part_that_is_held_back_above_keeps_the_turn_below() {
    // k0 and k3 share priority -2, where k0 has its turn. Then k3 has work above; it may have one piece in all.
    let below = [Step::Limit(3, 1), Step::Add(-2, 0, 3), Step::Add(-2, 3, 1), Step::Call(1, 0)];
    let above = [Step::Add(0, 3, 1), Step::Call(2, 1 << 5)];
    play(REAL, &[&below[..], &above[..]].concat()).unwrap();
}

/// A campaign that waits alone while work of higher priority goes first is passed once by another that comes, not twice.
#[test]
fn who_waits_alone_keeps_the_turn() {
    let shared = [Step::Add(0, 0, 1), Step::Add(0, 3, 2), Step::Call(1, 0)];
    // The first of k0's pieces is held back, so the call reads further ahead than it hands out, and meets k3.
    let above = [Step::Add(1, 0, 3), Step::Call(2, 1 << 4)];
    let comes = [Step::Add(0, 0, 1), Step::Call(1, 0)];
    let steps = [&shared[..], &above[..], &comes[..]].concat();
    play(REAL, &steps).unwrap();
    let forgets: Note = |turns, Met { lowest, shared, .. }, handed| {
        note(turns, &Met { lowest: *lowest, shared: shared.clone(), alone: vec![] }, handed);
    };
    play(Rules { note: forgets, ..REAL }, &steps).unwrap_err();
}

/// Ten thousand pieces of one campaign are not read to find the one of another.
#[test]
fn a_large_campaign_delays_a_small_one_by_one_turn() {
    let mut world = World::default();
    world.due.insert((0, "large".into()), (0..10_000).collect());
    world.due.insert((0, "small".into()), [10_000].into());
    let picked = all_of(in_turn(&mut world, &Turns::default(), 2).order);
    assert_eq!(picked.iter().map(|due| due.campaign.as_str()).collect::<Vec<_>>(), ["large", "small"]);
    assert!(world.read <= 4 && world.probes <= 8);
    // And the rest of a large call is the large one's.
    let picked = all_of(in_turn(&mut world, &Turns::of([(0, "large".into())]), 1_000).order);
    assert!(picked.len() >= 1_000, "{}", picked.len());
    assert_eq!(picked[0].campaign, "small");
    assert!(world.read < 3_000, "{}", world.read);
}

fn is_found(rules: Rules) {
    let config = Config { cases: 20_000, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let found = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| play(rules, &steps));
    println!("{}", found.expect_err("the properties hold in every history"));
}

macro_rules! mutants {
    ($($name:ident: $rules:expr;)+) => { $(#[test] fn $name() { is_found($rules); })+ };
}

/// The same work, with priorities and campaigns as `place` has them.
fn misplaced(world: &World, place: fn(i32, &str) -> (i32, String)) -> World {
    let mut other = World::default();
    for ((priority, campaign), line) in &world.due {
        other.due.entry(place(*priority, campaign)).or_default().extend(line);
    }
    other
}

mutants! {
    nothing_is_remembered: Rules { note: |_, _, _| {}, ..REAL };
    all_campaigns_are_one: Rules { pick: |world, turns, most| {
        in_turn(&mut misplaced(world, |priority, _| (priority, "k0".into())), turns, most)
    }, ..REAL };
    priorities_are_ignored: Rules { pick: |world, turns, most| {
        in_turn(&mut misplaced(world, |_, campaign| (0, campaign.into())), turns, most)
    }, ..REAL };
    the_campaign_that_was_served_goes_on: Rules { pick: |world, turns, most| {
        let again = turns.iter().map(|(level, last)| (level, last[..last.len() - 1].to_owned()));
        in_turn(world, &Turns::of(again.collect::<Vec<_>>()), most)
    }, ..REAL };
    a_campaign_is_emptied_before_the_next: Rules { handed_out: |_| {}, ..REAL };
    all_priorities_share_one_turn: Rules { note: |turns, met, handed| {
        note(turns, met, handed);
        if let Some(last) = handed.last() {
            *turns = Turns::of(turns.iter().map(|(level, _)| (level, last.campaign.clone())).collect::<Vec<_>>());
        }
    }, ..REAL };
    a_turn_is_forgotten_with_work_of_higher_priority: Rules { note: |turns, met, handed| {
        note(turns, met, handed);
        *turns = Turns::of(turns.iter().filter(|(level, _)| Some(*level) >= met.lowest)
            .map(|(level, last)| (level, last.to_owned())).collect::<Vec<_>>());
    }, ..REAL };
    the_first_of_a_call_is_remembered: Rules { note: |turns, met, handed| {
        note(turns, met, &handed[..handed.len().min(1)]);
    }, ..REAL };
    a_campaign_alone_is_remembered: Rules { note: |turns, met, handed| {
        note(turns, met, handed);
        handed.iter().for_each(|due| turns.handed_out(due.priority, &due.campaign));
    }, ..REAL };
    nothing_is_forgotten: Rules { note: note_handed, ..REAL };
    a_call_takes_half: Rules { pick: |world, turns, most| in_turn(world, turns, most.div_ceil(2)), ..REAL };
    all_work_is_read: Rules { pick: |world, turns, most| {
        for ((level, campaign), _) in world.due.clone() {
            world.oldest(level, &campaign, usize::MAX);
        }
        in_turn(world, turns, most)
    }, ..REAL };
}
