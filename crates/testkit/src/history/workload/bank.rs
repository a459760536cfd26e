//! Ten accounts with money, which is moved and never made. Each has a counter beside
//! it that is moved by [`Session::increment`](wasm_storage_engine::Session::increment):
//! additions that no read guards, together with writes that some do.

use wasm_storage_engine::{OpError, Order};

use super::Worker;
use crate::history::record::{Key, Outcome};
use crate::history::recorder::End;
use crate::history::session::Recorded;

const ACCOUNTS: Key = 10;
const BALANCE: i64 = 1_000;
/// The counter of account 0.
const COUNTERS: Key = 1_000;
/// Transfers of a thread between two audits.
const BETWEEN_AUDITS: usize = 16;

/// Opens the accounts.
pub(super) fn open(worker: &mut Worker<'_>) {
    worker.log.invoke(worker.store, |session| {
        for account in 0..ACCOUNTS {
            session.put(account, BALANCE)?;
        }
        Ok(End::Commit)
    });
}

/// One transfer, and at times an audit.
pub(super) fn step(worker: &mut Worker<'_>) {
    let random = &mut worker.random;
    let mut account = |accounts: usize| Key::try_from(random.below(accounts)).unwrap();
    let from = account(10);
    let to = (from + 1 + account(9)) % ACCOUNTS;
    let amount = i64::from(account(5)) + 1;
    let audit = random.below(BETWEEN_AUDITS) == 0;
    // Counters alone, or not at all: such transfers do not conflict with each other.
    let (money, counters) = [(true, true), (true, false), (false, true)][random.below(3)];
    worker.log.invoke(worker.store, |session| {
        if counters {
            session.increment(COUNTERS + from, -amount)?;
            session.increment(COUNTERS + to, amount)?;
        }
        if !money {
            return Ok(End::Commit);
        }
        let balances = [session.get(from)?, session.get(to)?];
        session.put(from, balances[0].unwrap_or(0) - amount)?;
        session.put(to, balances[1].unwrap_or(0) + amount)?;
        Ok(End::Commit)
    });
    if audit {
        self::audit(worker);
    }
}

/// Reads all accounts in one of three ways, and adds up. Scans are few: see `mixed`.
pub(super) fn audit(worker: &mut Worker<'_>) {
    let way = worker.random.below(12);
    let (mut sum, mut counted) = (0, 0);
    let mut add_up = |session: &mut Recorded| -> Result<(), OpError> {
        (sum, counted) = (0, 0);
        for account in 0..ACCOUNTS {
            counted += session.counter(COUNTERS + account)?;
        }
        if way == 0 || way == 11 {
            for (_, balance) in session.scan(0, ACCOUNTS, Order::Forward, usize::MAX)? {
                sum += balance;
            }
        } else {
            for account in 0..ACCOUNTS {
                sum += session.get(account)?.unwrap_or(0);
            }
        }
        Ok(())
    };
    let outcome = if way < 6 {
        worker.audits.read(worker.store, add_up)
    } else {
        worker.audits.invoke(worker.store, |session| {
            add_up(session)?;
            Ok(End::Commit)
        })
    };
    let right = BALANCE * i64::from(ACCOUNTS);
    if outcome == Outcome::Committed && (sum, counted) != (right, 0) {
        let serial = worker
            .audits
            .records
            .last()
            .map_or(0, |record| record.serial);
        worker.rule_broken.push(format!(
            "T{serial} saw a sum of {sum}, not {right}; of the counters {counted}, not 0"
        ));
    }
}
