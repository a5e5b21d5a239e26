//! Codes of four bits, two a byte.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, u8x16};

/// The codes of elements `first..`, one a byte. `LOW_FIRST`: the even element lies in the low nibble.
#[inline(always)]
pub(super) fn unpack<S: Simd, const LOW_FIRST: bool>(simd: S, packed: &[u8], first: usize, out: &mut [u8]) {
    let pair = |byte: u8| if LOW_FIRST { [byte & 15, byte >> 4] } else { [byte >> 4, byte & 15] };
    let (head, body) = out.split_at_mut((first % 2).min(out.len()));
    if let [out] = head {
        *out = pair(packed[first / 2])[1];
    }
    let packed = &packed[first.div_ceil(2)..];
    let (wholes, _) = body.as_chunks_mut::<32>();
    let (bytes, _) = packed.as_chunks::<16>();
    for (out, bytes) in wholes.iter_mut().zip(bytes) {
        let bytes = u8x16::from_slice(simd, bytes);
        let (high, low) = (bytes >> 4, bytes & 15u8);
        let (even, odd) = if LOW_FIRST { (low, high) } else { (high, low) };
        even.zip_low(odd).store_slice(&mut out[..16]);
        even.zip_high(odd).store_slice(&mut out[16..]);
    }
    let done = wholes.len();
    let (packed, body) = (&packed[16 * done..], &mut body[32 * done..]);
    let (pairs, tail) = body.as_chunks_mut::<2>();
    for (byte, out) in packed.iter().zip(pairs.iter_mut()) {
        *out = pair(*byte);
    }
    if let [out] = tail {
        *out = pair(packed[pairs.len()])[0];
    }
}

/// Codes, one a byte → two a byte, the even element in the high nibble; `missing` stands beside a last odd one.
pub(super) fn pack(codes: &[u8], missing: u8, packed: &mut [u8]) {
    for (pair, byte) in codes.chunks(2).zip(packed) {
        *byte = pair[0] << 4 | pair.get(1).unwrap_or(&missing);
    }
}
