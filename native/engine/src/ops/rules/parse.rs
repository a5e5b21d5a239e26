//! Reads the lines of the table. A line that cannot be read is a mistake of the table: the tests read all of them.

use crate::dtype::DType;

/// A rule in parts.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The names of dimensions.
    pub(super) names: Vec<String>,
    /// Arguments, then results.
    pub(super) arguments: Vec<Argument>,
}

/// One argument.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) dims: Dims,
    /// Empty: every type.
    pub(super) dtypes: Vec<DType>,
}

/// What is said of a shape.
#[derive(Debug)]
pub(super) enum Dims {
    Any,
    /// The shape of this argument.
    Like(usize),
    Listed {
        leading: Leading,
        dims: Vec<Dim>,
    },
}

/// What stands before the listed dimensions.
#[derive(Debug)]
pub(super) enum Leading {
    None,
    Any,
    /// Their product is this.
    Bound(Dim),
}

/// One dimension.
#[derive(Debug)]
pub(super) struct Dim {
    pub(super) factors: Vec<Factor>,
    pub(super) positive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    Number(usize),
    Name(usize),
}

impl Parsed {
    pub(super) fn of(text: &str) -> Parsed {
        let mut parsed = Parsed::default();
        for part in text.split([';', '→']).map(str::trim).filter(|part| !part.is_empty()) {
            let argument = parsed.argument(part);
            parsed.arguments.push(argument);
        }
        parsed
    }

    fn argument(&mut self, text: &str) -> Argument {
        let (name, dims, dtypes) = match text.split_once(" like ") {
            Some((name, rest)) => {
                let (other, dtypes) = rest.split_once(' ').unwrap_or((rest, ""));
                let other = self.arguments.iter().position(|argument| argument.name == other);
                (name, other.map_or(Dims::Any, Dims::Like), dtypes)
            }
            None => {
                let (name, rest) = text.split_once('[').unwrap_or((text, "...]"));
                let (dims, dtypes) = rest.split_once(']').unwrap_or((rest, ""));
                (name, self.dims(dims), dtypes)
            }
        };
        let dtypes = DType::ALL.into_iter().filter(|dtype| dtypes.split('|').any(|name| name.trim() == dtype.name()));
        Argument { name: name.trim_end_matches('?').into(), dims, dtypes: dtypes.collect() }
    }

    fn dims(&mut self, text: &str) -> Dims {
        if text == "..." {
            return Dims::Any;
        }
        let (mut leading, mut dims) = (Leading::None, Vec::new());
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.strip_prefix("..") {
                Some("") => leading = Leading::Any,
                Some(product) => leading = Leading::Bound(self.dim(product)),
                None => dims.push(self.dim(part)),
            }
        }
        Dims::Listed { leading, dims }
    }

    fn dim(&mut self, text: &str) -> Dim {
        let (product, positive) = text.strip_suffix(">0").map_or((text, false), |product| (product, true));
        Dim { factors: product.split('·').map(|factor| self.factor(factor)).collect(), positive }
    }

    fn factor(&mut self, text: &str) -> Factor {
        text.parse().map_or_else(|_| Factor::Name(self.name(text)), Factor::Number)
    }

    fn name(&mut self, text: &str) -> usize {
        self.names.iter().position(|name| name == text).unwrap_or_else(|| {
            self.names.push(text.into());
            self.names.len() - 1
        })
    }
}

impl Dims {
    /// As it is written, with `show` for the names.
    pub(super) fn show(&self, show: &dyn Fn(usize) -> String) -> String {
        let Dims::Listed { leading, dims } = self else { return "any shape".into() };
        let leading = match leading {
            Leading::None => None,
            Leading::Any => Some("..".to_owned()),
            // A product of leading dimensions: told where it is a number.
            Leading::Bound(dim) => Some(match dim.show(show) {
                text if text.parse::<usize>().is_ok() => format!("..{text} rows"),
                text if text.contains('·') => format!("..{text}"),
                _ => "..".into(),
            }),
        };
        let parts: Vec<_> = leading.into_iter().chain(dims.iter().map(|dim| dim.show(show))).collect();
        format!("[{}]", parts.join(", "))
    }

    /// The names in it.
    pub(super) fn names(&self) -> Vec<usize> {
        let Dims::Listed { leading, dims } = self else { return Vec::new() };
        let leading = if let Leading::Bound(dim) = leading { Some(dim) } else { None };
        let factors = leading.into_iter().chain(dims).flat_map(|dim| &dim.factors);
        factors.filter_map(|factor| if let Factor::Name(name) = factor { Some(*name) } else { None }).collect()
    }
}

impl Dim {
    fn show(&self, show: &dyn Fn(usize) -> String) -> String {
        let factors: Vec<_> = self.factors.iter().map(|factor| factor.show(show)).collect();
        let numbers: Option<Vec<usize>> = factors.iter().map(|factor| factor.parse().ok()).collect();
        let text = numbers.map_or_else(|| factors.join("·"), |numbers| numbers.iter().product::<usize>().to_string());
        if self.positive { format!("{text} > 0") } else { text }
    }
}

impl Factor {
    fn show(self, show: &dyn Fn(usize) -> String) -> String {
        match self {
            Factor::Number(n) => n.to_string(),
            Factor::Name(name) => show(name),
        }
    }
}
