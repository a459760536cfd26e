//! The spec and the pages of `scan`.

use proptest::collection::vec;
use proptest::prelude::*;
use wasm_storage_abi::wire::scan;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::scan::*;

fn bytes(spec: &ScanSpec<'_>) -> Vec<u8> {
    let mut memory = vec![0; spec.encoded_len()];
    let mut out = KeyBuf::new(&mut memory);
    spec.write(&mut out);
    out.written().map(<[u8]>::to_vec).unwrap_or_default()
}

fn page(entries: &[(Vec<u8>, Vec<u8>)], more: bool) -> Vec<u8> {
    let mut bytes = b"left over".to_vec();
    let mut writer = PageWriter::new(&mut bytes);
    for (key, value) in entries {
        writer.push(key, value);
    }
    writer.finish(more);
    bytes
}

#[test]
fn a_spec_has_its_bytes() {
    let spec = ScanSpec {
        flags: scan::REVERSE | scan::HAS_LO | scan::HAS_AFTER,
        limit: 50,
        lo: b"a",
        hi: b"",
        after: b"bc",
    };
    assert!(spec.has(scan::REVERSE) && !spec.has(scan::HAS_HI));
    assert_eq!(
        bytes(&spec),
        b"\xA1\0\0\0\x32\0\0\0\x01\0\0\0a\0\0\0\0\x02\0\0\0bc"
    );
    assert_eq!(bytes(&ScanSpec::default()), [0; scan::SPEC_FIXED_BYTES]);
}

#[test]
fn specs_that_make_no_sense_are_refused_by_name() {
    let refused = |spec: ScanSpec<'_>| ScanSpec::parse(&bytes(&spec)).map(|_| ()).unwrap_err();
    let none = ScanSpec::default();
    let flags = 1 << 8 | scan::REVERSE;
    assert_eq!(
        refused(ScanSpec { flags, ..none }),
        SpecError::UnknownFlags(1 << 8)
    );
    for unannounced in [
        ScanSpec { lo: b"a", ..none },
        ScanSpec { hi: b"a", ..none },
        ScanSpec {
            after: b"a",
            ..none
        },
    ] {
        assert_eq!(refused(unannounced), SpecError::Unannounced);
    }
    let range = |lo, hi| ScanSpec {
        flags: scan::HAS_LO | scan::HAS_HI,
        lo,
        hi,
        ..none
    };
    assert_eq!(refused(range(b"b", b"a")), SpecError::Reversed);
    assert!(ScanSpec::parse(&bytes(&range(b"a", b"a"))).is_ok());
    assert!(ScanSpec::parse(&bytes(&range(b"", b""))).is_ok());

    let mut long = bytes(&none);
    long.push(0);
    assert_eq!(ScanSpec::parse(&long), Err(SpecError::TrailingBytes));
    for end in 0..scan::SPEC_FIXED_BYTES {
        assert_eq!(ScanSpec::parse(&long[..end]), Err(SpecError::Truncated));
    }
    let hostile = b"\x20\0\0\0\0\0\0\0\xFF\xFF\xFF\xFFa";
    assert_eq!(ScanSpec::parse(hostile), Err(SpecError::Truncated));
}

#[test]
fn a_page_has_its_bytes() {
    assert_eq!(
        page(&[(b"k".to_vec(), b"vv".to_vec())], true),
        b"\x01\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\0\0kvv"
    );
    assert_eq!(page(&[], false), [0; scan::PAGE_HEADER_BYTES]);
}

#[test]
fn a_page_takes_what_fits_to_the_byte() {
    let mut bytes = Vec::new();
    let mut writer = PageWriter::new(&mut bytes);
    assert!(writer.is_empty());
    assert!(writer.fits(3, 4, 8 + 8 + 7));
    assert!(!writer.fits(3, 4, 8 + 8 + 6));
    assert!(!writer.fits(usize::MAX, usize::MAX, usize::MAX - 1));
    writer.push(b"abc", b"defg");
    assert_eq!((writer.len(), writer.count()), (8 + 8 + 7, 1));
    assert!(!writer.is_empty());
}

#[test]
fn a_page_that_is_cut_short_ends_early() {
    let bytes = page(&[(vec![1], vec![2]), (vec![3], vec![4])], false);
    for end in 0..bytes.len() {
        match Page::parse(&bytes[..end]) {
            None => assert!(end < scan::PAGE_HEADER_BYTES),
            Some(page) => {
                assert_eq!(page.count(), 2);
                assert!(page.iter().count() < 2);
            }
        }
    }
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..12)
}

proptest! {
    #[test]
    fn specs_round_trip(flags in 0..=scan::ALL, limit in any::<u32>(), a in string(), b in string(), after in string()) {
        let (a, b) = (a.clone().min(b.clone()), a.max(b));
        let spec = ScanSpec {
            flags,
            limit,
            lo: if flags & scan::HAS_LO == 0 { b"" } else { &a },
            hi: if flags & scan::HAS_HI == 0 { b"" } else { &b },
            after: if flags & scan::HAS_AFTER == 0 { b"" } else { &after },
        };
        let written = bytes(&spec);
        prop_assert_eq!(ScanSpec::parse(&written), Ok(spec));
    }

    #[test]
    fn arbitrary_bytes_are_a_spec_of_one_form_or_refused(
        input in vec(prop_oneof![4 => Just(0_u8), 2 => 0..3_u8, 1 => any::<u8>()], 0..40)
    ) {
        match ScanSpec::parse(&input) {
            Ok(spec) => prop_assert_eq!(bytes(&spec), input),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn pages_round_trip(entries in vec((string(), string()), 0..20), more in any::<bool>()) {
        let bytes = page(&entries, more);
        let page = Page::parse(&bytes).unwrap();
        prop_assert_eq!((page.count() as usize, page.more()), (entries.len(), more));
        let read: Vec<_> = page.into_iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn arbitrary_bytes_are_read_as_a_page_without_panic(
        input in vec(prop_oneof![4 => Just(0_u8), 2 => 0..5_u8, 1 => any::<u8>()], 0..80)
    ) {
        if let Some(page) = Page::parse(&input) {
            let taken: usize = (&page).into_iter().map(|(k, v)| scan::ENTRY_HEADER_BYTES + k.len() + v.len()).sum();
            prop_assert!(scan::PAGE_HEADER_BYTES + taken <= input.len());
            prop_assert!(page.iter().count() <= page.count() as usize);
        }
    }
}
