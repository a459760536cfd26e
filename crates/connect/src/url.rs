//! What a URL means, before anything is opened.

use std::path::PathBuf;

use wasm_storage_engine::{Error, Kind};

/// The URLs that there are, as messages show them.
const KNOWN: &str = "memory:, fjall:PATH, redb:PATH, or a path";

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Memory,
    Fjall(PathBuf),
    Redb(PathBuf),
}

/// Reads a URL.
///
/// Errors: `InvalidArgument`, naming the URL and what there is.
pub(crate) fn parse(url: &str) -> Result<Target, Error> {
    let bad = |text: String| Err(Error::new(Kind::InvalidArgument, text));
    if url.is_empty() {
        return bad(format!("the store's URL is empty; known are {KNOWN}"));
    }
    if url.contains('\0') {
        return bad(format!("{url:?}: a store's URL holds no NUL byte"));
    }
    let Some((scheme, rest)) = split_scheme(url) else {
        return Ok(Target::Fjall(url.into()));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "memory" if rest.is_empty() => Ok(Target::Memory),
        "memory" => bad(format!("{url:?}: memory: takes nothing after the colon")),
        name @ ("fjall" | "redb") if rest.is_empty() => {
            bad(format!("{url:?}: the path is missing: {name}:PATH"))
        }
        // `fjall://data` would be the folder /data, which nobody means by it.
        name @ ("fjall" | "redb") if rest.starts_with("//") => bad(format!(
            "{url:?}: a path follows the colon at once: {name}:{}",
            rest.trim_start_matches('/')
        )),
        "fjall" => Ok(Target::Fjall(rest.into())),
        "redb" => Ok(Target::Redb(rest.into())),
        _ => bad(format!(
            "{url:?}: there is no backend {scheme:?}; known are {KNOWN} \
             (a path with a colon is written ./{url})"
        )),
    }
}

/// The scheme and what follows its colon; `None` for a path. One letter is a drive
/// of Windows.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let letters = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    (scheme.len() >= 2 && letters).then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_bare_paths_name_a_store() {
        let fjall = |path: &str| Target::Fjall(path.into());
        for (url, target) in [
            ("memory:", Target::Memory),
            ("MEMORY:", Target::Memory),
            ("fjall:data", fjall("data")),
            ("fjall:/var/data", fjall("/var/data")),
            ("fjall:a:b", fjall("a:b")),
            ("redb:data", Target::Redb("data".into())),
            ("REDB:/var/a:b", Target::Redb("/var/a:b".into())),
            ("redb", fjall("redb")),
            ("data", fjall("data")),
            ("memory", fjall("memory")),
            ("./fjall:data", fjall("./fjall:data")),
            ("/var/a:b", fjall("/var/a:b")),
            (r"C:\data", fjall(r"C:\data")),
            ("c:data", fjall("c:data")),
            (":", fjall(":")),
            ("data 2:x", fjall("data 2:x")),
        ] {
            assert_eq!(parse(url).unwrap(), target, "{url}");
        }
    }

    #[test]
    fn a_url_that_names_none_is_refused_with_what_there_is() {
        for (url, text) in [
            (
                "",
                "is empty; known are memory:, fjall:PATH, redb:PATH, or a path",
            ),
            ("memory:data", "memory: takes nothing"),
            ("fjall:", "missing: fjall:PATH"),
            ("redb:", "missing: redb:PATH"),
            ("redb://data", "at once: redb:data"),
            ("fjall://data", "at once: fjall:data"),
            (
                "redis://host",
                r#"no backend "redis"; known are memory:, fjall:PATH"#,
            ),
            ("redis-cluster://a,b", r#"no backend "redis-cluster""#),
            ("file:data", "written ./file:data"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidArgument);
            let message = error.to_string();
            assert!(message.contains(text), "{message}");
            assert!(message.contains(url), "{message}");
        }
        let nul = parse("fjall:a\0b").unwrap_err().to_string();
        assert!(nul.contains(r"a\0b") && nul.contains("NUL"), "{nul}");
    }
}
