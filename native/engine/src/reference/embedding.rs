//! Rows by number.

/// Row `ids[i]` of `weight`, `width` elements each.
pub fn embedding(ids: &[i32], weight: &[f64], width: usize) -> Vec<f64> {
    ids.iter().flat_map(|&id| weight[id as usize * width..][..width].to_vec()).collect()
}
