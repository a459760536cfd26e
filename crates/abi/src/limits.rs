//! Every limit, with its unit. Each is checked before anything is buffered and
//! tested at its value and one beyond. `docs/limits.md` lists where.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Longest key, in bytes, as the guest passes it.
pub const KEY_BYTES: usize = 4 * KIB;
/// Longest value, in bytes, header included.
pub const VALUE_BYTES: usize = 16 * MIB;
/// Longest namespace name, in bytes of UTF-8. The shortest is 1.
pub const NAMESPACE_NAME_BYTES: usize = 256;
/// Longest name of an `Item`, `Map`, `Counter`, in bytes of UTF-8. The shortest is 1.
pub const COLLECTION_NAME_BYTES: usize = 64;
/// Largest write set of an invocation, in bytes: keys, values, what undoing
/// to a savepoint needs, and [`WRITE_OVERHEAD_BYTES`] for each.
pub const WRITE_SET_BYTES: usize = 64 * MIB;
/// What an entry of the write set counts beside its key and value, in bytes.
pub const WRITE_OVERHEAD_BYTES: usize = 64;
/// Most keys that a call's conflict check knows one by one. Beyond, the namespace
/// that was read most counts as read whole.
pub const READ_POINTS: usize = 100_000;
/// Most bytes of the ends of scanned ranges in a call's conflict check. Beyond, the
/// namespace that was scanned most counts as read whole.
pub const READ_RANGE_BYTES: usize = 4 * MIB;
/// Most commits that are made durable together.
pub const GROUP_COMMITS: usize = 256;
/// Most bytes that are made durable together; one larger commit goes alone.
pub const GROUP_BYTES: usize = 8 * MIB;
/// Commits that the conflict check remembers. A call that began before the oldest
/// conflicts.
pub const RECENT_COMMITS: usize = 65_536;
/// Most memory of the commits that the conflict check remembers, in bytes.
pub const RECENT_BYTES: usize = 64 * MIB;
/// How long a call that has lost three times may keep others from writing what it
/// touches, in milliseconds.
pub const RESERVATION_MS: u64 = 1_000;
/// Largest page of a scan, in bytes. A single larger entry still comes, alone.
pub const PAGE_BYTES: usize = MIB;
/// Most operations in one `exec`.
pub const BATCH_OPERATIONS: usize = 10_000;
/// Largest reply of one `exec` and largest parked result, in bytes.
pub const PARKED_BYTES: usize = 64 * MIB;
/// Largest input of an invocation, in bytes.
pub const INPUT_BYTES: usize = 64 * MIB;
/// Largest result of an invocation, in bytes.
pub const RESULT_BYTES: usize = 64 * MIB;
/// Most namespace handles of an invocation, the default one not counted.
pub const NAMESPACE_HANDLES: usize = 256;
/// Most savepoints open at a time.
pub const SAVEPOINTS: usize = 64;
/// Longest error text, in bytes; longer ones are cut.
pub const ERROR_TEXT_BYTES: usize = 4 * KIB;
/// Largest memory of a guest, in bytes (a host may grant another).
pub const GUEST_MEMORY_BYTES: usize = 256 * MIB;
/// Time an invocation may take, all attempts together, in milliseconds (a host may grant another).
pub const DEADLINE_MS: u64 = 10_000;
/// Largest minted key; the smallest is 1. 2^53 - 1, so that JSON and JavaScript keep it exact.
pub const MINTED_KEY_MAX: i64 = (1 << 53) - 1;
