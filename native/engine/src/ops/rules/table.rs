//! The table.

use super::Rule;

macro_rules! rules {
    ($($name:ident = $op:literal: $text:literal;)*) => {
        $(#[doc = concat!("`", $text, "`")] pub static $name: Rule = Rule::new($op, $text);)*
        /// Every rule.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    ADD = "add": "a[..rows, n] f32; b like a f32 → y like a f32";
    ADD_VECTOR = "add": "a[..rows, n] f32; b[n] f32 → y like a f32";
    SUBTRACT = "subtract": "a[..rows, n] f32; b like a f32 → y like a f32";
    SUBTRACT_VECTOR = "subtract": "a[..rows, n] f32; b[n] f32 → y like a f32";
    MULTIPLY = "multiply": "a[..rows, n] f32; b like a f32 → y like a f32";
    MULTIPLY_VECTOR = "multiply": "a[..rows, n] f32; b[n] f32 → y like a f32";
    DIVIDE = "divide": "a[..rows, n] f32; b like a f32 → y like a f32";
    DIVIDE_VECTOR = "divide": "a[..rows, n] f32; b[n] f32 → y like a f32";
    SCALE = "scale": "x[...] f32 → y like x f32";
    ADD_SCALAR = "addScalar": "x[...] f32 → y like x f32";
    EXP = "exp": "x[...] f32 → y like x f32";
    LOG = "log": "x[...] f32 → y like x f32";
    SQRT = "sqrt": "x[...] f32 → y like x f32";
    ADD_IN_PLACE = "addInPlace": "target[...] f32; b like target f32";
    SCALE_IN_PLACE = "scaleInPlace": "target[...] f32";
    CLAMP_IN_PLACE = "clampInPlace": "target[...] f32";

    ACTIVATION_FORWARD = "activationForward": "x[..rows, n] f32; bias?[n] f32 → y like x f32";
    ACTIVATION_BACKWARD = "activationBackward": "dy[..rows, n] f32; x like dy f32; bias?[n] f32 → dx like x f32";
    GATED_FORWARD = "gatedActivationForward": "gate[...] f32; up like gate f32 → y like gate f32";
    GATED_BACKWARD = "gatedActivationBackward":
        "dy[...] f32; gate like dy f32; up like dy f32 → dgate like dy f32; dup like dy f32";

    RMS_NORM_FORWARD = "rmsNormForward": "x[..rows, n>0] f32; weight[n] f32 → y like x f32; rstd[rows] f32";
    RMS_NORM_BACKWARD = "rmsNormBackward":
        "dy[..rows, n>0] f32; x like dy f32; weight[n] f32; rstd[rows] f32 → dx like x f32; dweight?[n] f32";
    ADD_RMS_NORM_FORWARD = "addRmsNormForward":
        "x[..rows, n>0] f32; residual like x f32; weight[n] f32 → sum like x f32; y like x f32; rstd[rows] f32";
    LAYER_NORM_FORWARD = "layerNormForward":
        "x[..rows, n>0] f32; weight[n] f32; bias?[n] f32 → y like x f32; mean[rows] f32; rstd[rows] f32";
    LAYER_NORM_BACKWARD = "layerNormBackward":
        "dy[..rows, n>0] f32; x like dy f32; weight[n] f32; mean[rows] f32; rstd[rows] f32 → dx like x f32; dweight?[n] f32; dbias?[n] f32";

    SOFTMAX_FORWARD = "softmax": "x[..rows, n] f32 → y like x f32";
    SOFTMAX_BACKWARD = "softmaxBackward": "dy[..rows, n] f32; y like dy f32 → dx like dy f32";
    LOG_SOFTMAX_FORWARD = "logSoftmax": "x[..rows, n] f32 → y like x f32";
    LOG_SOFTMAX_BACKWARD = "logSoftmaxBackward": "dy[..rows, n] f32; y like dy f32 → dx like dy f32";

    DROPOUT = "dropout": "x[...] f32 → y like x f32";

    SUM_ROWS = "sumRows": "x[rows, n] f32 → y[n] f32";
    SUM = "sum": "x[...] f32";
    REDUCE_ALL_FORWARD = "reduceForward": "x[...] f32 → y[1] f32";
    REDUCE_ROWS_FORWARD = "reduceForward": "x[..rows, n] f32 → y[n] f32";
    REDUCE_COLUMNS_FORWARD = "reduceForward": "x[..rows, n] f32 → y[..rows] f32";
    REDUCE_ALL_BACKWARD = "reduceBackward": "x[...] f32; dy[1] f32; y[1] f32 → dx like x f32";
    REDUCE_ROWS_BACKWARD = "reduceBackward": "x[..rows, n] f32; dy[n] f32; y[n] f32 → dx like x f32";
    REDUCE_COLUMNS_BACKWARD = "reduceBackward": "x[..rows, n] f32; dy[..rows] f32; y[..rows] f32 → dx like x f32";
    ARGMAX_ALL = "argmax": "x[...] f32 → y[1] i32";
    ARGMAX_ROWS = "argmax": "x[..rows, n] f32 → y[n] i32";
    ARGMAX_COLUMNS = "argmax": "x[..rows, n] f32 → y[..rows] i32";
    TOP_K = "topK": "x[..rows, n] f32 → values[.., k] f32; indices[.., k] i32";

    EMBEDDING_FORWARD = "embeddingForward": "ids[n] i32; weight[vocabulary, d] f32 → y[n, d] f32";
    EMBEDDING_BACKWARD = "embeddingBackward": "ids[n] i32; into[vocabulary, d] f32; dy[..n, d] f32";
    GATHER_ROWS = "gatherRows": "x[...] any; rows[n] i32";
    SCATTER_ROWS = "scatterRows": "x[...] f32; rows[n] i32";
    TRANSPOSE = "transpose": "x[a, b] f32 → y[b, a] f32";
    PERMUTE = "permute": "x[...] f32";

    ROPE = "rope": "x[..batch·length, heads·half·2] f32 → y like x f32";
    ATTENTION_FORWARD = "attentionForward":
        "q[..batch·queries, heads·width>0] f32; k[..batch·keys, kvHeads·width] f32; v like k f32; keyMask?[batch, keys] u8; lengths?[batch] i32; slopes?[heads] f32 → y like q f32; logSumExp[batch, heads, queries] f32";
    ATTENTION_BACKWARD = "attentionBackward":
        "q[..batch·queries, heads·width>0] f32; k[..batch·keys, kvHeads·width] f32; v like k f32; keyMask?[batch, keys] u8; lengths?[batch] i32; slopes?[heads] f32; dy like q f32; y like q f32; logSumExp[batch, heads, queries] f32 → dq like q f32; dk like k f32; dv like k f32";
    CACHE_WRITE = "cacheWrite": "cache[batch>0, capacity, width] f32; x[..batch·n, width] f32";
    CACHE_READ = "cacheRead": "cache[batch, capacity, width] f32";
    LINEAR_CROSS_ENTROPY = "linearCrossEntropy": "weight[vocabulary>0, d>0] f32; x[..tokens, d] f32; targets[tokens] i32";
}
