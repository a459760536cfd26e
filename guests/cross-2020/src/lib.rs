//! The crate of 2020 and its replacement in one program: what one stores the other
//! loads, within a call, and both pack alike whatever the value is.

use core::fmt::Debug;

use rust_storage_interface_library::compat::ssvm_storage as new;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ssvm_2020::ssvm_storage as old;

/// Pseudo-random numbers (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1))
            .map(|_| self.below(256) as u8)
            .collect()
    }

    fn text(&mut self) -> String {
        let any = ['a', '\0', 'ß', '€', '🚪', '\u{10FFFF}'];
        (0..self.below(8))
            .map(|_| any[self.below(6) as usize])
            .collect()
    }
}

/// All that serde's data model has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Everything {
    numbers: (u8, i8, u16, i16, u32, i32, u64, i64),
    wide: (u128, i128),
    floats: [f32; 2],
    double: f64,
    flag: bool,
    letter: char,
    text: String,
    bytes: Vec<u8>,
    maybe: Option<Box<Everything>>,
    unit: (),
    marker: Marker,
    wrapped: Wrapped,
    pairs: Vec<(String, Choice)>,
    map: std::collections::BTreeMap<u8, String>,
    result: Option<Result<u8, String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wrapped(Vec<Option<u16>>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Choice {
    #[default]
    Nothing,
    One(i32),
    Two(u8, char),
    Named {
        a: String,
        b: Option<f64>,
    },
}

fn everything(random: &mut Random, depth: u32) -> Everything {
    let number = random.below(1 << 53).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let choice = |random: &mut Random| match random.below(4) {
        0 => Choice::Nothing,
        1 => Choice::One(number as i32),
        2 => Choice::Two(number as u8, 'ß'),
        _ => Choice::Named {
            a: random.text(),
            b: number.is_multiple_of(2).then_some(number as f64),
        },
    };
    Everything {
        numbers: (
            number as u8,
            number as i8,
            number as u16,
            number as i16,
            number as u32,
            number as i32,
            number,
            number as i64,
        ),
        wide: (u128::from(number) << 60, -i128::from(number)),
        floats: [number as f32, -0.0],
        double: number as f64,
        flag: number % 2 == 1,
        letter: random.text().chars().next().unwrap_or('x'),
        text: random.text(),
        bytes: random.bytes(300),
        maybe: (depth > 0).then(|| Box::new(everything(random, depth - 1))),
        unit: (),
        marker: Marker,
        wrapped: Wrapped(
            (0..random.below(4))
                .map(|n| (n > 0).then_some(n as u16))
                .collect(),
        ),
        pairs: (0..random.below(4))
            .map(|_| (random.text(), choice(random)))
            .collect(),
        map: (0..random.below(4))
            .map(|n| (n as u8, random.text()))
            .collect(),
        result: match random.below(3) {
            0 => None,
            1 => Some(Ok(7)),
            _ => Some(Err(random.text())),
        },
    }
}

/// Both pack a value alike, and each loads what the other has stored.
fn agree<T: Clone + Debug + PartialEq + Serialize + DeserializeOwned>(value: &T, witness: T) {
    let packed = old::store::serialize_unknown_to_vec_i32(value.clone());
    assert_eq!(
        new::store::serialize_unknown_to_vec_i32(value.clone()),
        packed
    );
    let unpacked = new::load::deserialize_vec_i32_to_unknown(packed, witness.clone());
    assert_eq!(unpacked, *value);
    let key = old::store::store(value.clone());
    assert_eq!(new::load::load_as_struct(&key, witness.clone()), *value);
    let key = new::store::store(value.clone());
    assert_eq!(old::load::load_as_struct(&key, witness), *value);
}

/// Values of every type, 300 of them made up; how many.
#[unsafe(no_mangle)]
pub extern "C" fn agree_on_everything() -> i32 {
    let mut random = Random(0x2020_0810);
    for round in 0..300 {
        agree(&everything(&mut random, round % 3), Everything::default());
    }
    300
}

/// Byte vectors of every length from 0 to 299; how many.
#[unsafe(no_mangle)]
pub extern "C" fn agree_on_every_length() -> i32 {
    let mut random = Random(7);
    for length in 0..300 {
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        agree(&bytes, Vec::new());
    }
    300
}

/// A key of another length: each uses the first 32 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn agree_on_long_keys() -> i32 {
    let long = "a-key-that-is-longer-than-32-bytes-by-far";
    old::store::update(long, 1_u8);
    assert_eq!(new::load::load_as_u8(long), 1);
    assert_eq!(new::load::load_as_u8(&long[..32]), 1);
    new::store::update(long, 2_u8);
    assert_eq!(old::load::load_as_u8(long), 2);
    new::store::update_as_i32_vector(long, vec![3, 4]);
    assert_eq!(old::load::load_as_i32_vector(long), [3, 4]);
    old::store::update_as_i32_vector(long, vec![5]);
    assert_eq!(new::load::load_as_i32_vector(long), [5]);
    6
}
