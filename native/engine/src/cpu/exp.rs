//! The exponential and what rows of a softmax need, written so that the compiler makes vectors of them: no branches, no
//! calls. Inlined into the tasks of [`super::pool`], which are compiled for each instruction set.

/// e^x within 1 unit in the last place; 0 below −87.3, where results are no longer normal numbers, 2.4·10^38 above
/// 88.3, NaN for NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    exp_with::<false>(x)
}

/// [`exp`] with fused multiply-adds where `FUSED`: on instruction sets that have none, each would be a call.
#[inline(always)]
pub fn exp_with<const FUSED: bool>(x: f32) -> f32 {
    // 1.5·2^23: added to a small number, it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n·ln 2 is subtracted without rounding.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let bounded = if x > 88.3 { 88.3 } else { x };
    let shifted = multiply_add::<FUSED>(bounded, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FUSED>(n, -LN2_LOW, multiply_add::<FUSED>(n, -LN2_HIGH, bounded));
    // Minimax polynomial of (e^r − 1 − r)/r² on [−ln 2/2, ln 2/2] (Cephes, expf).
    let mut p = 1.987_569_2e-4;
    for term in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = multiply_add::<FUSED>(p, r, term);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    // 1 comes last: added to r first, its rounding would leave results too large by a tenth of a unit on average.
    let y = (multiply_add::<FUSED>(p * r, r, r) + 1.0) * power;
    if x < -87.3 { 0.0 } else { y }
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `1 / (1 + e^−x)`
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The largest element that is a number; −∞ when there is none.
#[inline(always)]
pub fn largest(x: &[f32]) -> f32 {
    foremost(
        x,
        f32::NEG_INFINITY,
        #[inline(always)]
        |a, b| a > b,
    )
}

/// The smallest element that is a number; ∞ when there is none.
#[inline(always)]
pub fn smallest(x: &[f32]) -> f32 {
    foremost(
        x,
        f32::INFINITY,
        #[inline(always)]
        |a, b| a < b,
    )
}

/// `last`, or the element that comes before all others.
#[inline(always)]
fn foremost(x: &[f32], last: f32, before: impl Fn(f32, f32) -> bool) -> f32 {
    let mut lanes = [last; 16];
    let (groups, rest) = x.as_chunks::<16>();
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane = if before(x, *lane) { x } else { *lane };
        }
    }
    rest.iter().chain(&lanes).fold(last, |best, &x| if before(x, best) { x } else { best })
}

/// `x ← e^(x − shift)`; returns the sum.
#[inline(always)]
pub fn exp_and_sum(x: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (groups, rest) = x.as_chunks_mut::<16>();
    for group in groups {
        for (lane, x) in lanes.iter_mut().zip(group) {
            *x = exp(*x - shift);
            *lane += *x;
        }
    }
    let mut sum = 0.0;
    for x in rest {
        *x = exp(*x - shift);
        sum += *x;
    }
    sum + lanes.iter().sum::<f32>()
}

/// `Σ x`, in sixteen interleaved sums.
#[inline(always)]
pub fn total(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (groups, rest) = x.as_chunks::<16>();
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane += x;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// `Σ a·b`, in sixteen interleaved sums.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (a_groups, a_rest) = a.as_chunks::<16>();
    let (b_groups, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_groups.iter().zip(b_groups) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::{exp, exp_with};

    #[test]
    fn exp_is_within_one_unit_in_the_last_place() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            let fused = (f64::from(exp_with::<true>(x)) - exact).abs() / exact;
            let error = error.max(fused);
            assert!(error < f64::from(f32::EPSILON), "e^{x}: off by {error:.1e}");
        }
    }

    #[test]
    fn exp_at_the_ends() {
        assert_eq!((exp(0.0), exp(-0.0), exp(f32::NEG_INFINITY), exp(-1e30)), (1.0, 1.0, 0.0, 0.0));
        assert!(exp(f32::INFINITY) > 2e38 && exp(1000.0).is_finite() && exp(f32::NAN).is_nan());
    }
}
