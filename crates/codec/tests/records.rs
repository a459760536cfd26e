//! Entries: the bytes of every tag, what is refused, and how they print.

use proptest::collection::vec;
use proptest::prelude::*;
use wasm_storage_abi::tag;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::record::*;

fn header(tag: u8, version: u32) -> Vec<u8> {
    let mut memory = [0; MAX_HEADER_BYTES];
    let mut out = KeyBuf::new(&mut memory);
    write_header(tag, version, &mut out);
    out.written().map(<[u8]>::to_vec).unwrap_or_default()
}

fn record(tag: u8, version: u32, payload: &[u8]) -> Vec<u8> {
    [&header(tag, version)[..], payload].concat()
}

fn scalar<S: Scalar>(value: S) -> Vec<u8> {
    let mut memory = [0; MAX_SCALAR_RECORD_BYTES];
    let mut out = KeyBuf::new(&mut memory);
    write_header(S::TAG, 0, &mut out);
    value.write(&mut out);
    assert_eq!(out.len(), S::BYTES + 2);
    assert_eq!(tag::scalar_bytes(S::TAG), Some(S::BYTES));
    out.written().map(<[u8]>::to_vec).unwrap_or_default()
}

fn shown(record: &[u8]) -> String {
    Entry::parse(record).map_or_else(|e| format!("error: {e}"), |e| e.to_string())
}

#[test]
fn every_scalar_has_its_bytes_and_prints() {
    for (got, bytes, text) in [
        (scalar(-1_i8), &b"\x01\0\xFF"[..], "i8 -1"),
        (scalar(0x0102_i16), b"\x02\0\x02\x01", "i16 258"),
        (scalar(88_i32), b"\x03\0\x58\0\0\0", "i32 88"),
        (scalar(3_i64), b"\x04\0\x03\0\0\0\0\0\0\0", "i64 3"),
        (
            scalar(-2_i128),
            b"\x05\0\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
            "i128 -2",
        ),
        (scalar(255_u8), b"\x06\0\xFF", "u8 255"),
        (scalar(1_u16), b"\x07\0\x01\0", "u16 1"),
        (scalar(1_u32), b"\x08\0\x01\0\0\0", "u32 1"),
        (scalar(1_u64), b"\x09\0\x01\0\0\0\0\0\0\0", "u64 1"),
        (
            scalar(1_u128),
            b"\x0A\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "u128 1",
        ),
        (scalar(1.0_f32), b"\x0B\0\0\0\x80\x3F", "f32 1.0"),
        (scalar(-0.5_f64), b"\x0C\0\0\0\0\0\0\0\xE0\xBF", "f64 -0.5"),
        (scalar(true), b"\x0D\0\x01", "bool true"),
        (scalar('é'), b"\x0E\0\xE9\0\0\0", "char 'é'"),
    ] {
        assert_eq!(got, bytes, "{text}");
        assert_eq!(shown(&got), text);
    }
}

#[test]
fn every_other_tag_parses_and_prints() {
    for (bytes, entry, text) in [
        (&b"\x0F\0hello"[..], Entry::Str("hello"), "string \"hello\""),
        (b"\x10\0\x0a\xff", Entry::Bytes(b"\x0a\xff"), "bytes 0aff"),
        (b"\x10\0", Entry::Bytes(b""), "bytes"),
        (
            b"\x11\0\x08\x01\0\0\0\x02\0\0\0\x03\0\0\0",
            Entry::Array {
                element: tag::U32,
                count: 3,
                payload: b"\x01\0\0\0\x02\0\0\0\x03\0\0\0",
            },
            "u32[3] 1 2 3",
        ),
        (
            b"\x11\0\x0C",
            Entry::Array {
                element: tag::F64,
                count: 0,
                payload: b"",
            },
            "f64[0]",
        ),
        (
            b"\x12\x81\x01\0\0\0\0\x0a\x0b",
            Entry::Postcard {
                type_id: [0; 4],
                version: 129,
                body: b"\x0a\x0b",
            },
            "record 00000000 v129 0a0b",
        ),
        (
            b"\x13\0{\"a\":1}",
            Entry::Json("{\"a\":1}"),
            "json {\"a\":1}",
        ),
        (b"\x14\0\x01", Entry::Raw(b"\x01"), "raw 01"),
    ] {
        let parsed = Entry::parse(bytes).unwrap();
        assert_eq!(parsed, entry);
        assert_eq!(parsed.tag(), bytes[0]);
        assert_eq!(parsed.to_string(), text);
    }
}

#[test]
fn long_entries_are_shortened_with_their_length_named() {
    let text = shown(&record(tag::STRING, 0, "ä".repeat(5000).as_bytes()));
    assert_eq!(
        text,
        format!("string \"{}\"… (10000 bytes)", "ä".repeat(200))
    );
    let json = shown(&record(tag::JSON, 0, "1".repeat(201).as_bytes()));
    assert_eq!(json, format!("json {}… (201 bytes)", "1".repeat(200)));
    let bytes = shown(&record(tag::BYTES, 0, &[0xAB; 33]));
    assert_eq!(bytes, format!("bytes {}… (33 bytes)", "ab".repeat(32)));
    let array = shown(&record(tag::ARRAY, 0, &[tag::U8; 18]));
    assert_eq!(array, format!("u8[17]{} …", " 6".repeat(16)));
}

/// Stored text comes from guests; printed as it is, it would drive the terminal.
#[test]
fn control_characters_are_printed_as_escapes() {
    let hostile = "a\u{1b}[2J\n\u{202e}\u{9b}\u{7f}'\"\\é ";
    assert_eq!(
        shown(&record(tag::STRING, 0, hostile.as_bytes())),
        "string \"a\\u{1b}[2J\\n\\u{202e}\\u{9b}\\u{7f}'\\\"\\\\é \""
    );
    assert_eq!(
        shown(&record(tag::JSON, 0, b"{\n\"a\": \"\x1b\"}")),
        "json {\\n\"a\": \"\\u{1b}\"}"
    );
    assert_eq!(shown(&scalar('\u{1b}')), "char '\\u{1b}'");
}

#[test]
fn what_is_not_an_entry_is_refused_by_name() {
    for (bytes, error, text) in [
        (&b""[..], RecordError::Empty, "entry has no header"),
        (
            b"\0\0",
            RecordError::UnknownTag(0),
            "entry has the unknown tag 0",
        ),
        (
            b"\x15\0",
            RecordError::UnknownTag(21),
            "entry has the unknown tag 21",
        ),
        (
            b"\x04",
            RecordError::BadVersion,
            "entry has a malformed schema version",
        ),
        (
            b"\x04\x01\0\0\0\0\0\0\0\0",
            RecordError::BadVersion,
            "entry has a malformed schema version",
        ),
        (
            b"\x04\0\0\0",
            RecordError::BadLength { tag: 4, actual: 2 },
            "i64 entry has a payload of 2 bytes instead of 8",
        ),
        (
            b"\x12\0\0",
            RecordError::BadLength { tag: 18, actual: 1 },
            "record entry has a payload of 1 bytes",
        ),
        (
            b"\x11\0\x08\0\0\0",
            RecordError::BadLength { tag: 17, actual: 4 },
            "array entry has a payload of 4 bytes",
        ),
        (
            b"\x11\0",
            RecordError::BadLength { tag: 17, actual: 0 },
            "array entry has a payload of 0 bytes",
        ),
        (
            b"\x11\0\x0D\0",
            RecordError::BadValue { tag: 17 },
            "array entry has a value outside its type",
        ),
        (
            b"\x0D\0\x02",
            RecordError::BadValue { tag: 13 },
            "bool entry has a value outside its type",
        ),
        (
            b"\x0E\0\0\xD8\0\0",
            RecordError::BadValue { tag: 14 },
            "char entry has a value outside its type",
        ),
        (
            b"\x0F\0\xFF",
            RecordError::BadUtf8 { tag: 15 },
            "string entry is not UTF-8",
        ),
        (
            b"\x13\0\xFF",
            RecordError::BadUtf8 { tag: 19 },
            "json entry is not UTF-8",
        ),
    ] {
        assert_eq!(Entry::parse(bytes), Err(error));
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn versions_are_leb128_in_the_shortest_form() {
    for (version, bytes) in [
        (0, &b"\x12\0"[..]),
        (127, b"\x12\x7F"),
        (128, b"\x12\x80\x01"),
        (624_485, b"\x12\xE5\x8E\x26"), // the example of the DWARF standard
        (u32::MAX, b"\x12\xFF\xFF\xFF\xFF\x0F"),
    ] {
        assert_eq!(header(tag::POSTCARD, version), bytes);
    }
    for bad in [
        &b"\x12"[..],
        b"\x12\x80",
        b"\x12\x80\0",                   // 0 in two bytes
        b"\x12\xFF\xFF\xFF\xFF\x1F",     // 33 bits
        b"\x12\x80\x80\x80\x80\x80\x01", // six bytes
    ] {
        assert_eq!(split(bad), Err(RecordError::BadVersion), "{bad:?}");
    }
}

#[test]
fn the_host_reads_i64_entries_only() {
    assert_eq!(i64_entry(88).as_slice(), scalar(88_i64));
    for value in [0, 1, -1, i64::MIN, i64::MAX] {
        assert_eq!(read_i64_entry(&i64_entry(value)), Some(value));
    }
    let entry = i64_entry(7);
    assert_eq!(read_i64_entry(&entry[..9]), None);
    assert_eq!(read_i64_entry(&[&entry[..], &[0]].concat()), None);
    assert_eq!(read_i64_entry(&scalar(7_u64)), None);
    assert_eq!(read_i64_entry(&record(tag::I64, 1, &[0; 8])), None);
    assert_eq!(read_i64_entry(b""), None);
}

macro_rules! round_trips {
    ($($name:ident: $t:ty, $variant:ident;)*) => {
        $(proptest! {
            #[test]
            fn $name(value in any::<$t>()) {
                let record = scalar(value);
                let (header, payload) = split(&record).unwrap();
                prop_assert_eq!(header, Header { tag: <$t as Scalar>::TAG, version: 0 });
                prop_assert_eq!(<$t>::read(payload), Some(value));
                prop_assert_eq!(<$t>::read(&record), None, "wrong length");
                prop_assert_eq!(
                    Entry::parse(&record),
                    Ok(Entry::Scalar(ScalarValue::$variant(value)))
                );
            }
        })*
    };
}
round_trips! {
    i8_entries: i8, I8; i16_entries: i16, I16; i32_entries: i32, I32;
    i64_entries: i64, I64; i128_entries: i128, I128;
    u8_entries: u8, U8; u16_entries: u16, U16; u32_entries: u32, U32;
    u64_entries: u64, U64; u128_entries: u128, U128;
    f32_entries: f32, F32; f64_entries: f64, F64;
    bool_entries: bool, Bool; char_entries: char, Char;
}

#[test]
fn a_nan_keeps_its_bits() {
    for bits in [
        0x7FF8_0000_0000_0001,
        0xFFF8_0000_0000_0000,
        0x7FF0_0000_0000_0001,
    ] {
        let record = scalar(f64::from_bits(bits));
        assert_eq!(f64::read(&record[2..]).map(f64::to_bits), Some(bits));
    }
}

proptest! {
    #[test]
    fn headers_round_trip(version in any::<u32>(), shift in 0..32_u32, payload in vec(any::<u8>(), 0..8)) {
        let version = version >> shift;
        let record = record(tag::POSTCARD, version, &payload);
        let header = Header { tag: tag::POSTCARD, version };
        prop_assert_eq!(split(&record), Ok((header, &payload[..])));
    }

    #[test]
    fn arrays_give_their_elements(values in vec(any::<i16>(), 0..40)) {
        let mut payload = vec![tag::I16];
        payload.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let record = record(tag::ARRAY, 0, &payload);
        let entry = Entry::parse(&record).unwrap();
        let is_array = matches!(entry, Entry::Array { element: tag::I16, count, .. } if count == values.len());
        prop_assert!(is_array);
        let elements: Vec<_> = entry.elements().collect();
        prop_assert_eq!(elements, values.into_iter().map(ScalarValue::I16).collect::<Vec<_>>());
    }

    #[test]
    fn arbitrary_bytes_parse_and_print_on_one_line_or_are_refused(
        tag in prop_oneof![0..=22_u8, any::<u8>()],
        version in prop_oneof![Just(vec![0]), vec(any::<u8>(), 0..7)],
        payload in vec(any::<u8>(), 0..80),
    ) {
        let bytes = [&[tag][..], &version, &payload].concat();
        match Entry::parse(&bytes) {
            Ok(entry) => {
                prop_assert_eq!(entry.tag(), tag);
                prop_assert!(!entry.to_string().chars().any(char::is_control));
                if let Entry::Array { count, .. } = entry {
                    prop_assert_eq!(count, entry.elements().count());
                }
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// One byte form for each entry: `put_if_equal` compares bytes.
    #[test]
    fn an_accepted_header_is_the_one_that_is_written(bytes in vec(prop_oneof![0..=20_u8, any::<u8>()], 0..10)) {
        if let Ok((header, payload)) = split(&bytes) {
            prop_assert_eq!(record(header.tag, header.version, payload), bytes);
        }
    }
}
