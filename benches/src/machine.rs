//! The machine in one line: times mean nothing without it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::disk::block_device;

/// CPU, cores, memory, kernel, disk and file system under `folder`, compiler.
pub(crate) fn name(folder: &Path) -> String {
    let parts = [
        cpu(),
        memory(),
        word("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}")),
        disk(folder),
        first_line("rustc", &["-V"]),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Today, in UTC.
pub(crate) fn date() -> String {
    first_line("date", &["-u", "+%F"]).unwrap_or_else(|| "unknown".into())
}

/// How many processes ran or waited for a core, in the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().into()
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = field(&info, "model name")?;
    let cores = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let virtual_ = if info.contains(" hypervisor") {
        " virtual"
    } else {
        ""
    };
    Some(format!("{model}, {cores}{virtual_} cores"))
}

fn memory() -> Option<String> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = field(&info, "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(format!("{} GiB", (kib + (1 << 19)) >> 20))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']))
}

fn disk(folder: &Path) -> Option<String> {
    let device = fs::canonicalize(block_device(folder).ok()?).ok()?;
    let name = device.file_name()?.to_string_lossy().into_owned();
    let kind = match name.get(..2) {
        Some("vd") => "virtio disk".into(),
        Some("nv") => "NVMe disk".into(),
        _ => match word(&device.join("queue/rotational").to_string_lossy()).as_deref() {
            Some("1") => "rotating disk".into(),
            Some(_) => "solid-state disk".into(),
            None => format!("device {name}"),
        },
    };
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let folder = fs::canonicalize(folder).ok()?;
    let of = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, system) = (words.next()?, words.next()?);
        folder
            .starts_with(place)
            .then(|| (place.len(), system.to_owned()))
    };
    let system = mounts.lines().filter_map(of).max()?.1;
    Some(format!("{system} on a {kind}"))
}

fn word(file: &str) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}
