//! What a query sees.

use std::ops::Range;

use super::{Bias, GROUP, HALF, Half, QUERIES, ROWS, Row, Sizes};

/// What a panel of queries of one head of one sequence sees.
pub(super) struct Panel<'a> {
    halves: [View<'a>; QUERIES / HALF],
    /// The keys that some query of a half sees, in whole tiles.
    of_halves: [Range<usize>; QUERIES / HALF],
    /// The keys that some query of a group sees.
    of_groups: [Range<usize>; QUERIES / GROUP],
}

impl<'a> Panel<'a> {
    /// Of `count` queries from `first`.
    pub(super) fn new(s: &Sizes, bias: &Bias<'a>, batch: usize, head: usize, first: usize, count: usize) -> Self {
        let view = |from: usize, most: usize| {
            View::new(s, bias, batch, head, first + from, count.saturating_sub(from).min(most))
        };
        let keys = |from: usize, most: usize| if from < count { view(from, most).range() } else { 0..0 };
        Panel {
            halves: [0, 1].map(|h| view(h * HALF, HALF)),
            of_halves: [0, 1].map(|h| whole_tiles(keys(h * HALF, HALF))),
            of_groups: [0, 1, 2, 3].map(|g| keys(g * GROUP, GROUP)),
        }
    }

    /// The keys that some query sees, in whole tiles.
    pub(super) fn range(&self) -> Range<usize> {
        let [a, b] = &self.of_halves;
        match (a.is_empty(), b.is_empty()) {
            (_, true) => a.clone(),
            (true, _) => b.clone(),
            _ => a.start.min(b.start)..a.end.max(b.end),
        }
    }

    /// The halves with the keys of a block that they see.
    pub(super) fn halves(&self, block: &Range<usize>) -> impl Iterator<Item = (usize, &View<'a>, Range<usize>)> {
        let seen = self.of_halves.iter().map(|keys| both(keys, block));
        self.halves
            .iter()
            .zip(seen)
            .enumerate()
            .map(|(h, (view, keys))| (h, view, keys))
            .filter(|(_, _, keys)| !keys.is_empty())
    }

    /// The keys of a block that each group sees.
    pub(super) fn groups(&self, block: &Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.of_groups.iter().map(|keys| both(keys, block)).enumerate().filter(|(_, keys)| !keys.is_empty())
    }

    /// The queries whose halves see a tile of keys.
    pub(super) fn queries(&self, tile: usize) -> Range<usize> {
        let sees = |h: usize| self.of_halves[h].contains(&tile);
        match (sees(0), sees(1)) {
            (true, true) => 0..QUERIES,
            (true, false) => 0..HALF,
            (false, true) => HALF..QUERIES,
            (false, false) => 0..0,
        }
    }
}

fn whole_tiles(keys: Range<usize>) -> Range<usize> {
    if keys.is_empty() { 0..0 } else { keys.start / ROWS * ROWS..keys.end.next_multiple_of(ROWS) }
}

fn both(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.max(b.start)..a.end.min(b.end)
}

/// Up to 16 queries of one head of one sequence.
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

    /// The keys that some query sees, but for the mask.
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

    /// The queries that see a key.
    fn seen_by(&self, key: usize) -> Range<usize> {
        if key >= self.keys || self.hidden.is_some_and(|mask| mask[key] == 0) {
            return 0..0;
        }
        let mut from = if self.causal { key.saturating_sub(self.first) } else { 0 };
        let mut to = HALF;
        if let Some(window) = self.window {
            from = from.max((key + 1).saturating_sub(self.first.saturating_add(window)));
            to = (key.saturating_add(window)).saturating_sub(self.first).min(HALF);
        }
        from.min(HALF)..to.max(from.min(HALF))
    }

    /// Products in half `h` of `scores`, a row for each key from `first`, become scores; −∞ for what a query does not see.
    #[inline(always)]
    pub(super) fn finish(&self, first: usize, scores: &mut [Row], h: usize) {
        if let Some(cap) = self.soft_cap {
            for row in scores.iter_mut() {
                row[h].iter_mut().for_each(|score| *score = cap * tanh(*score / cap));
            }
        }
        if let Some(slope) = self.slope {
            for (key, row) in (first..).zip(scores.iter_mut()) {
                let distance = key as f32 - self.first as f32;
                for (q, score) in row[h].iter_mut().enumerate() {
                    *score += slope * (distance - q as f32);
                }
            }
        }
        if self.sees_all(&(first..first + scores.len())) {
            return;
        }
        for (key, row) in (first..).zip(scores) {
            let seen = self.seen_by(key);
            for (q, score) in row[h].iter_mut().enumerate() {
                *score = if seen.contains(&q) { *score } else { f32::NEG_INFINITY };
            }
        }
    }

    /// Whether scores are products and every key of the range is seen by a lone query.
    pub(super) fn is_plain(&self) -> bool {
        self.soft_cap.is_none() && self.slope.is_none() && self.hidden.is_none()
    }

    /// The derivatives of the soft cap at the products in half `h`; false where there is no cap.
    #[inline(always)]
    pub(super) fn cap_slopes(&self, products: &[Row], h: usize, slopes: &mut [Half]) -> bool {
        let Some(cap) = self.soft_cap else { return false };
        for (products, slopes) in products.iter().zip(slopes) {
            for (&product, slope) in products[h].iter().zip(slopes) {
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
