//! What `scan` answers: specs that are refused, which entries a page has, where it
//! ends, and what is parked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Guest, INPUT, MEMORY, OUT, code, memory_store};
use wasm_storage_abi::wire::scan as flag;
use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::scan::{Page, ScanSpec};
use wasm_storage_host::calls;

fn spec(spec: &ScanSpec<'_>) -> Vec<u8> {
    let mut bytes = vec![0; spec.encoded_len()];
    spec.write(&mut KeyBuf::new(&mut bytes));
    bytes
}

fn flags(flags: u32) -> Vec<u8> {
    spec(&ScanSpec {
        flags,
        ..ScanSpec::default()
    })
}

/// A guest with the keys "a" to "f", of which some are stored and some its own.
fn a_to_f() -> Guest {
    let store = memory_store();
    let mut guest = Guest::over(&store, MEMORY);
    for key in [b"a", b"c", b"d", b"x"] {
        guest.put(0, key, &[&key[..], b"!"].concat());
    }
    guest.end(wasm_storage_host::GuestEnd::Returned).unwrap();
    let mut guest = Guest::over(&store, MEMORY);
    for key in [b"b", b"d", b"e", b"f"] {
        guest.put(0, key, &[&key[..], b"!"].concat());
    }
    let (k, n) = guest.at(INPUT, b"x");
    calls::delete(&mut guest.call, &mut guest.memory[..], 0, k, n).unwrap();
    guest
}

/// The keys of a page, each letter one, and whether there is more.
fn page(guest: &mut Guest, spec: &[u8], cap: u32) -> (String, bool) {
    let length = guest.scan(spec, cap);
    assert!(length >= 8, "{}: {}", length, guest.error_text());
    let page = Page::parse(guest.bytes(OUT, length)).unwrap();
    let mut keys = String::new();
    let mut bytes = flag::PAGE_HEADER_BYTES;
    for (key, value) in page {
        keys.push(char::from(key[0]));
        bytes += flag::ENTRY_HEADER_BYTES + key.len() + value.len();
    }
    assert_eq!(keys.len(), usize::try_from(page.count()).unwrap());
    assert_eq!(bytes, usize::try_from(length).unwrap(), "nothing behind it");
    (keys, page.more())
}

#[test]
fn a_page_has_own_and_stored_entries_in_the_order_asked_for() {
    let mut guest = a_to_f();
    assert_eq!(page(&mut guest, &flags(0), 1024), ("abcdef".into(), false));
    let reverse = flags(flag::REVERSE);
    assert_eq!(page(&mut guest, &reverse, 1024), ("fedcba".into(), false));
    let length = guest.scan(&flags(0), 1024);
    let page = Page::parse(guest.bytes(OUT, length)).unwrap();
    assert!(page.iter().all(|(k, v)| v == [k, b"!"].concat()));
    let length = guest.scan(&flags(flag::KEYS_ONLY), 1024);
    assert_eq!(length, 8 + 6 * 9);
    let page = Page::parse(guest.bytes(OUT, length)).unwrap();
    assert!(page.iter().all(|(_, v)| v.is_empty()));
}

#[test]
fn every_combination_of_ends_and_after_is_what_a_list_would_say() {
    let mut guest = a_to_f();
    let keys = ["", "a", "b", "bb", "d", "f", "z"];
    let ends = |has, extra: [u32; 2]| [0, has, has | extra[0], has | extra[1]];
    for reverse in [0, flag::REVERSE] {
        for lo_flags in ends(flag::HAS_LO, [flag::LO_OPEN; 2]) {
            for hi_flags in ends(flag::HAS_HI, [flag::HI_INCL; 2]) {
                for after_flags in [0, flag::HAS_AFTER] {
                    for (lo, hi) in keys.iter().flat_map(|lo| keys.map(|hi| (*lo, hi))) {
                        for after in keys {
                            let spec_of = ScanSpec {
                                flags: reverse | lo_flags | hi_flags | after_flags,
                                limit: 0,
                                lo: if lo_flags == 0 { b"" } else { lo.as_bytes() },
                                hi: if hi_flags == 0 { b"" } else { hi.as_bytes() },
                                after: if after_flags == 0 {
                                    b""
                                } else {
                                    after.as_bytes()
                                },
                            };
                            if lo_flags != 0 && hi_flags != 0 && lo > hi {
                                continue; // Refused: see below.
                            }
                            let mut expected: Vec<&str> = ["a", "b", "c", "d", "e", "f"]
                                .into_iter()
                                .filter(|key| {
                                    (lo_flags == 0
                                        || *key > lo
                                        || *key == lo && lo_flags & flag::LO_OPEN == 0)
                                        && (hi_flags == 0
                                            || *key < hi
                                            || *key == hi && hi_flags & flag::HI_INCL != 0)
                                        && (after_flags == 0
                                            || if reverse == 0 {
                                                *key > after
                                            } else {
                                                *key < after
                                            })
                                })
                                .collect();
                            if reverse != 0 {
                                expected.reverse();
                            }
                            let expected = (expected.concat(), false);
                            let seen = page(&mut guest, &spec(&spec_of), 1024);
                            assert_eq!(seen, expected, "{spec_of:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn pages_go_on_behind_the_last_key_in_both_directions() {
    let mut guest = a_to_f();
    for (reverse, whole) in [(0, "abcdef"), (flag::REVERSE, "fedcba")] {
        for limit in 1..=7 {
            let mut seen = String::new();
            let mut pages = 0;
            loop {
                let after = seen.chars().last().map(String::from).unwrap_or_default();
                let has_after = if seen.is_empty() { 0 } else { flag::HAS_AFTER };
                let next = ScanSpec {
                    flags: reverse | has_after,
                    limit,
                    after: after.as_bytes(),
                    ..ScanSpec::default()
                };
                let (keys, more) = page(&mut guest, &spec(&next), 1024);
                seen.push_str(&keys);
                pages += 1;
                if !more {
                    break;
                }
            }
            assert_eq!(seen, whole);
            assert!(pages <= 7);
        }
    }
}

#[test]
fn a_limit_ends_the_page_and_says_more_without_looking() {
    let mut guest = a_to_f();
    let limited = |limit| {
        spec(&ScanSpec {
            limit,
            ..ScanSpec::default()
        })
    };
    assert_eq!(page(&mut guest, &limited(2), 1024), ("ab".into(), true));
    assert_eq!(page(&mut guest, &limited(6), 1024), ("abcdef".into(), true));
    assert_eq!(
        page(&mut guest, &limited(7), 1024),
        ("abcdef".into(), false)
    );
    assert_eq!(
        page(&mut guest, &limited(u32::MAX), 1024),
        ("abcdef".into(), false)
    );
}

#[test]
fn count_only_answers_eight_bytes_up_to_the_limit() {
    let mut guest = a_to_f();
    for (limit, expected) in [(0, 6u64), (1, 1), (6, 6), (7, 6)] {
        for reverse in [0, flag::REVERSE] {
            let count = spec(&ScanSpec {
                flags: flag::COUNT_ONLY | reverse,
                limit,
                ..ScanSpec::default()
            });
            assert_eq!(guest.scan(&count, 8), 8);
            assert_eq!(guest.bytes(OUT, 8), expected.to_le_bytes());
        }
    }
    guest.at(OUT, &[0xaa; 8]);
    assert_eq!(
        guest.scan(&flags(flag::COUNT_ONLY), 7),
        8,
        "parked like any"
    );
    assert_eq!(guest.bytes(OUT, 8), [0xaa; 8]);
    assert_eq!(guest.fetch(8), 8);
    assert_eq!(guest.bytes(OUT, 8), 6u64.to_le_bytes());
    let after = spec(&ScanSpec {
        flags: flag::COUNT_ONLY | flag::HAS_AFTER | flag::KEYS_ONLY,
        after: b"d",
        ..ScanSpec::default()
    });
    assert_eq!(guest.scan(&after, 8), 8);
    assert_eq!(guest.bytes(OUT, 8), 2u64.to_le_bytes());
}

#[test]
fn a_page_holds_what_fits_exactly_and_not_one_byte_more() {
    let mut guest = a_to_f();
    // An entry of these is 8 + 1 + 2 bytes.
    for entries in 1..=6u32 {
        let exact = 8 + entries * 11;
        let (keys, more) = page(&mut guest, &flags(0), exact);
        assert_eq!(keys, "abcdef"[..keys.len()]);
        assert_eq!(keys.len(), usize::try_from(entries).unwrap());
        assert_eq!(more, entries < 6);
        if entries > 1 {
            let (keys, more) = page(&mut guest, &flags(0), exact - 1);
            assert_eq!(keys.len(), usize::try_from(entries - 1).unwrap());
            assert!(more);
        }
    }
}

#[test]
fn an_entry_too_large_for_the_buffer_comes_alone_and_parked() {
    let mut guest = a_to_f();
    guest.at(OUT, &[0xaa; 32]);
    for cap in [0, 7, 8, 18] {
        assert_eq!(guest.scan(&flags(0), cap), 19);
        assert_eq!(guest.bytes(OUT, 32), [0xaa; 32], "nothing is written");
    }
    assert_eq!(guest.fetch(18), 19);
    assert_eq!(guest.fetch(19), 19);
    let page = Page::parse(guest.bytes(OUT, 19)).unwrap();
    assert_eq!((page.count(), page.more()), (1, true));
    assert_eq!(page.iter().next(), Some((&b"a"[..], &b"a!"[..])));
}

#[test]
fn an_empty_page_has_a_header() {
    let mut guest = Guest::new();
    assert_eq!(page(&mut guest, &flags(0), 8), (String::new(), false));
    assert_eq!(guest.scan(&flags(0), 0), 8);
    assert_eq!(guest.fetch(8), 8);
    assert_eq!(guest.bytes(OUT, 8), [0; 8]);
}

#[test]
fn a_page_ends_at_1_mib_however_large_the_buffer_is() {
    let store = memory_store();
    for (over, expected) in [(0, ("ab", false)), (1, ("a", true))] {
        let mut guest = Guest::over(&store, MEMORY);
        let half = limits::PAGE_BYTES / 2 - flag::PAGE_HEADER_BYTES / 2;
        let value = vec![b'v'; half - flag::ENTRY_HEADER_BYTES - 1 + over];
        assert_eq!(guest.call.put(0, b"a", &value).unwrap(), 0);
        let value = &value[..value.len() - over];
        assert_eq!(guest.call.put(0, b"b", value).unwrap(), 0);
        let mut out = vec![0; 3 * limits::PAGE_BYTES];
        let length = guest.call.scan(0, &flags(0), &mut out).unwrap();
        let length = usize::try_from(length).unwrap();
        assert!(length <= limits::PAGE_BYTES);
        assert_eq!(length == limits::PAGE_BYTES, over == 0);
        let page = Page::parse(&out[..length]).unwrap();
        let keys: Vec<u8> = page.iter().map(|(key, _)| key[0]).collect();
        assert_eq!(
            (&keys[..], page.more()),
            (expected.0.as_bytes(), expected.1)
        );
    }
    // A single larger entry still comes, alone.
    let mut guest = Guest::over(&store, MEMORY);
    let value = vec![b'v'; limits::VALUE_BYTES];
    guest.call.put(0, b"a", &value).unwrap();
    guest.call.put(0, b"b", b"v").unwrap();
    let mut out = vec![0; limits::VALUE_BYTES + 64];
    let length = guest.call.scan(0, &flags(0), &mut out).unwrap();
    let page = Page::parse(&out[..usize::try_from(length).unwrap()]).unwrap();
    assert_eq!((page.count(), page.more()), (1, true));
    assert!(page.iter().next().unwrap().1 == value);
}

#[test]
fn a_bad_spec_is_an_invalid_argument_and_says_what_is_bad() {
    let mut guest = a_to_f();
    let good = spec(&ScanSpec {
        flags: flag::HAS_LO,
        lo: b"b",
        ..ScanSpec::default()
    });
    for cut in 0..good.len() {
        assert_eq!(
            guest.scan(&good[..cut], 64),
            code(Kind::InvalidArgument),
            "cut at {cut}"
        );
    }
    let with = |flags, lo, hi, after| {
        spec(&ScanSpec {
            flags,
            limit: 0,
            lo,
            hi,
            after,
        })
    };
    let bad: [(Vec<u8>, &str); 7] = [
        ([&good[..], b"x"].concat(), "behind"),
        (flags(flag::ALL + 1), "flags"),
        (flags(1 << 31), "flags"),
        (with(0, b"b", b"", b""), "HAS_"),
        (with(0, b"", b"b", b""), "HAS_"),
        (with(0, b"", b"", b"b"), "HAS_"),
        (
            with(flag::HAS_LO | flag::HAS_HI, b"b", b"a", b""),
            "lo > hi",
        ),
    ];
    for (spec, text) in bad {
        assert_eq!(guest.scan(&spec, 64), code(Kind::InvalidArgument));
        assert!(guest.error_text().contains(text), "{}", guest.error_text());
    }
    assert_eq!(
        page(&mut guest, &good, 1024).0,
        "bcdef",
        "and the call goes on"
    );
    // A length within the spec that points far beyond it.
    let mut wild = good.clone();
    wild[8..12].fill(0xff);
    assert_eq!(guest.scan(&wild, 64), code(Kind::InvalidArgument));
}

#[test]
fn keys_in_a_spec_of_4096_bytes_are_taken_and_of_4097_are_not() {
    let store = memory_store();
    let mut guest = Guest::over(&store, 64 * 1024);
    guest.call.put(0, b"m", b"v").unwrap();
    let low = vec![0; limits::KEY_BYTES];
    let high = vec![0xff; limits::KEY_BYTES];
    let all = |lo, hi, after| {
        spec(&ScanSpec {
            flags: flag::HAS_LO | flag::HAS_HI | flag::HAS_AFTER,
            limit: 0,
            lo,
            hi,
            after,
        })
    };
    let (p, n) = guest.at(0, &all(&low, &high, &low));
    let memory = &mut guest.memory[..];
    let length = calls::scan(&mut guest.call, memory, 0, p, n, 32_768, 64).unwrap();
    assert_eq!(length, 8 + 8 + 2);
    let over = vec![0; limits::KEY_BYTES + 1];
    let over_high = vec![0xff; limits::KEY_BYTES + 1];
    for spec in [
        all(&over, &high, &low),
        all(&low, &over_high, &low),
        all(&low, &high, &over),
        all(&over, &over_high, &over),
    ] {
        let (p, n) = guest.at(0, &spec);
        let memory = &mut guest.memory[..];
        let status = calls::scan(&mut guest.call, memory, 0, p, n, 32_768, 64).unwrap();
        assert_eq!(status, code(Kind::TooLarge));
    }
}
