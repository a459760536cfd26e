//! What writers do to entries that they share, and what must be there: a counter, a
//! sum, accounts, minted keys and a board of rows.
//!
//! Invariant: which [`Effect`] a commit has is a function of seed, writer and number.
//! So what all writers together must have left follows from their numbers alone, read
//! in the same session: an effect that is missing, doubled or half there is seen.
//!
//! | effect | how it meets others |
//! |---|---|
//! | count | reads and writes one key: others lose and run again |
//! | add | blind: any number of them in one group |
//! | transfer | two of eight accounts, read and written; the sum stays 0 |
//! | mint | an entry under a new key; the writer's last one goes |
//! | append | scans the rows, writes one behind the last, drops the first |

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use wasm_storage_engine::layout::{self, minted_key};
use wasm_storage_engine::{
    Error, KeyRange, Kind, NamespaceId, OpError, Order, PageHint, Session, Store,
};

const TOTAL: &[u8] = b"total";
const SUM: &[u8] = b"sum";
const ACCOUNTS: u64 = 8;
/// Rows that stay on the board.
const ROWS: usize = 48;

/// The namespaces that are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Namespaces {
    /// What each writer has for itself.
    pub(crate) writers: NamespaceId,
    totals: NamespaceId,
    minted: NamespaceId,
    board: NamespaceId,
}

impl Namespaces {
    /// Makes what is missing.
    pub(crate) fn make(store: &Store) -> Result<Self, Error> {
        Self::with(store, true)
    }

    /// `None`: a kill came before they were all made.
    pub(crate) fn find(store: &Store) -> Result<Option<Self>, Error> {
        match Self::with(store, false) {
            Err(missing) if missing.kind() == Kind::NoSuchNamespace => Ok(None),
            found => found.map(Some),
        }
    }

    fn with(store: &Store, create: bool) -> Result<Self, Error> {
        Ok(Namespaces {
            writers: store.default_namespace()?,
            totals: store.namespace("totals", create)?,
            minted: store.namespace("minted", create)?,
            board: store.namespace("board", create)?,
        })
    }
}

/// What a commit does to shared entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Count,
    Add(i64),
    Transfer { from: u64, to: u64, amount: i64 },
    Mint,
    Append,
}

impl Effect {
    /// One of them.
    pub(crate) fn random(mut random: fastrand::Rng) -> Self {
        match random.u8(..100) {
            0..40 => Effect::Nothing,
            40..47 => Effect::Count,
            47..69 => Effect::Add(random.i64(-1_000..=1_000)),
            69..78 => {
                let from = random.u64(..ACCOUNTS);
                Effect::Transfer {
                    from,
                    to: (from + random.u64(1..ACCOUNTS)) % ACCOUNTS,
                    amount: random.i64(1..=100),
                }
            }
            78..92 => Effect::Mint,
            _ => Effect::Append,
        }
    }

    /// Does it, as commit `number` of `writer`.
    pub(crate) fn act(
        self,
        session: &mut Session,
        namespaces: Namespaces,
        writer: u64,
        number: u64,
    ) -> Result<(), OpError> {
        let totals = namespaces.totals;
        match self {
            Effect::Nothing => Ok(()),
            Effect::Count => {
                let total = super::work::number(session, totals, TOTAL)? + 1;
                session.put(totals, TOTAL, &total.to_le_bytes())
            }
            Effect::Add(delta) => session.increment(totals, SUM, delta),
            Effect::Transfer { from, to, amount } => {
                for (account, change) in [(from, -amount), (to, amount)] {
                    let key = account_key(account);
                    let mut bytes = Vec::new();
                    session.get(totals, &key, |value| bytes = value.to_vec())?;
                    let [balance, moves] = pair(&bytes).ok_or_else(|| broken(&key))?;
                    let balance = signed(balance) + change;
                    let value = joined(balance.to_le_bytes(), (moves + 1).to_le_bytes());
                    session.put(totals, &key, &value)?;
                }
                Ok(())
            }
            Effect::Mint => mint(session, namespaces, writer, number),
            Effect::Append => append(session, namespaces.board, writer, number),
        }
    }
}

fn mint(
    session: &mut Session,
    namespaces: Namespaces,
    writer: u64,
    number: u64,
) -> Result<(), OpError> {
    let own = own_key(writer);
    let mut bytes = Vec::new();
    session.get(namespaces.totals, &own, |value| bytes = value.to_vec())?;
    let [last, _] = pair(&bytes).ok_or_else(|| broken(&own))?;
    let minted = session.mint(namespaces.minted)?;
    if minted <= signed(last) {
        let text = format!("minted {minted} after {last}, which is committed");
        return Err(Error::new(Kind::Corrupt, text).into());
    }
    if last > 0 {
        session.delete(namespaces.minted, &minted_key(signed(last)))?;
    }
    let value = joined(writer.to_le_bytes(), number.to_le_bytes());
    session.put(namespaces.minted, &minted_key(minted), &value)?;
    let value = joined(minted.to_le_bytes(), number.to_le_bytes());
    session.put(namespaces.totals, &own, &value)
}

fn append(
    session: &mut Session,
    board: NamespaceId,
    writer: u64,
    number: u64,
) -> Result<(), OpError> {
    let rows: Vec<Vec<u8>> = entries(session, board)?.into_keys().collect();
    let next = match rows.last() {
        None => 0,
        Some(last) => row(last).ok_or_else(|| broken(last))? + 1,
    };
    for old in rows.iter().take((rows.len() + 1).saturating_sub(ROWS)) {
        session.delete(board, old)?;
    }
    let value = joined(writer.to_le_bytes(), number.to_le_bytes());
    session.put(board, &next.to_be_bytes(), &value)
}

/// Something among the shared entries that the writers' numbers do not explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It happened so much too often; negative: too seldom.
    Count { what: &'static str, off: i128 },
    /// Some of it is there, some not.
    Part { what: &'static str, text: String },
}

impl Wrong {
    /// What it is about.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Wrong::Count { what, .. } | Wrong::Part { what, .. } => what,
        }
    }
}

/// The shared entries of a store.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    totals: BTreeMap<Vec<u8>, Vec<u8>>,
    minted: BTreeMap<Vec<u8>, Vec<u8>>,
    board: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Entries {
    pub(crate) fn read(session: &mut Session, namespaces: Namespaces) -> Result<Self, OpError> {
        Ok(Entries {
            totals: entries(session, namespaces.totals)?,
            minted: entries(session, namespaces.minted)?,
            board: entries(session, namespaces.board)?,
        })
    }

    fn total(&self, key: &[u8]) -> &[u8] {
        self.totals.get(key).map_or(&[], Vec::as_slice)
    }

    fn pair(&self, key: &[u8]) -> Option<[u64; 2]> {
        pair(self.total(key))
    }
}

/// What the writers' commits have left together.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    counted: u64,
    sum: i64,
    /// Balance, and transfers that touched it.
    accounts: BTreeMap<u64, (i64, u64)>,
    /// Each writer's last commit that minted.
    minted: BTreeMap<u64, u64>,
    /// Each writer's commits that appended, ascending.
    appended: BTreeMap<u64, Vec<u64>>,
}

impl Expected {
    /// Another commit happened.
    pub(crate) fn happened(&mut self, effect: Effect, writer: u64, number: u64) {
        match effect {
            Effect::Nothing => {}
            Effect::Count => self.counted += 1,
            Effect::Add(delta) => self.sum += delta,
            Effect::Transfer { from, to, amount } => {
                for (account, change) in [(from, -amount), (to, amount)] {
                    let (balance, moves) = self.accounts.entry(account).or_default();
                    *balance += change;
                    *moves += 1;
                }
            }
            Effect::Mint => {
                self.minted.insert(writer, number);
            }
            Effect::Append => self.appended.entry(writer).or_default().push(number),
        }
    }

    /// What is not as it must be.
    pub(crate) fn compare(&self, found: &Entries) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        self.compare_totals(found, &mut wrong);
        self.compare_minted(found, &mut wrong);
        self.compare_board(found, &mut wrong);
        wrong
    }

    fn compare_totals(&self, found: &Entries, wrong: &mut Vec<Wrong>) {
        let part = |what, text| Wrong::Part { what, text };
        let total = found.total(TOTAL);
        match (total.try_into().map(u64::from_le_bytes), total) {
            (Ok(total), _) => count(wrong, "the counter", total, self.counted),
            (_, []) => count(wrong, "the counter", 0, self.counted),
            _ => wrong.push(part("the counter", "holds no number".into())),
        }
        let sum = found.totals.get(SUM).map(Vec::as_slice);
        match layout::add(sum, 0, SUM) {
            Ok(sum) if sum == self.sum => {}
            Ok(sum) => wrong.push(part("the sum", format!("{sum}, not {}", self.sum))),
            Err(error) => wrong.push(part("the sum", error.to_string())),
        }
        let (mut all, mut expected) = (0, 0);
        let mut balances = 0;
        let mut off = Vec::new();
        for account in 0..ACCOUNTS {
            let (balance, moves) = self.accounts.get(&account).copied().unwrap_or_default();
            let Some([there, moved]) = found.pair(&account_key(account)) else {
                off.push(format!("account {account} holds no balance"));
                continue;
            };
            balances += signed(there);
            all += moved;
            expected += moves;
            if moved == moves && signed(there) != balance {
                off.push(format!(
                    "account {account} has {}, not {balance}",
                    signed(there)
                ));
            }
        }
        if balances != 0 {
            off.push(format!("all accounts together have {balances}, not 0"));
        }
        // Each is counted in two of them.
        count(wrong, "transfers", all.div_ceil(2), expected / 2);
        if !off.is_empty() {
            wrong.push(part("the accounts", off.join(", ")));
        }
    }

    fn compare_minted(&self, found: &Entries, wrong: &mut Vec<Wrong>) {
        let mut off = Vec::new();
        for (&writer, &number) in &self.minted {
            let Some([minted, of]) = found.pair(&own_key(writer)) else {
                off.push(format!("what writer {writer} minted last is not known"));
                continue;
            };
            let entry = found.minted.get(minted_key(signed(minted)).as_slice());
            let entry = entry.and_then(|value| pair(value));
            if of != number || entry != Some([writer, number]) {
                off.push(format!(
                    "writer {writer} minted {minted} in its commit {of}, not {number}; there: {entry:?}"
                ));
            }
        }
        if found.minted.len() != self.minted.len() {
            off.push(format!(
                "{} entries for {} writers",
                found.minted.len(),
                self.minted.len()
            ));
        }
        if !off.is_empty() {
            wrong.push(Wrong::Part {
                what: "minted keys",
                text: off.join(", "),
            });
        }
    }

    fn compare_board(&self, found: &Entries, wrong: &mut Vec<Wrong>) {
        let all: u64 = self.appended.values().map(|of| wide(of.len())).sum();
        let last = found.board.keys().next_back();
        let there = last.and_then(|last| row(last)).map_or(0, |last| last + 1);
        count(wrong, "rows", there, all);
        let kept = wide(found.board.len());
        let mut off = Vec::new();
        if kept != there.min(wide(ROWS)) {
            off.push(format!("{kept} rows, the last is {there}"));
        }
        for (expected, key) in (there.saturating_sub(kept)..).zip(found.board.keys()) {
            if row(key) != Some(expected) {
                off.push(format!("{} where row {expected} belongs", shown(key)));
                break;
            }
        }
        let mut rows: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for value in found.board.values() {
            match pair(value) {
                Some([writer, number]) => rows.entry(writer).or_default().push(number),
                None => off.push("a row that is none".into()),
            }
        }
        for (writer, rows) in rows {
            let appended = self.appended.get(&writer).map_or(&[][..], Vec::as_slice);
            if !appended.ends_with(&rows) {
                let known = appended.len().saturating_sub(rows.len());
                let last = appended.get(known..).unwrap_or_default();
                off.push(format!("writer {writer} has rows {rows:?}, not {last:?}"));
            }
        }
        if !off.is_empty() {
            wrong.push(Wrong::Part {
                what: "the board",
                text: off.join(", "),
            });
        }
    }
}

fn count(wrong: &mut Vec<Wrong>, what: &'static str, there: u64, expected: u64) {
    let off = i128::from(there) - i128::from(expected);
    if off != 0 {
        wrong.push(Wrong::Count { what, off });
    }
}

/// A length as the entries have numbers.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn account_key(account: u64) -> Vec<u8> {
    format!("account/{account}").into_bytes()
}

/// Where a writer keeps the number that it minted last, and in which commit.
fn own_key(writer: u64) -> Vec<u8> {
    format!("minted/{writer:04}").into_bytes()
}

fn row(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// Two numbers; none at all are zeros.
fn pair(bytes: &[u8]) -> Option<[u64; 2]> {
    if bytes.is_empty() {
        return Some([0, 0]);
    }
    let (one, two) = bytes.split_first_chunk::<8>()?;
    Some([
        u64::from_le_bytes(*one),
        u64::from_le_bytes(two.try_into().ok()?),
    ])
}

fn joined(one: [u8; 8], two: [u8; 8]) -> Vec<u8> {
    [one, two].concat()
}

fn signed(number: u64) -> i64 {
    i64::from_le_bytes(number.to_le_bytes())
}

fn shown(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

fn broken(key: &[u8]) -> OpError {
    let text = format!("{} is not what this program writes", shown(key));
    OpError::Failed(Error::new(Kind::Corrupt, text))
}

/// All entries of a namespace.
fn entries(session: &mut Session, ns: NamespaceId) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, OpError> {
    let mut entries = BTreeMap::new();
    session.scan(
        ns,
        &KeyRange::ALL,
        Order::Forward,
        PageHint::default(),
        &mut |key, value| {
            entries.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        },
    )?;
    Ok(entries)
}
