//! The commands and replies of `exec`.

use proptest::collection::vec;
use proptest::prelude::*;
use wasm_storage_abi::limits::BATCH_OPERATIONS;
use wasm_storage_abi::wire::exec;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::exec::*;

fn written(write: impl Fn(&mut KeyBuf<'_>)) -> Vec<u8> {
    let mut out = KeyBuf::new(&mut []);
    write(&mut out);
    let mut memory = vec![0; out.len()];
    let mut out = KeyBuf::new(&mut memory);
    write(&mut out);
    out.written().map(<[u8]>::to_vec).unwrap_or_default()
}

/// One operation as bytes, without the header of a command.
fn operation(op: u8, flags: u8, ns: u16, key: &[u8], body: &[u8]) -> Vec<u8> {
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let ns = ns.to_le_bytes();
    [&[op, flags][..], &ns, &len(key), &len(body), key, body].concat()
}

fn command(operations: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(operations.len()).unwrap_or(u16::MAX);
    let mut bytes = written(|out| write_header(0, count, out));
    operations.iter().for_each(|op| bytes.extend(op));
    bytes
}

/// The only operation of a command.
fn parsed(op: u8, flags: u8, key: &[u8], body: &[u8]) -> Result<String, CommandError> {
    let bytes = command(&[operation(op, flags, 0, key, body)]);
    let mut operations = Command::parse(&bytes)?.operations();
    let first = operations.next().unwrap_or(Err(CommandError::Truncated))?;
    assert!(operations.next().is_none());
    Ok(format!("{:?}", first.body))
}

#[test]
fn every_operation_has_its_bytes() {
    let put = |ttl_ms, if_absent, if_equal| Body::Put {
        ttl_ms,
        if_absent,
        if_equal,
        value: b"v",
    };
    let ms = b"\x01\x02\0\0\0\0\0\0";
    for (body, op, flags, key, bytes) in [
        (Body::Get, exec::GET, 0, &b"k"[..], &b""[..]),
        (put(None, false, None), exec::PUT, 0, b"k", b"v"),
        (
            put(None, true, None),
            exec::PUT,
            exec::PUT_IF_ABSENT,
            b"k",
            b"v",
        ),
        (
            put(Some(513), false, Some(b"old")),
            exec::PUT,
            exec::PUT_TTL | exec::PUT_IF_EQUAL,
            b"k",
            b"\x01\x02\0\0\0\0\0\0\x03\0\0\0oldv",
        ),
        (Body::Delete { existed: false }, exec::DELETE, 0, b"k", b""),
        (
            Body::Delete { existed: true },
            exec::DELETE,
            exec::DELETE_EXISTED,
            b"k",
            b"",
        ),
        (Body::Add { delta: -1 }, exec::ADD, 0, b"k", &[0xFF; 8]),
        (Body::Replace { value: b"v" }, exec::REPLACE, 0, b"k", b"v"),
        (Body::Ttl(Ttl::Get), exec::TTL, 0, b"k", b""),
        (
            Body::Ttl(Ttl::Set { ttl_ms: 513 }),
            exec::TTL,
            exec::TTL_SET,
            b"k",
            ms,
        ),
        (Body::Ttl(Ttl::Clear), exec::TTL, exec::TTL_CLEAR, b"k", b""),
        (
            Body::DeleteRange { spec: b"s" },
            exec::DELETE_RANGE,
            0,
            b"",
            b"s",
        ),
        (Body::Scan { spec: b"s" }, exec::SCAN, 0, b"", b"s"),
    ] {
        let made = Operation::new(258, key, body);
        let encoded = written(|out| made.write(out));
        assert_eq!(encoded, operation(op, flags, 258, key, bytes), "{body:?}");
        assert_eq!(made.encoded_len(), encoded.len());
        let command = command(&[encoded]);
        let read = Command::parse(&command).unwrap().operations().next();
        assert_eq!(read, Some(Ok(made)));
    }
}

#[test]
fn an_unknown_operation_is_skipped_and_the_next_one_read() {
    let bytes = command(&[
        operation(99, 0xFF, 3, b"key", b"of a later version"),
        operation(exec::GET, 0, 0, b"k", b""),
    ]);
    let read: Vec<_> = Command::parse(&bytes).unwrap().operations().collect();
    let unknown = Operation {
        op: 99,
        flags: 0xFF,
        ns: 3,
        key: b"key",
        body: Body::Unknown,
    };
    assert_eq!(read, [Ok(unknown), Ok(Operation::new(0, b"k", Body::Get))]);
}

#[test]
fn a_bad_body_is_an_error_of_its_operation_alone() {
    let bytes = command(&[
        operation(exec::ADD, 0, 0, b"k", b"short"),
        operation(exec::GET, 0, 0, b"k", b""),
    ]);
    let read: Vec<_> = Command::parse(&bytes).unwrap().operations().collect();
    assert_eq!(read[0], Err(CommandError::BadBody));
    assert!(read[1].is_ok());
}

#[test]
fn bodies_that_do_not_fit_are_refused() {
    use CommandError::{BadBody, UnknownFlags};
    let both = exec::PUT_IF_ABSENT | exec::PUT_IF_EQUAL;
    for (op, flags, key, body, error) in [
        (exec::GET, 0, &b"k"[..], &b"x"[..], BadBody),
        (exec::GET, 1, b"k", b"", UnknownFlags),
        (exec::PUT, exec::PUT_TTL, b"k", b"short", BadBody),
        (
            exec::PUT,
            exec::PUT_IF_EQUAL,
            b"k",
            b"\x09\0\0\0old",
            BadBody,
        ),
        (exec::PUT, both, b"k", b"\0\0\0\0", BadBody),
        (exec::PUT, 1 << 3, b"k", b"", UnknownFlags),
        (exec::DELETE, 0, b"k", b"x", BadBody),
        (exec::DELETE, 2, b"k", b"", UnknownFlags),
        (exec::ADD, 0, b"k", b"123456789", BadBody),
        (exec::REPLACE, 1, b"k", b"", UnknownFlags),
        (
            exec::TTL,
            exec::TTL_SET | exec::TTL_CLEAR,
            b"k",
            b"12345678",
            BadBody,
        ),
        (exec::TTL, exec::TTL_CLEAR, b"k", b"12345678", BadBody),
        (exec::TTL, exec::TTL_SET, b"k", b"", BadBody),
        (exec::TTL, 4, b"k", b"", UnknownFlags),
        (exec::SCAN, 0, b"k", b"", BadBody),
        (exec::DELETE_RANGE, 0, b"k", b"", BadBody),
    ] {
        assert_eq!(parsed(op, flags, key, body), Err(error), "{op} {flags}");
    }
}

#[test]
fn commands_that_are_not_whole_are_refused_before_anything_runs() {
    let bytes = command(&[operation(exec::GET, 0, 0, b"k", b"")]);
    let refused = |bytes: &[u8]| Command::parse(bytes).map(|_| ()).unwrap_err();
    for end in 0..bytes.len() {
        assert_eq!(refused(&bytes[..end]), CommandError::Truncated);
    }
    let long = [&bytes[..], &[0]].concat();
    assert_eq!(refused(&long), CommandError::TrailingBytes);
    assert_eq!(refused(b"\x02\0\0\0"), CommandError::UnknownVersion);
    assert_eq!(refused(b"\x01\x04\0\0"), CommandError::UnknownFlags);
    let hostile = b"\x01\0\x01\0\x01\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFk";
    assert_eq!(refused(hostile), CommandError::Truncated);
}

/// The limit's value passes and one beyond does not. (TooMany comes before the
/// operations are looked at, so a header alone is enough to be refused.)
#[test]
fn a_command_has_at_most_the_limit_of_operations() {
    let get = operation(exec::GET, 0, 0, b"", b"");
    let full = command(&vec![get.clone(); BATCH_OPERATIONS]);
    assert_eq!(Command::parse(&full).unwrap().count(), BATCH_OPERATIONS);
    let beyond = command(&vec![get; BATCH_OPERATIONS + 1]);
    for bytes in [&beyond[..], &beyond[..exec::HEADER_BYTES]] {
        assert_eq!(
            Command::parse(bytes).map(|_| ()),
            Err(CommandError::TooMany)
        );
    }

    let mut memory = vec![0; full.len() + exec::OP_HEADER_BYTES];
    for (count, fits) in [(BATCH_OPERATIONS, true), (BATCH_OPERATIONS + 1, false)] {
        let mut builder = CommandBuilder::new(&mut memory, 0);
        (0..count).for_each(|_| builder.get(0, b""));
        assert_eq!((builder.count(), builder.finish().is_some()), (count, fits));
    }
}

#[test]
fn the_builder_writes_each_operation_and_the_count() {
    let mut memory = [0; 512];
    let mut builder = CommandBuilder::new(&mut memory, exec::ATOMIC);
    builder.get(1, b"a");
    builder.put(2, b"b", b"v");
    builder.delete(3, b"c", true);
    builder.add(4, b"d", 5);
    builder.replace(5, b"e", b"w");
    builder.ttl(6, b"f", Ttl::Clear);
    builder.delete_range(7, b"s");
    builder.scan(8, b"t");
    let needed = builder.needed();
    let bytes = builder.finish().unwrap();
    assert_eq!(bytes.len(), needed);
    let command = Command::parse(bytes).unwrap();
    assert!(command.has(exec::ATOMIC) && !command.has(exec::STOP_ON_ERROR));
    assert_eq!(command.count(), 8);
    for (i, operation) in command.operations().enumerate() {
        let operation = operation.unwrap();
        assert_eq!(usize::from(operation.op), i + 1);
        assert_eq!(usize::from(operation.ns), i + 1);
    }

    let mut short = vec![0; needed - 1];
    let mut builder = CommandBuilder::new(&mut short, 0);
    builder.put(0, b"key", &vec![0; needed]);
    assert!(builder.needed() > needed);
    assert!(builder.finish().is_none());
    assert!(CommandBuilder::new(&mut [0; 3], 0).finish().is_none());
}

#[test]
fn replies_have_their_bytes() {
    let mut bytes = b"left over".to_vec();
    let mut writer = ReplyWriter::new(&mut bytes);
    assert!(writer.is_empty());
    assert!(writer.fits(2, 10) && !writer.fits(3, 10));
    assert!(!writer.fits(usize::MAX, usize::MAX - 1));
    writer.push(0, b"ok");
    writer.push(-1, b"");
    assert_eq!((writer.len(), writer.is_empty()), (18, false));
    assert_eq!(bytes, b"\0\0\0\0\x02\0\0\0ok\xFF\xFF\xFF\xFF\0\0\0\0");
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..12)
}

/// Bytes that are often a sound frame, so that bodies are reached.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let frame = (0..10_u8, 0..9_u8, any::<u16>(), string(), string())
        .prop_map(|(op, flags, ns, key, body)| operation(op, flags, ns, &key, &body));
    let frames = vec(frame, 0..6).prop_map(|frames| command(&frames));
    prop_oneof![
        frames,
        vec(
            prop_oneof![4 => Just(0_u8), 2 => 0..3_u8, 1 => any::<u8>()],
            0..80
        ),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_command_or_refused(bytes in noise()) {
        match Command::parse(&bytes) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(command) => {
                prop_assert_eq!(command.operations().count(), command.count());
                for operation in command.operations().flatten() {
                    // What decodes encodes to the same bytes.
                    if operation.body != Body::Unknown {
                        let again = written(|out| operation.write(out));
                        prop_assert!(bytes.windows(again.len()).any(|part| part == again));
                        prop_assert_eq!(Operation::new(operation.ns, operation.key, operation.body), operation);
                    }
                }
            }
        }
    }

    #[test]
    fn puts_round_trip(
        ns in any::<u16>(), key in string(), value in string(),
        ttl_ms in any::<Option<u64>>(), equal in proptest::option::of(string()), if_absent in any::<bool>(),
    ) {
        let if_absent = if_absent && equal.is_none();
        let body = Body::Put { ttl_ms, if_absent, if_equal: equal.as_deref(), value: &value };
        let put = Operation::new(ns, &key, body);
        let bytes = command(&[written(|out| put.write(out))]);
        prop_assert_eq!(Command::parse(&bytes).unwrap().operations().next(), Some(Ok(put)));
    }

    #[test]
    fn replies_round_trip(replies in vec((any::<i32>(), string()), 0..20)) {
        let mut bytes = Vec::new();
        let mut writer = ReplyWriter::new(&mut bytes);
        replies.iter().for_each(|(status, bytes)| writer.push(*status, bytes));
        let mut reader = Replies::new(&bytes);
        let read: Vec<_> = reader.by_ref().map(|r| (r.status, r.bytes.to_vec())).collect();
        prop_assert_eq!(read, replies);
        prop_assert!(reader.rest().is_empty());
    }

    #[test]
    fn arbitrary_bytes_are_read_as_replies_without_panic(bytes in noise()) {
        let taken: usize = Replies::new(&bytes).map(|r| exec::REPLY_HEADER_BYTES + r.bytes.len()).sum();
        prop_assert!(taken <= bytes.len());
    }
}
