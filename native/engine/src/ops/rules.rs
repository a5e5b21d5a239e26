//! Shapes and element types that the operations take: one line for each, read once, checked at every call.
//!
//! A line lists arguments as `name[dimensions] types`, separated by `; `; what follows `→` are the results, which the
//! tests check by the same rule. Among the dimensions
//! - a number stands for itself, a name is bound where it first comes and is the same from there on;
//! - `a·b` is a product of which one factor may still be unknown;
//! - `n>0` is not zero;
//! - `..` stands for any leading dimensions, `..rows` for those whose product is `rows`, `...` alone is any shape;
//! - `like x` is the shape of the argument `x`, which came before.
//!
//! `name?` may be left out. Types are joined by `|`; `any` is every type.

use std::sync::OnceLock;

use super::far::{Far, expect_together};
use crate::device::Device;
use crate::engine::{Engine, Handle};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

mod parse;
mod table;

use parse::{Argument, Dims, Factor, Leading, Parsed};
pub use table::*;

/// The most names that a rule may have.
const MOST_NAMES: usize = 12;

/// What an operation takes.
pub struct Rule {
    /// The operation, as JavaScript and errors call it.
    pub op: &'static str,
    /// The rule as it is written.
    pub text: &'static str,
    parsed: OnceLock<Parsed>,
}

impl Rule {
    const fn new(op: &'static str, text: &'static str) -> Rule {
        Rule { op, text, parsed: OnceLock::new() }
    }

    fn parsed(&'static self) -> &'static Parsed {
        self.parsed.get_or_init(|| Parsed::of(self.text))
    }

    /// Starts a call: its arguments are taken in the order of the rule.
    pub fn of<'a>(&'static self, e: &'a Engine) -> Call<'a> {
        let taken = Vec::with_capacity(6);
        Call { e, op: self.op, rule: self.parsed(), values: [None; MOST_NAMES], taken, place: None }
    }
}

/// A call whose arguments are being checked.
pub struct Call<'a> {
    e: &'a Engine,
    /// The operation.
    pub op: &'static str,
    rule: &'static Parsed,
    values: [Option<usize>; MOST_NAMES],
    /// The shapes so far; `None` for what was left out.
    taken: Vec<Option<Vec<usize>>>,
    /// The first argument and its device.
    place: Option<(&'static str, Device)>,
}

impl<'a> Call<'a> {
    /// Binds names to options of the operation; they are not zero.
    pub fn know<const N: usize>(mut self, names: [(&'static str, usize); N]) -> Result<Self> {
        for (name, value) in names {
            if value == 0 {
                return Err(Error::option(self.op, name, value, "a whole number of at least 1"));
            }
            let at = self.position(name)?;
            self.values[at] = Some(value);
        }
        Ok(self)
    }

    /// The next argument.
    pub fn take(&mut self, handle: Handle) -> Result<Tensor> {
        let argument = self.next()?;
        let tensor = self.e.tensor(self.op, &argument.name, handle)?;
        self.check(argument, &tensor)?;
        let here = (argument.name.as_str(), tensor.storage.device());
        expect_together(self.op, *self.place.get_or_insert(here), here)?;
        self.taken.push(Some(tensor.shape.clone()));
        Ok(tensor)
    }

    /// The next argument, which may be on the processor beside others on a GPU: numbers of rows, checked there.
    pub fn take_anywhere(&mut self, handle: Handle) -> Result<Tensor> {
        let place = self.place;
        self.place = None;
        let tensor = self.take(handle)?;
        self.place = place;
        Ok(tensor)
    }

    /// The next argument, which may be left out.
    pub fn take_some(&mut self, handle: Option<Handle>) -> Result<Option<Tensor>> {
        match handle {
            Some(handle) => self.take(handle).map(Some),
            None => {
                self.next()?;
                self.taken.push(None);
                Ok(None)
            }
        }
    }

    /// The GPU where the arguments so far are; none where they are the processor's.
    pub fn far(&self) -> Result<Option<Far<'a>>> {
        self.place.map_or(Ok(None), |(_, device)| Far::on(self.e, self.op, device))
    }

    /// Values of names that the arguments so far have bound.
    pub fn dims<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N]> {
        let mut dims = [0; N];
        for (dim, name) in dims.iter_mut().zip(names) {
            *dim = self.values[self.position(name)?].ok_or_else(|| self.mistake(name))?;
        }
        Ok(dims)
    }

    fn next(&self) -> Result<&'static Argument> {
        self.rule.arguments.get(self.taken.len()).ok_or_else(|| self.mistake("one argument more"))
    }

    fn position(&self, name: &str) -> Result<usize> {
        self.rule.names.iter().position(|known| known == name).ok_or_else(|| self.mistake(name))
    }

    fn mistake(&self, what: &str) -> Error {
        Error::Internal { op: self.op, what: format!("its rule does not tell {what}") }
    }

    fn check(&mut self, argument: &'static Argument, tensor: &Tensor) -> Result<()> {
        let before = self.values;
        let fits = match &argument.dims {
            Dims::Any => true,
            Dims::Like(other) => self.taken[*other].as_ref() == Some(&tensor.shape),
            Dims::Listed { leading, dims } => self.bind(leading, dims, &tensor.shape),
        };
        if !fits {
            self.values = before;
            return Err(Error::shape(self.op, &argument.name, &tensor.shape, self.expected(argument)));
        }
        if !argument.dtypes.is_empty() && !argument.dtypes.contains(&tensor.dtype) {
            let names: Vec<_> = argument.dtypes.iter().map(|dtype| dtype.name()).collect();
            let expected = names.join(" or ");
            return Err(Error::DType { op: self.op, name: &argument.name, got: tensor.dtype, expected });
        }
        Ok(())
    }

    /// Binds the names of a list of dimensions; false where the shape does not fit.
    fn bind(&mut self, leading: &Leading, dims: &[parse::Dim], shape: &[usize]) -> bool {
        let Some(extra) = shape.len().checked_sub(dims.len()) else { return false };
        match leading {
            Leading::None if extra > 0 => return false,
            Leading::Bound(dim) if !self.bind_dim(dim, shape[..extra].iter().product()) => return false,
            Leading::Bound(_) | Leading::None | Leading::Any => {}
        }
        dims.iter().zip(&shape[extra..]).all(|(dim, &size)| self.bind_dim(dim, size))
    }

    fn bind_dim(&mut self, dim: &parse::Dim, size: usize) -> bool {
        let (mut known, mut unknown) = (1, None);
        for factor in &dim.factors {
            match factor {
                Factor::Number(n) => known *= n,
                Factor::Name(name) => match self.values[*name] {
                    Some(value) => known *= value,
                    None => unknown = Some(*name),
                },
            }
        }
        if dim.positive && size == 0 {
            return false;
        }
        let Some(name) = unknown else { return known == size };
        if known == 0 || !size.is_multiple_of(known) {
            return false;
        }
        self.values[name] = Some(size / known);
        true
    }

    /// The dimensions of an argument, what is known of them filled in, and where that came from.
    fn expected(&self, argument: &Argument) -> String {
        let known = |at: usize| self.values[at].map_or_else(|| self.rule.names[at].clone(), |value| value.to_string());
        let (mut text, mut names) = (argument.dims.show(&known), argument.dims.names());
        if let Dims::Like(other) = argument.dims {
            let shape = self.taken[other].as_ref().map_or_else(String::new, |shape| format!("{shape:?}"));
            return format!("{shape}, as {}", self.rule.arguments[other].name);
        }
        let mut reasons = Vec::new();
        for (source, shape) in self.rule.arguments.iter().zip(&self.taken) {
            let Some(shape) = shape else { continue };
            let theirs = source.dims.names();
            if names.iter().any(|name| theirs.contains(name)) {
                reasons.push(format!("{} is {shape:?}", source.name));
                names.retain(|name| !theirs.contains(name));
            }
        }
        if !reasons.is_empty() {
            text.push_str(&format!(", because {}", reasons.join(" and ")));
        }
        text
    }
}
