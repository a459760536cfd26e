//! What a power failure can leave of a write: stores with some sectors missing.
//!
//! The files of a store are read twice: when its last commit was acknowledged, and
//! after one more batch was written. Until that batch is synced, a disk may have any
//! of the sectors (512 bytes) that differ, and files may have either length. A
//! [`Tail`] is that difference, a [`Variant`] one choice, an [`Image`] the files it
//! makes. The caller sees to it that nothing but the one batch is written between
//! the two readings, and that it is synced once, at its end.
//!
//! [`run`] builds stores, tears them and opens what is left; it is in `trial`.

mod trial;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::Random;
pub use trial::{Counts, Engine, run};

/// Disks write so many bytes or none.
pub const SECTOR: usize = 512;
/// Tails of so many sectors are torn in every way.
const ALL_SUBSETS: usize = 8;

/// The files of a store: one file, or all in a folder by their names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(BTreeMap<PathBuf, Contents>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Contents {
    Folder,
    /// `data` is without the zeros at its end: journals are mostly nothing.
    File {
        data: Vec<u8>,
        length: u64,
    },
}

impl Image {
    /// Reads the file at `path`, or everything in the folder.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(path, Path::new(""), &mut files)?;
        Ok(Image(files))
    }

    /// Makes `path` be these files. Nothing is synced.
    pub fn lay_down(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        }
        for (name, contents) in &self.0 {
            // Joined with nothing, a path to a file would become one to a folder.
            let at = match name.as_os_str().is_empty() {
                true => path.to_path_buf(),
                false => path.join(name),
            };
            match contents {
                Contents::Folder => fs::create_dir(&at)?,
                Contents::File { data, length } => {
                    let mut file = File::create(&at)?;
                    file.write_all(data)?;
                    file.set_len(*length)?;
                }
            }
        }
        Ok(())
    }
}

fn collect(path: &Path, name: &Path, files: &mut BTreeMap<PathBuf, Contents>) -> io::Result<()> {
    if !path.is_dir() {
        let mut data = Vec::new();
        let length = File::open(path)?.read_to_end(&mut data)?;
        trim(&mut data);
        let length = u64::try_from(length).unwrap();
        files.insert(name.to_path_buf(), Contents::File { data, length });
        return Ok(());
    }
    files.insert(name.to_path_buf(), Contents::Folder);
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        collect(&entry.path(), &name.join(entry.file_name()), files)?;
    }
    Ok(())
}

/// Takes the zeros from the end.
fn trim(data: &mut Vec<u8>) {
    const CHUNK: usize = 4096;
    // By chunks first: compared as memory, not byte by byte.
    while data.len() > CHUNK && data[data.len() - CHUNK..] == [0; CHUNK] {
        data.truncate(data.len() - CHUNK);
    }
    let end = data
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    data.truncate(end);
    data.shrink_to_fit();
}

/// What one batch has written.
#[derive(Debug)]
pub struct Tail {
    before: Image,
    after: Image,
    /// Files and sectors that differ, in order.
    sectors: Vec<(PathBuf, usize)>,
}

/// What of a tail is on the disk.
#[derive(Clone, Debug)]
pub struct Variant {
    /// For each sector of the tail: whether it has its new content.
    pub written: Vec<bool>,
    /// How long the files are.
    pub length: Length,
}

/// How the files of an engine become longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It writes behind their end: a file can end anywhere.
    Appended,
    /// They get a greater length at once, and a sync makes it durable before the
    /// first sector, which tells of it, is written; a smaller one after the last sync.
    Ordered,
}

/// How long files are after a torn write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As long as the write has made them.
    New,
    /// As long as they were before.
    Old,
    /// The file of this sector of the tail ends where the sector begins.
    EndsAt(usize),
}

impl Tail {
    /// The difference. `None` if there are other files than before: then more was
    /// written than a batch.
    pub fn between(before: Image, after: Image) -> Option<Self> {
        if !before.0.keys().eq(after.0.keys()) {
            return None;
        }
        let mut sectors = Vec::new();
        for (name, new) in &after.0 {
            let (Contents::File { data: old, .. }, Contents::File { data: new, .. }) =
                (before.0.get(name)?, new)
            else {
                continue;
            };
            let count = old.len().max(new.len()).div_ceil(SECTOR);
            let differ = (0..count).filter(|at| sector(old, *at) != sector(new, *at));
            sectors.extend(differ.map(|at| (name.clone(), at)));
        }
        Some(Tail {
            before,
            after,
            sectors,
        })
    }

    /// Sectors that the batch has changed.
    pub fn sectors(&self) -> usize {
        self.sectors.len()
    }

    /// Ways to tear it, `most` at most: every subset of few sectors; of many, every
    /// cut, every single sector missing and random subsets, by chance if too many.
    pub fn variants(&self, random: &mut Random, most: usize) -> Vec<Variant> {
        let count = self.sectors.len();
        let mut all = Vec::new();
        if count <= ALL_SUBSETS {
            for subset in 0..1_usize << count {
                let written: Vec<bool> = (0..count).map(|at| subset >> at & 1 == 1).collect();
                all.push(Variant::new(written.clone(), Length::New));
                all.push(Variant::new(written, Length::Old));
            }
        } else {
            for at in 0..count {
                let mut written = vec![true; count];
                written[at] = false;
                all.push(Variant::new(written, Length::New));
                all.push(Variant::new(
                    (0..count).map(|i| i < at).collect(),
                    Length::New,
                ));
            }
            for _ in 0..count.max(most / 2) {
                // From almost nothing to almost everything.
                let of_16 = 1 + random.below(15);
                let written = (0..count).map(|_| random.below(16) < of_16).collect();
                let length = [Length::New, Length::Old][random.below(2)];
                all.push(Variant::new(written, length));
            }
        }
        for at in 0..count {
            let written = (0..count).map(|i| i < at).collect();
            all.push(Variant::new(written, Length::EndsAt(at)));
        }
        // A choice of them, in any order.
        for at in 0..all.len() {
            let other = at + random.below(all.len() - at);
            all.swap(at, other);
        }
        all.truncate(most);
        all
    }

    /// The store of a variant, by how its files grow.
    pub fn image(&self, variant: &Variant, growth: Growth) -> Image {
        let mut files = self.before.0.clone();
        for (name, contents) in &mut files {
            let Contents::File { data, length } = contents else {
                continue;
            };
            let acknowledged = u64::try_from(data.len()).unwrap();
            let Some(Contents::File {
                data: new,
                length: new_length,
            }) = self.after.0.get(name)
            else {
                continue;
            };
            let too_early =
                growth == Growth::Ordered && variant.length == Length::Old && *length < *new_length;
            for ((file, at), written) in self.sectors.iter().zip(&variant.written) {
                if !written || file != name || too_early && *at == 0 {
                    continue;
                }
                let (from, to) = (at * SECTOR, (at + 1) * SECTOR);
                data.resize(data.len().max(to), 0);
                data[from..to].copy_from_slice(&sector(new, *at));
            }
            let too_late = growth == Growth::Ordered
                && *new_length < *length
                && variant.written.contains(&false);
            *length = match variant.length {
                _ if too_late => *length,
                Length::New => *new_length,
                Length::Old => *length,
                Length::EndsAt(at) => match &self.sectors[at] {
                    (file, at) if growth == Growth::Appended && file == name => {
                        // What was acknowledged is synced, its length too.
                        let end = u64::try_from(at * SECTOR).unwrap();
                        end.max(acknowledged).min(*new_length)
                    }
                    _ => *new_length,
                },
            };
            data.truncate(usize::try_from(*length).unwrap());
            trim(data);
        }
        Image(files)
    }
}

impl Variant {
    fn new(written: Vec<bool>, length: Length) -> Self {
        Variant { written, length }
    }
}

/// The sector at a place; zeros behind the end.
fn sector(data: &[u8], at: usize) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let there = data.get(at * SECTOR..).unwrap_or_default();
    let count = there.len().min(SECTOR);
    sector[..count].copy_from_slice(&there[..count]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bytes: &[u8], length: u64) -> Image {
        let mut data = bytes.to_vec();
        trim(&mut data);
        Image(BTreeMap::from([(
            PathBuf::new(),
            Contents::File { data, length },
        )]))
    }

    #[test]
    fn a_variant_has_the_sectors_it_says_and_the_old_ones_elsewhere() {
        let before = [[1; 512], [2; 512]].concat();
        let after = [[1; 512], [3; 512], [0; 512], [4; 512]].concat();
        let tail = Tail::between(image(&before, 1024), image(&after, 2000)).unwrap();
        assert_eq!(tail.sectors(), 2);
        let torn = |written: [bool; 2], length| {
            tail.image(&Variant::new(written.to_vec(), length), Growth::Appended)
        };
        assert_eq!(torn([true, true], Length::New), image(&after[..2000], 2000));
        assert_eq!(torn([false, false], Length::Old), image(&before, 1024));
        let old_then_new = [[1; 512], [2; 512], [0; 512], [4; 512]].concat();
        assert_eq!(
            torn([false, true], Length::New),
            image(&old_then_new[..2000], 2000)
        );
        assert_eq!(
            torn([true, true], Length::EndsAt(1)),
            image(&after[..1024], 1536)
        );
        assert_eq!(
            torn([true, true], Length::EndsAt(0)),
            image(&after[..1024], 1024),
            "not shorter than what was acknowledged"
        );
    }

    #[test]
    fn few_sectors_are_torn_in_every_way_and_many_as_often_as_asked() {
        let small = Tail::between(image(&[], 0), image(&[1; 3 * 512], 1536)).unwrap();
        let random = &mut Random::new(1);
        assert_eq!(small.variants(random, 1000).len(), 2 * 8 + 3);
        let large = Tail::between(image(&[], 0), image(&[1; 100 * 512], 51_200)).unwrap();
        assert_eq!(large.variants(random, 50).len(), 50);
        assert_eq!(large.variants(random, 1000).len(), 300 + 500);
    }

    #[test]
    fn images_are_read_and_laid_down() {
        let dir = std::env::temp_dir().join(format!("testkit-torn-{}", std::process::id()));
        fs::create_dir_all(dir.join("inner")).unwrap();
        fs::write(dir.join("inner/file"), b"text\0\0").unwrap();
        let image = Image::read(&dir).unwrap();
        image.lay_down(&dir).unwrap();
        assert_eq!(fs::read(dir.join("inner/file")).unwrap(), b"text\0\0");
        assert_eq!(Image::read(&dir).unwrap(), image);
        fs::remove_dir_all(&dir).unwrap();
    }
}
