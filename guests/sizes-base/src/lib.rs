//! Allocates and stores nothing: what the guests that allocate are counted above.

/// Gathers numbers in a `Vec` that grows.
#[unsafe(no_mangle)]
pub extern "C" fn gather(count: u32) -> u32 {
    let numbers: Vec<u32> = (0..count).filter(|n| n % 3 != 0).collect();
    std::hint::black_box(&numbers).iter().copied().sum()
}
