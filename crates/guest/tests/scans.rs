//! Scans against a model: `BTreeMap`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;
use rust_storage_interface_library::testing::Host;
use rust_storage_interface_library::{Cursor, Kind, Map, Result};

static TEXTS: Map<&str, u32> = Map::new("texts");
static NUMBERS: Map<i32, Vec<u8>> = Map::new("numbers");
static PAIRS: Map<(u8, &str), u32> = Map::new("pairs");
static TRIPLES: Map<(u8, i16, u8), bool> = Map::new("triples");
/// Whose keys lie just before and behind those of the others.
static NEIGHBOURS: [Map<u8, u8>; 3] = [Map::new("text"), Map::new("textt"), Map::new("textsa")];

fn all<K, V>(rows: impl IntoIterator<Item = Result<(K, V)>>) -> Vec<(K, V)> {
    rows.into_iter().collect::<Result<_>>().unwrap()
}

/// Small alphabets, so that prefixes and equal parts happen.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop::sample::select(vec!['\0', 'a', 'b', '\u{FF}']), 0..4)
        .prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn text_scans_are_those_of_a_tree(
        entries in proptest::collection::btree_map(text(), any::<u32>(), 0..40),
        lo in text(), hi in text(), start in text(), limit in 0..8_u64,
    ) {
        let host = Host::new();
        host.invoke(|| {
            for neighbour in NEIGHBOURS {
                neighbour.put(0, &0).unwrap();
                neighbour.put(255, &0).unwrap();
            }
            for (key, value) in &entries {
                TEXTS.put(key, value).unwrap();
            }
            let model = |lo: Bound<&String>, hi: Bound<&String>| -> Vec<(String, u32)> {
                let inside = |key: &String| {
                    (match lo {
                        Bound::Included(lo) => key >= lo,
                        Bound::Excluded(lo) => key > lo,
                        Bound::Unbounded => true,
                    }) && match hi {
                        Bound::Included(hi) => key <= hi,
                        Bound::Excluded(hi) => key < hi,
                        Bound::Unbounded => true,
                    }
                };
                entries.iter().filter(|(key, _)| inside(key)).map(|(k, v)| (k.clone(), *v)).collect()
            };
            use Bound::{Excluded as Ex, Included as In, Unbounded as Un};
            assert_eq!(all(TEXTS.iter()), model(Un, Un));
            assert_eq!(all(TEXTS.range(..)), model(Un, Un));
            assert_eq!(all(TEXTS.range(&lo..&hi)), model(In(&lo), Ex(&hi)));
            assert_eq!(all(TEXTS.range(&lo..=&hi)), model(In(&lo), In(&hi)));
            assert_eq!(all(TEXTS.range(&lo..)), model(In(&lo), Un));
            assert_eq!(all(TEXTS.range(..&hi)), model(Un, Ex(&hi)));
            assert_eq!(all(TEXTS.range(..=&hi)), model(Un, In(&hi)));
            assert_eq!(all(TEXTS.range((Ex(&lo), In(&hi)))), model(Ex(&lo), In(&hi)));
            let started: Vec<_> = entries
                .iter()
                .filter(|(key, _)| key.starts_with(&start))
                .map(|(k, v)| (k.clone(), *v))
                .collect();
            assert_eq!(all(TEXTS.starts_with(&start)), started.clone());
            let both: Vec<_> = started.iter().filter(|(key, _)| *key >= lo).cloned().collect();
            assert_eq!(all(TEXTS.starts_with(&start).range(&lo..)), both.clone());
            assert_eq!(all(TEXTS.range(&lo..).starts_with(&start)), both.clone());
            assert_eq!(TEXTS.starts_with(&start).count().unwrap(), started.len() as u64);

            let mut back = model(In(&lo), Un);
            back.reverse();
            let least = usize::try_from(limit).unwrap();
            assert_eq!(
                all(TEXTS.range(&lo..).rev().limit(limit)),
                back.iter().take(least).cloned().collect::<Vec<_>>()
            );
            assert_eq!(
                TEXTS.range(&lo..).limit(limit).count().unwrap(),
                back.len().min(least) as u64
            );
            assert_eq!(TEXTS.range(&lo..).rev().first().unwrap(), back.first().cloned());
            let keys: Vec<String> = TEXTS.range(&lo..).rev().keys().into_iter()
                .collect::<Result<_>>().unwrap();
            assert_eq!(keys, back.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>());

            // Page by page, the cursor as text in between.
            let mut pages = Vec::new();
            let mut next: Option<Cursor> = None;
            loop {
                let page = TEXTS.range(&lo..).rev().after(next).page(limit + 1).unwrap();
                assert!(page.items.len() as u64 <= limit + 1);
                pages.extend(page.items);
                match page.next {
                    Some(cursor) => next = Some(cursor.to_string().parse().unwrap()),
                    None => break,
                }
            }
            assert_eq!(pages, back);

            let deleted = TEXTS.starts_with(&start).rev().limit(limit).delete().unwrap();
            assert_eq!(deleted, limit.min(started.len() as u64));
            assert_eq!(TEXTS.iter().count().unwrap(), entries.len() as u64 - deleted);
            assert_eq!(TEXTS.starts_with(&start).delete().unwrap(), started.len() as u64 - deleted);
            for neighbour in NEIGHBOURS {
                assert_eq!(neighbour.iter().count().unwrap(), 2);
            }
        }).unwrap();
    }

    #[test]
    fn prefixes_are_parts_of_the_key(
        entries in proptest::collection::btree_map((0..3_u8, -2..2_i16, any::<u8>()), any::<bool>(), 0..60),
        first in 0..3_u8, second in -2..2_i16, third in any::<u8>(),
    ) {
        let host = Host::new();
        host.invoke(|| {
            for (key, value) in &entries {
                TRIPLES.put(*key, value).unwrap();
            }
            assert_eq!(all(TRIPLES.iter()), entries.clone().into_iter().collect::<Vec<_>>());
            let model: Vec<_> = entries
                .iter()
                .filter(|((a, ..), _)| *a == first)
                .map(|((_, b, c), v)| ((*b, *c), *v))
                .collect();
            assert_eq!(all(TRIPLES.prefix(first)), model.clone());
            let model: Vec<_> = model
                .into_iter()
                .filter(|((b, _), _)| *b == second)
                .map(|((_, c), v)| (c, v))
                .collect();
            assert_eq!(all(TRIPLES.prefix(first).prefix(second)), model.clone());
            let model: Vec<_> = model.into_iter().filter(|(c, _)| *c >= third).collect();
            assert_eq!(all(TRIPLES.prefix(first).prefix(second).range(third..)), model);
            assert_eq!(
                all(TRIPLES.range((first, second, third)..(first, second, third))),
                vec![]
            );
        }).unwrap();
    }
}

#[test]
fn pages_of_any_size_are_read_to_the_end() {
    let host = Host::new();
    // Entries of 0 to 70,000 bytes: pages of 4 to 64 KiB, and some that are fetched.
    let model: BTreeMap<i32, Vec<u8>> = (-60..60)
        .map(|n: i32| {
            (
                n,
                vec![n.to_le_bytes()[0]; (n.unsigned_abs() as usize).pow(3) / 3],
            )
        })
        .collect();
    host.invoke(|| {
        for (key, value) in &model {
            NUMBERS.put(*key, value).unwrap();
        }
    })
    .unwrap();
    host.invoke(|| {
        assert_eq!(
            all(NUMBERS.iter()),
            model.clone().into_iter().collect::<Vec<_>>()
        );
        assert_eq!(
            all(NUMBERS.iter().rev()),
            model.clone().into_iter().rev().collect::<Vec<_>>()
        );
        let page = NUMBERS.iter().page(1000).unwrap();
        assert_eq!((page.items.len(), page.next), (120, None));
    })
    .unwrap();
    host.assert_calls(1, || NUMBERS.iter().count().unwrap());
    host.assert_calls(1, || NUMBERS.range(0..3).into_iter().count());
    host.assert_calls(2, || NUMBERS.iter().first().unwrap());
    let (lo, hi) = (3, 0);
    host.assert_calls(0, || NUMBERS.range(lo..hi).into_iter().count());
    host.assert_calls(0, || NUMBERS.iter().limit(0).into_iter().count());
    host.assert_calls(0, || NUMBERS.iter().limit(0).count().unwrap());
    host.assert_calls(2, || NUMBERS.iter().delete().unwrap());
    host.assert_calls(1, || NUMBERS.iter().delete().unwrap());
}

#[test]
fn a_hundred_small_entries_are_one_or_two_calls() {
    let host = Host::new();
    host.invoke(|| (0..100).for_each(|n| NUMBERS.put(n, b"value").unwrap()))
        .unwrap();
    host.assert_calls(1, || assert_eq!(NUMBERS.iter().into_iter().count(), 100));
    host.assert_calls(1, || {
        assert_eq!(NUMBERS.iter().page(50).unwrap().items.len(), 50)
    });
}

#[test]
fn a_scan_sees_the_writes_of_its_call_on_pages_to_come() {
    (0..2000).for_each(|n| NUMBERS.put(n, b"xx").unwrap());
    let mut seen = 0;
    for row in NUMBERS.iter() {
        let (key, _) = row.unwrap();
        if key == 0 {
            NUMBERS.delete(1).unwrap(); // fetched already
            NUMBERS.range(1500..).delete().unwrap();
        }
        seen += 1;
    }
    assert_eq!(seen, 1500);
}

#[test]
fn a_cursor_of_another_scan_is_refused() {
    for n in 0..3 {
        PAIRS.put((n, "a"), &1).unwrap();
        PAIRS.put((n, "b"), &2).unwrap();
    }
    let cursor = PAIRS.prefix(1).page(1).unwrap().next.unwrap();
    assert_eq!(
        all(PAIRS.prefix(1).after(cursor.clone())),
        [("b".into(), 2)]
    );
    assert_eq!(
        all(PAIRS.iter().after(cursor.clone())).len(),
        3,
        "a wider scan may use it"
    );
    for refused in [
        PAIRS.prefix(2).after(cursor.clone()).page(1).unwrap_err(),
        PAIRS
            .prefix(1)
            .rev()
            .after(cursor.clone())
            .page(1)
            .unwrap_err(),
        PAIRS.prefix(2).after(cursor.clone()).count().unwrap_err(),
        TEXTS.iter().after(cursor.clone()).first().unwrap_err(),
        TEXTS.iter().after(cursor).keys().page(1).unwrap_err(),
    ] {
        assert_eq!(refused.kind(), Kind::InvalidArgument, "{refused}");
    }
    for text in ["", "f0", "x00", "f0g", "fG0", "ä00", "f0\u{e4}"] {
        assert_eq!(
            text.parse::<Cursor>().unwrap_err().kind(),
            Kind::InvalidArgument,
            "{text}"
        );
    }
}

#[test]
fn a_key_or_value_of_another_type_ends_the_scan_with_an_error() {
    static AS_NUMBERS: Map<u8, u32> = Map::new("texts");
    static AS_TEXTS: Map<&str, String> = Map::new("texts");
    TEXTS.put("a", &1).unwrap();
    TEXTS.put("b", &2).unwrap();
    let mut rows = AS_NUMBERS.iter().into_iter();
    let error = rows.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"Scan::next: "texts" key "a" is no key of the map's type"#
    );
    assert!(rows.next().is_none());
    let error = AS_TEXTS.iter().page(2).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"Scan::page: "texts" key "a" holds u32, not string"#
    );
    assert!(AS_NUMBERS.iter().keys().page(2).is_err());
}

#[test]
fn bytes_have_prefixes_too() {
    static BLOBS: Map<&[u8], u8> = Map::new("blobs");
    BLOBS.put(b"\x00\x00", &0).unwrap();
    BLOBS.put(b"\x00\x01", &1).unwrap();
    BLOBS.put(b"\x01", &2).unwrap();
    let rows = all(BLOBS.iter().starts_with_bytes(b"\x00"));
    assert_eq!(rows, [(vec![0, 0], 0), (vec![0, 1], 1)]);
    assert_eq!(all(BLOBS.iter().starts_with_bytes(b"")).len(), 3);
}
