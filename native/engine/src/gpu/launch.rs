//! A kernel with its sizes and options: all of a dispatch but the tensors.

/// Invocations of a workgroup, in every kernel.
const WORKGROUP: usize = 256;
/// Workgroups in a row that every device takes.
const MOST_GROUPS: usize = 65_535;

/// A file of WGSL, joined with what all kernels share.
pub struct Source {
    /// Its name, which tells pipelines apart.
    pub file: &'static str,
    /// The joined text.
    pub text: &'static str,
}

/// What to run: entry point, parameters, and how many workgroups in each of three dimensions.
pub struct Launch {
    /// The file.
    pub source: &'static Source,
    /// The entry point.
    pub entry: &'static str,
    /// The words of the uniform at binding 0; floats as their bits.
    pub params: Vec<u32>,
    /// Workgroups; none where one is 0.
    pub groups: [usize; 3],
}

impl Launch {
    /// One invocation for each of `count` elements; `count` becomes the first parameter.
    pub fn flat(source: &'static Source, entry: &'static str, count: usize, params: &[u32]) -> Launch {
        let mut launch = Launch::rows(source, entry, count.div_ceil(WORKGROUP), params);
        launch.params[0] = count as u32;
        launch
    }

    /// One workgroup for each of `rows`; `rows` becomes the first parameter.
    pub fn rows(source: &'static Source, entry: &'static str, rows: usize, params: &[u32]) -> Launch {
        let across = rows.min(MOST_GROUPS);
        let groups = [across, if across == 0 { 0 } else { rows.div_ceil(across) }, 1];
        Launch { source, entry, params: [&[rows as u32], params].concat(), groups }
    }
}
