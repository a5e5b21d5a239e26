//! Random numbers that depend on (seed, position) alone, so that they are the same for any number of threads.

/// 64 random bits of position `counter` of stream `seed` (the finalizer of SplitMix64, twice).
pub fn bits(seed: u64, counter: u64) -> u64 {
    mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Two independent standard normal numbers for position `counter` (Box and Muller).
pub fn normal_pair(seed: u64, counter: u64) -> (f32, f32) {
    let word = bits(seed, counter);
    // Uniform in (0, 1], so that the logarithm is finite, and in [0, 1).
    let u = ((word >> 32) as f64 + 1.0) / 4_294_967_296.0;
    let v = (word & 0xffff_ffff) as f64 / 4_294_967_296.0;
    let radius = (-2.0 * u.ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
    ((radius * cos) as f32, (radius * sin) as f32)
}
