//! Namespaces beside the call's own: granted by the host, opened by name.

use core::fmt;

use crate::error::Result;
use crate::host;
use crate::sys;

/// An open namespace. Collections are used in it by their `at` method.
///
/// It is open for this call; open it anew in the next one.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Map, Namespace, testing};
///
/// static STOCK: Map<&str, u32> = Map::new("stock");
///
/// let host = testing::Host::new().grant("tenant-a");
/// host.invoke(|| {
///     let tenant = Namespace::open("tenant-a")?;
///     STOCK.at(&tenant).put("sku-1", &3)?;
///     assert_eq!(STOCK.get("sku-1")?, None);
///     Ok::<(), storage::Error>(())
/// }).unwrap().unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Namespace {
    handle: u32,
}

impl Namespace {
    /// Opens the namespace `name`. Opening it twice gives the same one.
    ///
    /// Errors: [`Kind::Denied`](crate::Kind::Denied) unless the host has granted it.
    /// Host calls: 1. Reads nothing.
    pub fn open(name: &str) -> Result<Namespace> {
        let status = sys::open(name.as_bytes(), 0);
        let operation = "Namespace::open";
        host::length(operation, name.as_bytes(), status)?;
        Ok(Namespace {
            handle: status.cast_unsigned(),
        })
    }

    pub(crate) fn handle(self) -> u32 {
        self.handle
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.handle)
    }
}
