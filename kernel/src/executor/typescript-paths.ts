import { existsSync, statSync } from "node:fs";

export const TYPESCRIPT = /\.[mc]?ts$/;

/** Where a path of an import leads, as in TypeScript: `./file.js` and `./file` may mean `./file.ts`. A file that is there wins. */
export function sourcePath(path: string): string {
  if (isFile(path)) return path;
  const asTypeScript = path.replace(/\.([mc]?)js$/, ".$1ts");
  const guesses = [asTypeScript, `${path}.ts`, `${path}.js`, `${path}/index.ts`, `${path}/index.js`];
  return guesses.find(isFile) ?? path;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
