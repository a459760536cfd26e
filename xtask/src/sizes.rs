//! `cargo xtask sizes`: what the guest crate may add to a module.
//!
//! The limits are a promise to users: a scalar, an `Item<u32>` or a `Counter` costs at most 1 KiB
//! and links no allocator, with the texts that the plain functions end a call with 4 KiB; what
//! allocates is counted above a module that already does. Each row is
//! a small guest of its own (`guests/sizes-*`), built in release with its names kept (profile
//! `sizes`), and counted without them.

use crate::error::{Error, Result};
use crate::guests::Guests;
use crate::module::Module;
use crate::workspace::Workspace;
use std::collections::BTreeMap;

const KIB: usize = 1024;

/// The guest that allocates and does nothing else.
const BASE: &str = "sizes-base";

/// One promise.
struct Row {
    what: &'static str,
    guest: &'static str,
    limit: usize,
    counts: Counts,
}

/// What a row's limit is about.
#[derive(Clone, Copy, PartialEq)]
enum Counts {
    /// The whole module, which must not allocate.
    WholeWithoutAllocator,
    /// What the module has more than [`BASE`].
    AboveBase,
}
use Counts::{AboveBase, WholeWithoutAllocator};

const ROWS: [Row; 6] = [
    Row {
        what: "Item<u32>",
        guest: "sizes-item",
        limit: KIB,
        counts: WholeWithoutAllocator,
    },
    Row {
        what: "scalars",
        guest: "sizes-scalars",
        limit: KIB,
        counts: WholeWithoutAllocator,
    },
    Row {
        what: "Counter",
        guest: "sizes-counter",
        limit: KIB,
        counts: WholeWithoutAllocator,
    },
    Row {
        what: "scalars with texts",
        guest: "sizes-plain",
        limit: 4 * KIB,
        counts: WholeWithoutAllocator,
    },
    Row {
        what: "postcard struct",
        guest: "sizes-record",
        limit: 6 * KIB,
        counts: AboveBase,
    },
    Row {
        what: "Map, scan, update",
        guest: "sizes-map",
        limit: 10 * KIB,
        counts: AboveBase,
    },
];

/// Builds the guests, prints the table; a row over its limit is an error.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let modules = modules(&Guests::of(workspace)?)?;
    let base = get(&modules, BASE)?.shipped;
    println!("{:<20} {:>7} {:>7}  ok", "what", "bytes", "limit");
    let mut broken = Vec::new();
    for row in &ROWS {
        let module = get(&modules, row.guest)?;
        let (bytes, faults) = row.judge(module, base);
        let verdict = if faults.is_empty() { "yes" } else { "NO" };
        let above = if row.counts == AboveBase {
            " (above the base)"
        } else {
            ""
        };
        println!(
            "{:<20} {bytes:>7} {:>7}  {verdict}{above}",
            row.what, row.limit
        );
        if !faults.is_empty() {
            for (size, name) in module.largest() {
                println!("    {size:>7} in {name}");
            }
        }
        broken.extend(faults);
    }
    println!("{:<20} {base:>7}", "base: allocates");
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::new(broken.join("\n")).remedy(
        "see which functions are new; the modules with their names are in \
         target/guests-build-*/wasm32-unknown-unknown/sizes",
    ))
}

impl Row {
    /// The bytes that count, and how the module breaks the row's promise.
    fn judge(&self, module: &Module, base: usize) -> (usize, Vec<String>) {
        let mut faults = Vec::new();
        let bytes = match self.counts {
            WholeWithoutAllocator => module.shipped,
            AboveBase => module.shipped.saturating_sub(base),
        };
        if bytes > self.limit {
            faults.push(format!(
                "{} ({}): {bytes} bytes, the limit is {}",
                self.what, self.guest, self.limit
            ));
        }
        if self.counts == WholeWithoutAllocator && !module.allocator.is_empty() {
            let signs = module.allocator.join(", ");
            faults.push(format!(
                "{} ({}) links an allocator: {signs}",
                self.what, self.guest
            ));
        }
        (bytes, faults)
    }
}

/// Builds every guest that a row needs and reads its module.
fn modules(guests: &Guests<'_>) -> Result<BTreeMap<&'static str, Module>> {
    let wanted = || std::iter::once(BASE).chain(ROWS.iter().map(|row| row.guest));
    let missing: Vec<&str> = wanted()
        .filter(|guest| !guests.names().any(|name| name == *guest))
        .collect();
    if !missing.is_empty() {
        return Err(Error::new(format!(
            "guests/ lacks what sizes measures: {}",
            missing.join(", ")
        ))
        .remedy("write these guests; a promise without a measurement is not kept"));
    }
    let built = guests.artifacts("sizes", |name| wanted().any(|guest| guest == name))?;
    let read = wanted().filter_map(|guest| {
        let named = built
            .iter()
            .filter(|artifact| artifact.name == guest.replace('-', "_"));
        let module = named.filter_map(|artifact| artifact.file("wasm")).next()?;
        Some(Module::read(module).map(|module| (guest, module)))
    });
    read.collect()
}

fn get<'a>(modules: &'a BTreeMap<&str, Module>, guest: &str) -> Result<&'a Module> {
    modules.get(guest).ok_or_else(|| {
        Error::new(format!("guests/{guest} gave no module"))
            .remedy("its Cargo.toml needs: [lib] crate-type = [\"cdylib\"]")
    })
}

#[cfg(test)]
mod tests {
    use super::{AboveBase, KIB, Row, WholeWithoutAllocator};
    use crate::module::Module;

    fn faults(counts: super::Counts, shipped: usize, allocator: &[&str]) -> Vec<String> {
        let row = Row {
            what: "Item<u32>",
            guest: "sizes-item",
            limit: KIB,
            counts,
        };
        let allocator = allocator.iter().map(ToString::to_string).collect();
        row.judge(
            &Module {
                shipped,
                allocator,
                ..Module::default()
            },
            2 * KIB,
        )
        .1
    }

    #[test]
    fn the_limit_holds_at_its_last_byte() {
        assert_eq!(faults(WholeWithoutAllocator, KIB, &[]), [""; 0]);
        assert_eq!(
            faults(WholeWithoutAllocator, KIB + 1, &[]),
            ["Item<u32> (sizes-item): 1025 bytes, the limit is 1024"]
        );
    }

    #[test]
    fn an_allocator_breaks_a_small_row_only() {
        assert_eq!(
            faults(WholeWithoutAllocator, 1, &["dlmalloc"]),
            ["Item<u32> (sizes-item) links an allocator: dlmalloc"]
        );
        assert_eq!(faults(AboveBase, 1, &["dlmalloc"]), [""; 0]);
    }

    #[test]
    fn above_the_base_counts_the_difference() {
        assert_eq!(faults(AboveBase, 3 * KIB, &[]), [""; 0]);
        assert_eq!(faults(AboveBase, 3 * KIB + 1, &[]).len(), 1);
        assert_eq!(
            faults(AboveBase, KIB, &[]),
            [""; 0],
            "smaller than the base is no fault"
        );
    }
}
