module.exports = { resolve: { alias: { regl: "@plotly/regl" } }, performance: { hints: false } };
