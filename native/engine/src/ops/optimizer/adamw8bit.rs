//! AdamW with moments of eight bits.

use super::super::far::Far;
use super::{adamw, check, expect_distinct, expect_lengths};
use crate::cpu::adamw::AdamW;
use crate::cpu::adamw8bit::{self as cpu, BLOCK, Moment, Parameter};
use crate::dtype::DType;
use crate::engine::{Engine, Handle};
use crate::error::Result;
use crate::gpu::adamw8bit as gpu;
use crate::tensor::Tensor;

/// One moment of every parameter.
#[derive(Debug, Clone, Copy)]
pub struct Moment8Bit<'a> {
    /// u8, shaped like the parameters.
    pub codes: &'a [Handle],
    /// f32 `[⌈elements / 256⌉]`.
    pub scales: &'a [Handle],
}

/// One step for every parameter, in place: see [`cpu::step`]. Moments start as zeros, codes and scales alike.
pub fn adamw_8bit_step(
    e: &Engine,
    parameters: &[Handle],
    gradients: &[Handle],
    first: Moment8Bit<'_>,
    second: Moment8Bit<'_>,
    options: AdamW,
) -> Result<()> {
    const OP: &str = "adamw8bitStep";
    check(OP, adamw::checks(&options))?;
    let lists = [
        ("gradients", gradients),
        ("first.codes", first.codes),
        ("first.scales", first.scales),
        ("second.codes", second.codes),
        ("second.scales", second.scales),
    ];
    expect_lengths(OP, parameters.len(), lists)?;
    let mut sets: Vec<[Tensor; 6]> = Vec::with_capacity(parameters.len());
    for (i, &p) in parameters.iter().enumerate() {
        let p = e.tensor(OP, "parameters", p)?;
        p.expect(OP, "parameters", DType::F32)?;
        let blocks = [p.elements().div_ceil(BLOCK)];
        let find = |list: usize, dtype: DType, shape: &[usize]| {
            let (name, handles) = lists[list];
            let t = e.tensor(OP, name, handles[i])?;
            t.expect(OP, name, dtype)?;
            t.expect_shape(OP, name, shape)?;
            Ok(t)
        };
        let g = find(0, DType::F32, &p.shape)?;
        let (m, m_scales) = (find(1, DType::U8, &p.shape)?, find(2, DType::F32, &blocks)?);
        let (v, v_scales) = (find(3, DType::U8, &p.shape)?, find(4, DType::F32, &blocks)?);
        sets.push([g, p, m, m_scales, v, v_scales]);
    }
    expect_distinct(OP, sets.iter().map(|set| &set[0]), sets.iter().flat_map(|set| &set[1..]))?;
    let names = ["gradients", "parameters", "first.codes", "first.scales", "second.codes", "second.scales"];
    let places: Vec<_> = sets.iter().flat_map(|set| names.iter().copied().zip(set.iter().map(Some))).collect();
    if let Some(far) = Far::of(e, OP, &places)? {
        let maps = gpu::maps();
        let maps = far.upload(&[maps.len()], DType::F32, bytemuck::cast_slice(&maps))?;
        return sets.iter().try_for_each(|[g, p, m, m_scales, v, v_scales]| {
            far.run(&gpu::step(p.elements(), &options), &[p, g, m, m_scales, v, v_scales, &maps])
        });
    }
    e.cancel(OP).check()?;
    let mut locked = Vec::with_capacity(sets.len());
    for [g, p, m, m_scales, v, v_scales] in &sets {
        let parameter = (p.write::<f32>(OP, "parameters")?, g.read::<f32>(OP, "gradients")?);
        let first = (m.write::<u8>(OP, "first.codes")?, m_scales.write::<f32>(OP, "first.scales")?);
        let second = (v.write::<u8>(OP, "second.codes")?, v_scales.write::<f32>(OP, "second.scales")?);
        locked.push((parameter, first, second));
    }
    let parameters = locked.iter_mut().map(|((p, g), (m, m_scales), (v, v_scales))| Parameter {
        p,
        g,
        first: Moment { codes: m, scales: m_scales },
        second: Moment { codes: v, scales: v_scales },
    });
    cpu::step(OP, parameters.collect(), &options)
}
