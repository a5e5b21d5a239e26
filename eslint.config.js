import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/lib/**/*.js",
      "**/lib/**/*.d.ts",
      "**/node_modules/**",
      "native/index.d.ts",
      "native/target/**",
      ".venv/**",
      "lab-extension/nibble_lab/**",
    ],
  },
  {
    files: ["**/*.ts", "**/*.tsx"],
    plugins: { "@typescript-eslint": tseslint.plugin },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ["kernel/library/src/**/*.ts"], rules: { "no-console": "error" } },
  { files: ["test/**/*.ts"], rules: { "max-lines-per-function": "off" } },
);
