//! What a query sees.

use std::ops::Range;

use super::{Bias, QUERIES, Row, Sizes};

/// A panel of queries of one head of one sequence.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    causal: bool,
    window: Option<usize>,
    soft_cap: Option<f32>,
    slope: Option<f32>,
    hidden: Option<&'a [u8]>,
    /// Keys of the sequence.
    keys: usize,
    /// Positions of the first and of the last query.
    first: usize,
    last: usize,
}

impl<'a> View<'a> {
    /// Of `count` queries from `first`.
    pub(super) fn new(s: &Sizes, bias: &Bias<'a>, batch: usize, head: usize, first: usize, count: usize) -> Self {
        let length = bias.lengths.map_or(s.keys, |lengths| usize::try_from(lengths[batch]).unwrap_or(0).min(s.keys));
        View {
            causal: s.causal,
            window: s.window,
            soft_cap: s.soft_cap,
            slope: bias.slopes.map(|slopes| slopes[head]),
            hidden: bias.key_mask.map(|mask| &mask[batch * s.keys..][..s.keys]),
            keys: length,
            first: s.shift() + first,
            last: s.shift() + first + count.max(1) - 1,
        }
    }

    /// The keys that some query of the panel sees, but for the mask.
    pub(super) fn range(&self) -> Range<usize> {
        let start = self.window.map_or(0, |window| (self.first + 1).saturating_sub(window));
        let end = match (self.causal, self.window) {
            (true, _) => self.last + 1,
            (false, Some(window)) => self.last.saturating_add(window),
            (false, None) => self.keys,
        };
        start.min(self.keys)..end.min(self.keys)
    }

    /// Whether every query sees all keys of `range`.
    fn sees_all(&self, range: &Range<usize>) -> bool {
        let behind = self.window.is_none_or(|window| range.start + window > self.last);
        let ahead = if self.causal {
            range.end <= self.first + 1
        } else {
            self.window.is_none_or(|window| range.end <= self.first.saturating_add(window))
        };
        self.hidden.is_none() && range.end <= self.keys && behind && ahead
    }

    /// Queries `from..to` of the panel that see a key.
    fn seen_by(&self, key: usize) -> Range<usize> {
        if key >= self.keys || self.hidden.is_some_and(|mask| mask[key] == 0) {
            return 0..0;
        }
        let mut from = if self.causal { key.saturating_sub(self.first) } else { 0 };
        let mut to = QUERIES;
        if let Some(window) = self.window {
            from = from.max((key + 1).saturating_sub(self.first.saturating_add(window)));
            to = (key.saturating_add(window)).saturating_sub(self.first).min(QUERIES);
        }
        from.min(QUERIES)..to.max(from.min(QUERIES))
    }

    /// Products in `scores`, a row for each key from `first`, become scores; −∞ for what a query does not see.
    #[inline(always)]
    pub(super) fn finish(&self, first: usize, scores: &mut [Row]) {
        if let Some(cap) = self.soft_cap {
            for row in scores.iter_mut() {
                row.iter_mut().for_each(|score| *score = cap * tanh(*score / cap));
            }
        }
        if let Some(slope) = self.slope {
            for (key, row) in (first..).zip(scores.iter_mut()) {
                let distance = key as f32 - self.first as f32;
                for (q, score) in row.iter_mut().enumerate() {
                    *score += slope * (distance - q as f32);
                }
            }
        }
        if self.sees_all(&(first..first + scores.len())) {
            return;
        }
        for (key, row) in (first..).zip(scores) {
            let seen = self.seen_by(key);
            row[..seen.start].fill(f32::NEG_INFINITY);
            row[seen.end..].fill(f32::NEG_INFINITY);
        }
    }

    /// Whether scores are products and every key of the range is seen by a lone query.
    pub(super) fn is_plain(&self) -> bool {
        self.soft_cap.is_none() && self.slope.is_none() && self.hidden.is_none()
    }

    /// The derivatives of the soft cap at these products; false where there is no cap.
    #[inline(always)]
    pub(super) fn cap_slopes(&self, products: &[Row], slopes: &mut [Row]) -> bool {
        let Some(cap) = self.soft_cap else { return false };
        for (products, slopes) in products.iter().zip(slopes) {
            for (&product, slope) in products.iter().zip(slopes) {
                let t = tanh(product / cap);
                *slope = 1.0 - t * t;
            }
        }
        true
    }
}

/// `tanh x`, by the exponential.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (crate::cpu::exp::exp(2.0 * x) + 1.0)
}
