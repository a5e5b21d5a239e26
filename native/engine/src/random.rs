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

/// Four random words of position `counter` of the stream `offset` under the key `seed`: Philox 4×32-10 (Salmon, Moraes,
/// Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
#[inline(always)]
pub fn philox(seed: u64, offset: u64, counter: u64) -> [u32; 4] {
    let mut words = [counter as u32, (counter >> 32) as u32, offset as u32, (offset >> 32) as u32];
    let mut key = [seed as u32, (seed >> 32) as u32];
    for _ in 0..10 {
        let (a, b) = (u64::from(words[0]) * 0xd251_1f53, u64::from(words[2]) * 0xcd9e_8d57);
        words = [(b >> 32) as u32 ^ words[1] ^ key[0], b as u32, (a >> 32) as u32 ^ words[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    words
}

#[cfg(test)]
mod tests {
    use super::philox;

    /// The known answers of Random123's `kat_vectors`.
    #[test]
    fn philox_gives_the_published_words() {
        assert_eq!(philox(0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox(u64::MAX, u64::MAX, u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let (counter, offset, seed) = (0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e, 0x299f_31d0_a409_3822);
        assert_eq!(philox(seed, offset, counter), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
