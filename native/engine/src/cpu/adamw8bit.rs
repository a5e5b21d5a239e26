//! AdamW whose moments take a byte each (Dettmers et al. 2022, "8-bit optimizers via block-wise quantization"): blocks
//! of 256 with their own scale, on bitsandbytes' dynamic maps.

use std::sync::LazyLock;

use crate::cancel::Cancel;
use crate::cpu::adamw::{AdamW, Factors};
use crate::cpu::pool;
use crate::error::Result;
use crate::format::double_quant::{dynamic_map, unsigned_dynamic_map};

/// Elements that share a scale.
pub const BLOCK: usize = 256;

/// A moment of one parameter: codes, and for each block the largest magnitude.
pub struct Moment<'a> {
    /// `[n]`
    pub codes: &'a mut [u8],
    /// `[⌈n / 256⌉]`
    pub scales: &'a mut [f32],
}

impl<'a> Moment<'a> {
    fn blocks(self) -> impl Iterator<Item = Moment<'a>> {
        self.codes.chunks_mut(BLOCK).zip(self.scales.chunks_mut(1)).map(|(codes, scales)| Moment { codes, scales })
    }
}

/// A parameter with its gradient and its moments.
pub struct Parameter<'a> {
    /// The parameter.
    pub p: &'a mut [f32],
    /// Its gradient.
    pub g: &'a [f32],
    /// First moment, on the signed map.
    pub first: Moment<'a>,
    /// Second moment, on the unsigned map.
    pub second: Moment<'a>,
}

/// One step of [`super::adamw`], from decoded moments; the parameter moves by the moments before they are rounded again.
/// All parameters in one pass.
pub fn step(op: &'static str, parameters: Vec<Parameter<'_>>, options: &AdamW) -> Result<()> {
    let factors = Factors::new(options);
    let (signed, unsigned) = (Codebook::signed(), Codebook::unsigned());
    let mut blocks: Vec<_> = parameters.into_iter().flat_map(cut).collect();
    pool::blocks(
        &Cancel::never(op),
        &mut blocks,
        1,
        BLOCKS_PER_TASK,
        #[inline(always)]
        |_, blocks| {
            for Parameter { p, g, first, second } in blocks {
                let (mut m, mut v) = ([0f32; BLOCK], [0f32; BLOCK]);
                signed.decode(first, &mut m);
                unsigned.decode(second, &mut v);
                for (((p, &g), m), v) in p.iter_mut().zip(*g).zip(&mut m).zip(&mut v) {
                    factors.step(p, g, m, v);
                }
                signed.encode(&m, first);
                unsigned.encode(&v, second);
            }
        },
    )
}

const BLOCKS_PER_TASK: usize = 16;

fn cut(parameter: Parameter<'_>) -> impl Iterator<Item = Parameter<'_>> {
    let Parameter { p, g, first, second } = parameter;
    let both = first.blocks().zip(second.blocks());
    let parameters = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(both);
    parameters.map(|((p, g), (first, second))| Parameter { p, g, first, second })
}

/// A dynamic map with the means to find the nearest of its values at once.
pub struct Codebook {
    values: &'static [f32; 256],
    /// Between two neighbours; the last is +∞.
    middles: [f32; 256],
    /// By the upper half of a float's bits: the code of the least float with that half. No two middles share a half.
    start: Vec<u8>,
}

impl Codebook {
    /// Of first moments.
    pub fn signed() -> &'static Codebook {
        static SIGNED: LazyLock<Codebook> = LazyLock::new(|| Codebook::new(dynamic_map()));
        &SIGNED
    }

    /// Of second moments.
    pub fn unsigned() -> &'static Codebook {
        static UNSIGNED: LazyLock<Codebook> = LazyLock::new(|| Codebook::new(unsigned_dynamic_map()));
        &UNSIGNED
    }

    fn new(values: &'static [f32; 256]) -> Self {
        let middles: [f32; 256] =
            std::array::from_fn(|i| values.get(i + 1).map_or(f32::INFINITY, |next| (values[i] + next) / 2.0));
        let start = (0..=u16::MAX).map(|half| {
            let negative = half >> 15 == 1;
            let least = f32::from_bits(u32::from(half) << 16 | if negative { 0xffff } else { 0 });
            middles[..255].partition_point(|&middle| middle < least) as u8
        });
        Codebook { values, middles, start: start.collect() }
    }

    /// All values, ascending.
    pub fn values(&self) -> &[f32; 256] {
        self.values
    }

    /// What lies between neighbours; the last is +∞.
    pub fn middles(&self) -> &[f32; 256] {
        &self.middles
    }

    /// The value of a code.
    pub fn value(&self, code: u8) -> f32 {
        self.values[usize::from(code)]
    }

    /// The nearest code; between two it is the lower.
    #[inline(always)]
    pub fn nearest(&self, x: f32) -> u8 {
        let code = self.start[(x.to_bits() >> 16) as usize];
        code + u8::from(x > self.middles[usize::from(code)])
    }

    #[inline(always)]
    fn decode(&self, moment: &Moment<'_>, out: &mut [f32; BLOCK]) {
        let scale = moment.scales[0];
        for (out, &code) in out.iter_mut().zip(&*moment.codes) {
            *out = self.value(code) * scale;
        }
    }

    #[inline(always)]
    fn encode(&self, values: &[f32; BLOCK], moment: &mut Moment<'_>) {
        let count = moment.codes.len();
        let largest = values[..count].iter().fold(0f32, |largest, v| largest.max(v.abs()));
        moment.scales[0] = largest;
        // A block of zeros decodes to zeros whatever its codes are.
        let reciprocal = if largest > 0.0 { 1.0 / largest } else { 0.0 };
        for (code, value) in moment.codes.iter_mut().zip(values) {
            *code = self.nearest(value * reciprocal);
        }
    }
}
