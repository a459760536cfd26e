//! Keys: the bytes of every kind, their order, and what decoding refuses.

use proptest::collection::vec;
use proptest::prelude::*;
use wasm_storage_codec::key::{self, *};

/// The bytes of a key.
fn bytes<K: Key, Q: AsKey<K> + ?Sized>(key: &Q) -> Vec<u8> {
    written(|out| key.encode(out))
}

/// Writes twice: into too little memory for the length, then for the bytes.
fn written(write: impl Fn(&mut KeyBuf<'_>)) -> Vec<u8> {
    let mut out = KeyBuf::new(&mut []);
    write(&mut out);
    let mut memory = vec![0xAA; out.len()];
    let mut out = KeyBuf::new(&mut memory);
    write(&mut out);
    out.written().map(<[u8]>::to_vec).unwrap_or_default()
}

fn at(key: impl AtKey) -> Vec<u8> {
    written(|out| key.encode_at(out))
}

#[test]
fn every_kind_has_its_bytes() {
    assert_eq!(bytes::<u8, _>(&7), [7]);
    assert_eq!(bytes::<u16, _>(&0x0102), [1, 2]);
    assert_eq!(bytes::<u32, _>(&7), [0, 0, 0, 7]);
    assert_eq!(bytes::<u64, _>(&7), [0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(bytes::<u128, _>(&7), 7_u128.to_be_bytes());
    assert_eq!(bytes::<i8, _>(&-1), [0x7F]);
    assert_eq!(bytes::<i16, _>(&0), [0x80, 0]);
    assert_eq!(bytes::<i32, _>(&1), [0x80, 0, 0, 1]);
    assert_eq!(bytes::<i64, _>(&i64::MIN), [0; 8]);
    assert_eq!(bytes::<i128, _>(&i128::MAX), [0xFF; 16]);
    assert_eq!(bytes::<bool, _>(&true), [1]);
    assert_eq!(bytes::<char, _>(&'é'), [0, 0, 0, 0xE9]);
    assert_eq!(bytes::<&'static str, _>("a\0b"), b"a\0\xFFb\0\0");
    assert_eq!(bytes::<String, _>(""), b"\0\0");
    assert_eq!(bytes::<&'static [u8], _>(b"\0"), b"\0\xFF\0\0");
    assert_eq!(bytes::<Vec<u8>, _>(b"\xFF"), b"\xFF\0\0");
    assert_eq!(bytes::<[u8; 3], _>(b"\0\xFFa"), b"\0\xFFa");
    assert_eq!(bytes::<(), _>(&()), b"");
    assert_eq!(bytes::<(u16, &'static str), _>(&(1, "x")), b"\0\x01x\0\0");
    assert_eq!(
        bytes::<(u8, (bool, i8), String), _>(&(1, (true, 0), "x")),
        b"\x01\x01\x80x\0\0"
    );
    assert_eq!(
        bytes::<(u8, u8, u8, u8, u8, u8), _>(&(1, 2, 3, 4, 5, 6)),
        [1, 2, 3, 4, 5, 6]
    );
}

/// What a user writes: the type of the key is known, the argument finds its own.
#[test]
fn arguments_are_inferred() {
    struct Map<K>(std::marker::PhantomData<fn(K)>);
    impl<K: Key> Map<K> {
        fn get<Q: AsKey<K>>(&self, key: Q) -> Vec<u8> {
            bytes::<K, Q>(&key)
        }
    }
    fn map<K>() -> Map<K> {
        Map(std::marker::PhantomData)
    }
    let owned = String::from("a");
    let reference: &String = &owned;
    let (seven, pair) = (&7, &(7, &owned));
    let a = b"a\0\0";
    for got in [
        map::<&'static str>().get("a"),
        map::<&'static str>().get(&owned),
        map::<&'static str>().get(reference),
        map::<&'static str>().get(owned.clone()),
        map::<String>().get("a"),
        map::<String>().get(&owned),
        map::<&'static [u8]>().get(b"a"),
        map::<&'static [u8]>().get(&b"a"[..]),
        map::<Vec<u8>>().get(vec![b'a']),
        map::<Vec<u8>>().get(b"a"),
    ] {
        assert_eq!(got, a);
    }
    assert_eq!(map::<u32>().get(7), [0, 0, 0, 7]);
    assert_eq!(map::<u32>().get(seven), [0, 0, 0, 7]);
    assert_eq!(map::<(u8, &'static str)>().get((7, "x")), b"\x07x\0\0");
    assert_eq!(map::<(u8, &'static str)>().get(pair), b"\x07a\0\0");
    assert_eq!(map::<(u8, i8)>().get((7, -1)), [7, 0x7F]);
    assert_eq!(map::<[u8; 2]>().get([1, 2]), [1, 2]);
}

#[test]
fn composites_split_into_first_and_rest() {
    fn prefix<K: Composite>(first: impl AsKey<K::First>, rest: impl AsKey<K::Rest>) -> Vec<u8> {
        let mut all = bytes::<K::First, _>(&first);
        all.extend(bytes::<K::Rest, _>(&rest));
        all
    }
    type Three = (u8, &'static str, i8);
    assert_eq!(
        prefix::<Three>(1, ("x", 2)),
        bytes::<Three, _>(&(1, "x", 2))
    );
    assert_eq!(prefix::<(u8, u8)>(1, 2), [1, 2]);
    type Six = (u8, u8, u8, u8, u8, u8);
    assert_eq!(prefix::<Six>(1, (2, 3, 4, 5, 6)), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn malformed_bytes_are_refused() {
    fn refused<K: Key>(bytes: &[u8]) -> bool {
        key::decode_all::<K>(bytes).is_err()
    }
    assert!(refused::<u32>(b"\0\0\0"));
    assert!(refused::<u32>(b"\0\0\0\0\0"));
    assert!(refused::<bool>(b"\x02"));
    assert!(refused::<char>(b"\0\0\xD8\0"), "surrogate");
    assert!(refused::<char>(b"\0\x11\0\0"), "beyond Unicode");
    assert!(refused::<String>(b"a"), "no end mark");
    assert!(refused::<String>(b"a\0"), "half an end mark");
    assert!(refused::<String>(b"a\0\x01\0\0"), "bad escape");
    assert!(refused::<String>(b"\xC3\x28\0\0"), "not UTF-8");
    assert!(refused::<String>(b"\0\0\0"), "bytes behind the end");
    assert!(refused::<(u8, u8)>(b"\x01"));
    assert!(refused::<[u8; 2]>(b"\x01"));
}

#[test]
fn keys_of_one_type_are_never_the_start_of_each_other() {
    let (a, b) = (bytes::<String, _>("a"), bytes::<String, _>("a\0"));
    assert!(a < b && !b.starts_with(&a));
}

#[test]
fn at_keys_have_their_space_and_kind() {
    assert_eq!(at("a"), b"\0\x04\x01a\0\0");
    assert_eq!(at(String::from("a")), at("a"));
    assert_eq!(at(b"a"), b"\0\x04\x02a\0\0");
    assert_eq!(at(vec![b'a']), at(&b"a"[..]));
    assert_eq!(at(1_u8), b"\0\x04\x03\0\0\0\0\0\0\0\x01");
    assert_eq!(at(1), b"\0\x04\x04\x80\0\0\0\0\0\0\x01", "literals are i32");
    assert_eq!(
        at(("a", 1_u8)),
        b"\0\x04\x05\x01a\0\0\x03\0\0\0\0\0\0\0\x01"
    );
    let pair = &("a", &1_u16);
    assert_eq!(at(pair), at(("a", 1_u64)));
    assert_eq!(at((1_u8, 2, "3", b"4", 5_i64, 6_u64))[..3], [0, 4, 5]);
}

#[test]
fn at_keys_of_different_kinds_differ_also_in_tuples() {
    assert_ne!(at(1_u32), at(1_i32));
    assert_ne!(at("a"), at(b"a"));
    assert_ne!(at((0, 1_i64)), at((0, (1_u64 << 63) + 1)));
    assert_ne!(at((0, "a")), at((0, b"a")));
    assert_ne!(at(("a", "b")), at(("a", "b", "")));
}

#[test]
fn without_a_byte_below_ff_there_is_no_successor() {
    for prefix in [&b""[..], b"\xFF", b"\xFF\xFF"] {
        let mut memory = [0; 4];
        let mut out = KeyBuf::new(&mut memory);
        assert!(!successor(prefix, &mut out));
        assert!(out.is_empty());
    }
}

#[test]
fn too_little_memory_is_told_and_counted() {
    for size in 0..6 {
        let mut memory = vec![0; size];
        let mut out = KeyBuf::new(&mut memory);
        AsKey::<(u32, u16)>::encode(&(1, 2), &mut out);
        assert_eq!(out.len(), 6);
        assert_eq!(out.written(), None, "{size} bytes");
    }
    let mut memory = [0; 2];
    let mut out = KeyBuf::new(&mut memory);
    out.extend(&[1, 2, 3]);
    out.push(4);
    assert_eq!((out.len(), out.written()), (4, None));
}

/// Order and round trip of one kind.
macro_rules! ordered {
    ($($name:ident: $key:ty, $strategy:expr;)*) => {
        $(proptest! {
            #[test]
            fn $name(a in $strategy, b in $strategy) {
                let (x, y) = (bytes::<$key, _>(&a), bytes::<$key, _>(&b));
                prop_assert_eq!(x.cmp(&y), a.cmp(&b));
                prop_assert!(x == y || !y.starts_with(&x));

                let both = [&x[..], &y[..]].concat();
                let mut rest = &both[..];
                prop_assert_eq!(<$key as Key>::decode(&mut rest), Ok(a));
                prop_assert_eq!(<$key as Key>::decode(&mut rest), Ok(b));
                prop_assert!(rest.is_empty());
            }
        })*

        proptest! {
            /// What decodes is the one encoding of its value, so equal keys have equal bytes.
            #[test]
            fn arbitrary_bytes_decode_or_are_refused(
                input in vec(prop_oneof![Just(0), Just(1), Just(0xFF), Just(b'a'), any::<u8>()], 0..40)
            ) {
                $({
                    let mut rest = &input[..];
                    if let Ok(key) = <$key as Key>::decode(&mut rest) {
                        let taken = input.len() - rest.len();
                        prop_assert_eq!(&bytes::<$key, _>(&key)[..], &input[..taken]);
                        prop_assert_eq!(rest, &input[taken..]);
                    }
                })*
            }
        }
    };
}

/// Text that often shares a start, and often has bytes that need care.
fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        Just('\0'),
        Just('\u{1}'),
        Just('a'),
        Just('\u{FF}'),
        any::<char>()
    ];
    vec(char, 0..6).prop_map(|chars| chars.into_iter().collect())
}

fn raw() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![Just(0), Just(1), Just(0xFE), Just(0xFF), any::<u8>()],
        0..6,
    )
}

ordered! {
    u8_keys: u8, any::<u8>();
    u16_keys: u16, any::<u16>();
    u32_keys: u32, any::<u32>();
    u64_keys: u64, any::<u64>();
    u128_keys: u128, any::<u128>();
    i8_keys: i8, any::<i8>();
    i16_keys: i16, any::<i16>();
    i32_keys: i32, any::<i32>();
    i64_keys: i64, any::<i64>();
    i128_keys: i128, any::<i128>();
    bool_keys: bool, any::<bool>();
    char_keys: char, any::<char>();
    str_keys: &'static str, text();
    string_keys: String, text();
    slice_keys: &'static [u8], raw();
    vec_keys: Vec<u8>, raw();
    array_keys: [u8; 3], any::<[u8; 3]>();
    pair_keys: (u32, u64), (0..3_u32, any::<u64>());
    text_first_keys: (String, i16), (text(), any::<i16>());
    text_twice_keys: (String, Vec<u8>), (text(), raw());
    triple_keys: (bool, String, i128), (any::<bool>(), text(), any::<i128>());
    nested_keys: (String, (u8, String), char), (text(), (0..2_u8, text()), any::<char>());
    four_keys: (i8, String, String, u8), (-1..1_i8, text(), text(), any::<u8>());
    five_keys: (u8, u8, u8, u8, String), (0..2_u8, 0..2_u8, 0..2_u8, 0..2_u8, text());
    six_keys: (u8, i8, u8, i8, u8, String), (0..2_u8, -1..1_i8, 0..2_u8, -1..1_i8, 0..2_u8, text());
}

proptest! {
    #[test]
    fn a_prefix_is_the_start_of_what_starts_with_it_and_of_nothing_else(a in text(), b in text()) {
        let start = written(|out| encode_str_prefix(&a, out));
        prop_assert_eq!(bytes::<String, _>(&b).starts_with(&start), b.starts_with(&a));
        let joined = format!("{a}{b}");
        prop_assert!(bytes::<String, _>(&joined).starts_with(&start));
    }

    #[test]
    fn the_successor_is_the_least_bound_of_a_prefix(prefix in raw(), tail in raw(), other in raw()) {
        let mut memory = [0; 8];
        let mut out = KeyBuf::new(&mut memory);
        if successor(&prefix, &mut out) {
            let bound = out.written().unwrap();
            prop_assert!([&prefix[..], &tail[..]].concat().as_slice() < bound);
            // Least: what is below it and not below the prefix starts with the prefix.
            if other.as_slice() < bound && other >= prefix {
                prop_assert!(other.starts_with(&prefix));
            }
        } else {
            prop_assert!(prefix.iter().all(|b| *b == 0xFF));
        }
    }

    #[test]
    fn at_keys_widen(a in any::<u8>(), b in any::<i8>(), c in any::<u32>(), d in any::<i32>()) {
        prop_assert_eq!(at(a), at(u64::from(a)));
        prop_assert_eq!(at(u16::from(a)), at(u32::from(a)));
        prop_assert_eq!(at(b), at(i64::from(b)));
        prop_assert_eq!(at(i16::from(b)), at(i32::from(b)));
        prop_assert_eq!(at((a, b, "x")), at((u64::from(a), i64::from(b), "x".to_string())));
        prop_assert_eq!(at(c) == at(a), c == u32::from(a));
        prop_assert_eq!(at(d).cmp(&at(b)), d.cmp(&i32::from(b)));
    }

    #[test]
    fn at_keys_are_equal_exactly_if_their_parts_are(
        a in (text(), any::<i64>()), b in (text(), any::<i64>()), c in (text(), raw()),
    ) {
        prop_assert_eq!(at((&a.0, a.1)).cmp(&at((&b.0, b.1))), a.cmp(&b));
        prop_assert_ne!(at((&a.0, a.1)), at((&c.0, &c.1)));
        prop_assert_ne!(at(&a.0), at(a.0.as_bytes()));
    }
}
