//! The instruction set in use, chosen once per process. Kernels are written once against `fearless_simd` and compiled
//! for every level; `NIBBLE_LAB_ISA` forces a lower one, so that each can be tested on a machine that has the higher.

use std::sync::LazyLock;

use fearless_simd::Level;

use crate::error::{Error, Result};

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, BW and BF16: 32 products of bf16 at a time.
    Avx512Bf16,
    /// AVX-512 F: 16 numbers at a time, 32 registers.
    Avx512,
    /// AVX2 and FMA: 8 numbers at a time.
    Avx2,
    /// What every processor of the architecture has: SSE2 or NEON.
    Baseline,
}

impl Isa {
    /// All of them, best first.
    pub const ALL: [Isa; 4] = [Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Baseline];

    /// The name, as in `NIBBLE_LAB_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Baseline => "baseline",
        }
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => {
                Isa::Avx512.is_available()
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512bf16")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Isa::Avx2.is_available() && std::arch::is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Level::new().as_avx2().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => false,
            Isa::Baseline => true,
        }
    }

    /// Those that this processor has, best first.
    pub fn available() -> impl Iterator<Item = Isa> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// Whether it multiplies bf16 itself; elsewhere operands are rounded and f32 multiplies them.
    pub fn has_bf16(self) -> bool {
        self == Isa::Avx512Bf16
    }

    /// The vector level for code outside of the matrix multiply's innermost loop. It is AVX2 on processors that have
    /// AVX-512 F without the rest of Ice Lake's set.
    pub fn level(self) -> Level {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512 if Level::new().as_avx512().is_some() => Level::new(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => Level::new().as_avx2().map_or(Level::baseline(), Level::Avx2),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => Level::baseline(),
            Isa::Baseline => Level::baseline(),
        }
    }

    /// The instruction set of this name, or the best where none is given.
    pub fn choose(wanted: Option<&str>) -> Result<Isa> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
            return Ok(Self::available().next().unwrap_or(Isa::Baseline));
        };
        Self::available().find(|isa| isa.name() == wanted).ok_or_else(|| {
            let names: Vec<_> = Self::available().map(Isa::name).collect();
            let expected = format!("one of {}, which this processor has, or unset", names.join(", "));
            Error::option("engine", "NIBBLE_LAB_ISA", format!("\"{wanted}\""), expected)
        })
    }
}

/// The instruction set in use; an error where `NIBBLE_LAB_ISA` names one that is unknown or absent.
pub fn isa() -> Result<Isa> {
    static CHOSEN: LazyLock<Result<Isa>> =
        LazyLock::new(|| Isa::choose(std::env::var("NIBBLE_LAB_ISA").ok().as_deref()));
    CHOSEN.clone()
}

/// The vector level in use. Where [`isa`] errs it is the lowest; whatever multiplies matrices reports the error.
pub fn level() -> Level {
    isa().unwrap_or(Isa::Baseline).level()
}
