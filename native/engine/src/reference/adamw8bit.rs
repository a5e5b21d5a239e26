//! Blockwise quantization on a codebook (Dettmers et al. 2022, §2.1), and AdamW between decoding and encoding.

use super::adamw::adamw;
use crate::cpu::adamw::AdamW;

/// Elements that share a scale.
const BLOCK: usize = 256;

/// A moment: codes and scales.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// One for each element.
    pub codes: Vec<u8>,
    /// The largest magnitude of each block.
    pub scales: Vec<f64>,
}

impl Moment {
    /// Of `values`: the nearest entry of `map` to each over its block's largest magnitude.
    pub fn encode(values: &[f64], map: &[f32; 256]) -> Moment {
        let mut moment = Moment { codes: Vec::new(), scales: Vec::new() };
        for block in values.chunks(BLOCK) {
            let scale = block.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            moment.scales.push(scale);
            for value in block {
                let x = if scale > 0.0 { value / scale } else { 0.0 };
                let distance = |code: &usize| (f64::from(map[*code]) - x).abs();
                let nearest = (0..256).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0);
                moment.codes.push(nearest as u8);
            }
        }
        moment
    }

    /// The numbers that it stands for.
    pub fn decode(&self, map: &[f32; 256]) -> Vec<f64> {
        let value = |(i, &code): (usize, &u8)| f64::from(map[usize::from(code)]) * self.scales[i / BLOCK];
        self.codes.iter().enumerate().map(value).collect()
    }
}

/// One step on `p` and both moments, `maps` = signed and unsigned.
pub fn adamw_8bit(p: &mut [f64], g: &[f64], moments: [&mut Moment; 2], maps: [&[f32; 256]; 2], o: &AdamW) {
    let [first, second] = moments;
    let (mut m, mut v) = (first.decode(maps[0]), second.decode(maps[1]));
    adamw(p, g, &mut m, &mut v, o);
    (*first, *second) = (Moment::encode(&m, maps[0]), Moment::encode(&v, maps[1]));
}
