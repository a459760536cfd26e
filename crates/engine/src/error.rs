//! What can go wrong, as a value: a [`Kind`] that says what a caller can do, and
//! a text that names the thing. No other error type leaves the engine.

use std::borrow::Cow;
use std::fmt;

use wasm_storage_abi::Kind;

/// A failure, with its kind and a text that names what it is about.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` names the key, path or limit in question.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// The same, caused by `source`.
    pub fn with_source(
        kind: Kind,
        message: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let mut error = Self::new(kind, message);
        error.0.source = Some(source.into());
        error
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The same error, with the key it is about in front.
    pub(crate) fn of_key(self, key: &[u8]) -> Self {
        Error::new(self.kind(), format!("key {}: {self}", show_key(key)))
    }

    /// A size over its limit: `what`, the limit and the actual size, in bytes.
    pub fn too_large(what: &str, limit: usize, actual: usize) -> Self {
        Self::new(
            Kind::TooLarge,
            format!("{what} of {actual} bytes is over the limit of {limit} bytes"),
        )
    }
}

/// The message, then the messages of what caused it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// A key as messages show it: printable ASCII as it is, other bytes as `\xNN`,
/// cut after 48 bytes with the full length named.
pub fn show_key(key: &[u8]) -> String {
    const SHOWN: usize = 48;
    let shown = key.get(..SHOWN.min(key.len())).unwrap_or(key);
    let text = shown.escape_ascii();
    if key.len() > SHOWN {
        format!("\"{text}...\" ({} bytes)", key.len())
    } else {
        format!("\"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_cause() {
        let io = std::io::Error::other("disk gone");
        let error = Error::with_source(Kind::Io, "store.db: write", io);
        assert_eq!(error.to_string(), "store.db: write: disk gone");
        assert_eq!(error.kind(), Kind::Io);
    }

    #[test]
    fn keys_are_escaped_and_cut() {
        assert_eq!(show_key(b"a\x00b"), r#""a\x00b""#);
        let long = show_key(&[b'x'; 100]);
        assert!(long.ends_with("...\" (100 bytes)"), "{long}");
    }
}
