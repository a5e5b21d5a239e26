/** Arrows point down: lab-extension → messages; kernel → library, messages; library → native; native → nothing. */
const forbid = (name, from, to, fromNot) => ({
  name,
  severity: "error",
  from: fromNot ? { path: from, pathNot: fromNot } : { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    forbid("native-knows-nobody", "^native/", "^(kernel|lab-extension)/"),
    forbid("messages-know-nobody", "^kernel/messages/", "^(kernel/src|kernel/library|native|lab-extension)/"),
    forbid("library-knows-no-jupyter", "^kernel/library/", "^(kernel/src|kernel/messages|lab-extension)/"),
    forbid("panels-see-messages-only", "^lab-extension/", "^(native|kernel/src|kernel/library)/"),
    forbid("only-tensor-touches-native", "^kernel/library/src/", "^native/", "^kernel/library/src/tensor/"),
    forbid(
      "kernel-touches-native-in-the-supervisor-only",
      "^kernel/src/",
      "^native/",
      "^kernel/src/executor/supervisor",
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)lib/.*\\.(js|d\\.ts)$|/labextension/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
