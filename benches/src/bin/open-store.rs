//! Opens a store, ends it in order and exits: what `wasm-storage run` is compared
//! with. Prints how many nanoseconds opening took. Without arguments it does
//! nothing at all.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Instant;

use wasm_storage_engine::{Coordinator, Store};
use wasm_storage_fjall::Fjall;
use wasm_storage_redb::Redb;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(engine), Some(path)) = (arguments.next(), arguments.next()) else {
        return Ok(());
    };
    let path = Path::new(&path);
    let began = Instant::now();
    let store = if engine == "fjall" {
        let kv = Fjall::open(&wasm_storage_fjall::Config::new(path))?;
        Store::new(Coordinator::open(kv, None)?)
    } else {
        let kv = Redb::open(&wasm_storage_redb::Config::new(path))?;
        Store::new(Coordinator::open(kv, None)?)
    };
    println!("{}", began.elapsed().as_nanos());
    store.close()?;
    Ok(())
}
