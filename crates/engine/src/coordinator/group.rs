//! One group: decide who is in, apply it, make it visible, tell everybody.
//!
//! The order is the promise: durable → visible → acknowledged. Nothing of a group is
//! visible to anyone until the engine has it by the store's word, and nobody hears
//! of it before it is visible. Serial order: the number of the group, then the
//! position in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::record;

use super::hooks::{Defect, Moment};
use super::queue::{Group, Member, Poison};
use super::recent::GroupRecord;
use super::{Published, Shared};
use crate::backend::{CommitId, NamespaceId, Outcome, OwnedKey, Why, Write};
use crate::error::{Error, show_key};
use crate::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use crate::layout::{self, CatalogEntry, Openings, SystemRecord};

/// What a group will write, each key once, the last writer's value.
#[derive(Debug, Default)]
struct Pending<'m> {
    writes: BTreeMap<&'m OwnedKey, Folded<'m>>,
    /// The same keys by their hashes, for the members after the first.
    points: HashMap<u64, &'m OwnedKey>,
    /// The group has one member.
    alone: bool,
    /// Namespaces that this group drops.
    dropped: Vec<NamespaceId>,
}

/// A write as the engine gets it; `None` deletes.
#[derive(Debug)]
struct Folded<'m> {
    hash: u64,
    value: Option<Cow<'m, [u8]>>,
}

/// What a leader has decided about its group.
struct Decided<'m> {
    pending: Pending<'m>,
    accepted: Vec<&'m Arc<Member>>,
    /// They lost to a member that is not visible yet, and must not run again before.
    losers: Vec<(&'m Arc<Member>, Outcome)>,
}

/// Leads one group, and hands on.
pub(super) fn lead<K: OrderedKv>(shared: &Shared<K>) {
    let most_bytes = limits::GROUP_BYTES.min(shared.kv.capabilities().max_batch_bytes);
    let group = shared.queue.collect(most_bytes);
    let mut leader = Leader {
        shared,
        group: &group,
        trying: None,
        settled: Vec::with_capacity(group.members.len()),
        ended: false,
    };
    shared.hooks.at(Moment::Collected);
    if !group.members.is_empty() {
        leader.serve(&group.members);
        shared.recent_mut().prune(group.keep);
    }
    leader.end();
}

struct Leader<'g, K: OrderedKv> {
    shared: &'g Shared<K>,
    group: &'g Group,
    /// The commit that is under way, and who is in it.
    trying: Option<(Poison, Vec<&'g Arc<Member>>)>,
    /// Outcomes to be told once somebody else leads.
    settled: Vec<(&'g Arc<Member>, Outcome)>,
    ended: bool,
}

impl<'g, K: OrderedKv> Leader<'g, K> {
    /// Commits what can be committed of `members`.
    fn serve(&mut self, members: &'g [Arc<Member>]) {
        let shared = self.shared;
        let published = shared.published();
        let number = published.group + 1;
        let id = CommitId::of_group(shared.opening, number);
        let Decided {
            pending,
            accepted,
            losers,
        } = self.decide(members, &published);
        drop(published);
        shared.hooks.at(Moment::Decided);
        if accepted.is_empty() {
            self.settled.extend(losers);
            return;
        }
        self.trying = Some((Poison::Unknown(id), accepted));
        let applied = self.apply(number, &pending);
        let accepted = self.trying.take().map(|(_, accepted)| accepted);
        let accepted = accepted.unwrap_or_default();
        match applied {
            Ok(()) => {}
            Err(ApplyError::Rejected(error)) => {
                match members {
                    [member] => self.settled.push((member, Outcome::Rejected(error))),
                    // One of them may be all that is wrong.
                    _ => self.serve_one_by_one(accepted, losers),
                }
                return;
            }
            Err(ApplyError::Unknown(error)) => {
                self.unknown(id, accepted, losers, &error);
                return;
            }
        }
        // Committed, whatever happens now.
        for member in accepted {
            let outcome = Outcome::Committed(Some(id));
            if shared.has(Defect::ToldBeforePublished) {
                self.tell(member, outcome);
            } else {
                self.settled.push((member, outcome));
            }
        }
        self.trying = Some((Poison::Unseen(id), Vec::new()));
        shared.hooks.at(Moment::Applied);
        match shared.kv.snapshot() {
            Ok(snapshot) => {
                shared.hooks.at(Moment::Snapshot);
                if !pending.dropped.is_empty() {
                    shared.dropped_mut().extend(&pending.dropped);
                }
                let record = pending.into_record(number);
                let next = Published {
                    group: number,
                    snapshot,
                };
                // A transaction that moves on to this group is tested against it.
                if shared.has(Defect::RecordAfterPublished) {
                    shared.publish(next);
                    shared.hooks.at(Moment::Published);
                    shared.recent_mut().push(record);
                } else {
                    shared.recent_mut().push(record);
                    shared.hooks.at(Moment::Recorded);
                    shared.publish(next);
                    shared.hooks.at(Moment::Published);
                }
            }
            // It could not show what it holds.
            Err(_) => shared.queue.poison_with(Poison::Unseen(id)),
        }
        self.trying = None;
        self.settled.extend(losers);
    }

    /// Each that passed the tests or lost within the group as a group of its own.
    fn serve_one_by_one(
        &mut self,
        accepted: Vec<&'g Arc<Member>>,
        losers: Vec<(&'g Arc<Member>, Outcome)>,
    ) {
        let losers = losers.into_iter().map(|(member, _)| member);
        for member in accepted.into_iter().chain(losers) {
            match self.shared.queue.poison() {
                None => self.serve(std::slice::from_ref(member)),
                Some(poison) => self
                    .settled
                    .push((member, Outcome::Rejected(poison.error()))),
            }
        }
    }

    fn unknown(
        &mut self,
        id: CommitId,
        accepted: Vec<&'g Arc<Member>>,
        losers: Vec<(&'g Arc<Member>, Outcome)>,
        error: &Error,
    ) {
        let poison = Poison::Unknown(id);
        self.shared.queue.poison_with(poison);
        for member in accepted {
            let error = Error::new(error.kind(), error.to_string());
            self.settled.push((member, Outcome::Unknown(id, error)));
        }
        for (member, _) in losers {
            self.settled
                .push((member, Outcome::Rejected(poison.error())));
        }
    }

    /// Tests the members in their order, each against what is published and what the
    /// group will write so far, and folds the writes of those that pass.
    ///
    /// Who lost to what is published is told here: it can run again at once.
    fn decide(
        &mut self,
        members: &'g [Arc<Member>],
        published: &Published<K::Snapshot>,
    ) -> Decided<'g> {
        let shared = self.shared;
        let mut decided = Decided {
            pending: Pending {
                alone: members.len() == 1,
                ..Pending::default()
            },
            accepted: Vec::with_capacity(members.len()),
            losers: Vec::new(),
        };
        for member in members {
            if let Err(why) = shared.test(&member.reads, member.tested, published.group) {
                self.tell(member, Outcome::Conflict(why));
                continue;
            }
            if shared.dropped().iter().any(|ns| member.uses(*ns)) {
                let text = "a namespace of this call has been dropped since it began";
                let error = Error::new(Kind::NoSuchNamespace, text);
                self.tell(member, Outcome::Rejected(error));
                continue;
            }
            // Here an expiry that has passed since it was read will be a conflict, and a
            // quota that is used up a rejection.
            let verdict = match decided.pending.conflict(member) {
                _ if decided.pending.drops_for(member) => Err(Outcome::Conflict(dropping())),
                Some(key) if !shared.has(Defect::NoTestInsideGroup) => {
                    Err(Outcome::Conflict(beaten(key)))
                }
                _ => decided.pending.fold(member, &published.snapshot),
            };
            match verdict {
                Ok(()) => decided.accepted.push(member),
                Err(outcome) if shared.has(Defect::LosersWokenAtOnce) => {
                    self.tell(member, outcome);
                }
                Err(outcome) => decided.losers.push((member, outcome)),
            }
        }
        decided
    }

    /// Hands the group to the engine, with the store's own records.
    fn apply(&self, number: u64, pending: &Pending<'_>) -> Result<(), ApplyError> {
        let shared = self.shared;
        let record = SystemRecord {
            group: number,
            id_high_water: shared.minted.load(Ordering::Relaxed),
            clock_ms: shared.clock.now().0,
        }
        .encode();
        let announced = shared.first_group.load(Ordering::Relaxed) != 0;
        let openings = (!announced).then(|| {
            let openings = shared.openings.and(shared.opening, number);
            (Openings::key(), openings.encode())
        });

        let mut batch: Vec<(&[u8], Option<&[u8]>)> = Vec::with_capacity(pending.writes.len() + 2);
        let writes = pending.writes.iter();
        batch.extend(writes.map(|(key, write)| (key.physical(), write.value.as_deref())));
        let mut insert = |key, value| {
            let at = batch.partition_point(|(other, _)| *other < key);
            batch.insert(at, (key, Some(value)));
        };
        insert(&SystemRecord::PHYSICAL_KEY, record.as_slice());
        if let Some((key, openings)) = &openings {
            insert(key.physical(), openings);
        }
        shared
            .kv
            .apply(&Batch::from_sorted(batch), shared.durability)?;
        if !announced {
            shared.first_group.store(number, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Somebody else leads; then everybody is told.
    fn end(mut self) {
        self.ended = true;
        self.shared.queue.hand_on();
        for (member, outcome) in std::mem::take(&mut self.settled) {
            self.tell(member, outcome);
        }
    }

    fn tell(&self, member: &Member, outcome: Outcome) {
        member.waiter.settle(outcome);
        self.shared.hooks.at(Moment::Told);
    }
}

/// A leader that panics, in the engine or in here, takes nobody with it.
impl<K: OrderedKv> Drop for Leader<'_, K> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // If the engine was not asked, nothing can have happened; but a defect in here
        // is no reason to go on either.
        let next = || CommitId::of_group(self.shared.opening, self.shared.published().group + 1);
        let (poison, accepted) = self
            .trying
            .take()
            .unwrap_or_else(|| (Poison::Unknown(next()), Vec::new()));
        self.shared.queue.poison_with(poison);
        for (member, outcome) in std::mem::take(&mut self.settled) {
            member.waiter.settle(outcome);
        }
        if let Poison::Unknown(id) = poison {
            for member in accepted {
                let text = "the thread that committed it has panicked";
                let error = Error::new(Kind::Internal, text);
                member.waiter.settle(Outcome::Unknown(id, error));
            }
        }
        // Who is settled already is not asked again.
        for member in &self.group.members {
            member.waiter.settle(Outcome::Rejected(poison.error()));
        }
    }
}

impl<'m> Pending<'m> {
    /// Whether this group drops a namespace that the member uses.
    fn drops_for(&self, member: &Member) -> bool {
        self.dropped.iter().any(|ns| member.uses(*ns))
    }

    /// What of this group the member has read, if anything.
    fn conflict(&self, member: &Member) -> Option<&'m OwnedKey> {
        if self.writes.is_empty() {
            return None;
        }
        // The fewer are looked up among the more: everybody in the group waits here.
        let read: usize = member.reads.points().map(<[u64]>::len).sum();
        let point = if read <= self.points.len() {
            let mut points = member.reads.points().flatten();
            points.find_map(|point| self.points.get(point))
        } else {
            let has = |hash| member.reads.has_point(hash);
            let mut written = self.points.iter();
            written.find_map(|(hash, key)| has(*hash).then_some(key))
        };
        if let Some(key) = point {
            return Some(key);
        }
        if member.reads.ranges().count() > self.writes.len() {
            let mut written = self.writes.keys();
            return written.find(|key| member.reads.covers(key)).copied();
        }
        member.reads.ranges().find_map(|(lo, hi)| {
            let mut keys = self.writes.range::<OwnedKey, _>((lo.as_ref(), hi.as_ref()));
            keys.next().map(|(key, _)| *key)
        })
    }

    /// What later commits are tested against.
    fn into_record(self, group: u64) -> GroupRecord {
        let (points, keys) = self
            .writes
            .into_iter()
            .map(|(key, write)| (write.hash, key.clone()))
            .unzip();
        GroupRecord::new(group, points, keys)
    }

    /// Adds a member's writes, all or none.
    fn fold(&mut self, member: &'m Member, snapshot: &impl Snapshot) -> Result<(), Outcome> {
        // Each key is there once, so the sums do not depend on each other.
        let mut sums = Vec::new();
        for (key, write) in &member.writes {
            if let Write::Add(delta) = write {
                sums.push(self.sum(key, *delta, snapshot)?);
            }
        }
        let mut sums = sums.into_iter();
        for ((key, write), &hash) in member.writes.iter().zip(&member.hashes) {
            let value = match write {
                Write::Put(value) => Some(Cow::Borrowed(&**value)),
                Write::Delete => None,
                Write::Add(_) => sums.next().map(|sum| Cow::Owned(sum.into_vec())),
            };
            let entry = value
                .as_deref()
                .and_then(|value| CatalogEntry::written(key, value));
            if let Some(entry) = entry.filter(|entry| entry.dropped) {
                self.dropped.push(entry.id);
            }
            self.writes.insert(key, Folded { hash, value });
            if !self.alone {
                self.points.insert(hash, key);
            }
        }
        Ok(())
    }

    /// The stored value of a blind addition.
    fn sum(
        &self,
        key: &OwnedKey,
        delta: i64,
        snapshot: &impl Snapshot,
    ) -> Result<Box<[u8]>, Outcome> {
        let add = |stored: Option<&[u8]>| {
            let entry = stored.map(layout::guest_value).transpose()?;
            let sum = layout::add(entry, delta, key.key().bytes)?;
            Ok(layout::physical_value(&record::i64_entry(sum)))
        };
        let sum = match self.writes.get(key) {
            Some(pending) => add(pending.value.as_deref()),
            None => {
                let mut sum = None;
                match snapshot.get(key.physical(), &mut |stored| sum = Some(add(Some(stored)))) {
                    Ok(_) => sum.unwrap_or_else(|| add(None)),
                    Err(error) => return Err(Outcome::Rejected(error)),
                }
            }
        };
        sum.map_err(|error: Error| match error.kind() {
            Kind::TypeMismatch | Kind::Overflow => Outcome::Conflict(Why::Unmergeable(error)),
            _ => Outcome::Rejected(error),
        })
    }
}

/// Says that a namespace is going; the next attempt finds it gone.
fn dropping() -> Why {
    let text = "a namespace of this call is dropped by a commit of the same moment";
    Why::Beaten(Error::new(Kind::Conflict, text))
}

/// Says that another transaction was faster, and where.
pub(super) fn beaten(key: &OwnedKey) -> Why {
    let key = show_key(key.key().bytes);
    let message = format!("another call has written key {key}, which this one had read");
    Why::Beaten(Error::new(Kind::Conflict, message))
}
