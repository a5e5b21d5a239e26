import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "./client.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Spaces, letters outside ASCII, and what a shell would read otherwise. */
const folder = mkdtempSync(join(tmpdir(), "nibble läb (日本) $HOME "));
const copy = join(folder, "cöpy of it");
const prefix = join(folder, "prefix ü");
const spec = join(prefix, "share", "jupyter", "kernels", "nibble-lab");

/** What is installed, at another place; third-party packages stay where they are. */
function copyInstallation(): void {
  const parts = [
    ...[
      "native/lib",
      "native/package.json",
      "native/nibble-lab.node",
      "kernel/messages/lib",
      "kernel/messages/package.json",
    ],
    ...["kernel/library/lib", "kernel/library/package.json", "kernel/library/pocket"],
    ...["kernel/lib", "kernel/bin", "kernel/kernelspec", "kernel/package.json"],
  ];
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true });
  const own: Readonly<Record<string, string>> = {
    "nibble-lab": "kernel/library",
    "@nibble-lab/native": "native",
    "@nibble-lab/messages": "kernel/messages",
    "@nibble-lab/kernel": "kernel",
  };
  const theirs = readdirSync(join(root, "node_modules")).filter(
    (name) => !name.startsWith(".") && name !== "@nibble-lab",
  );
  const links = { ...Object.fromEntries(theirs.map((name) => [name, join(root, "node_modules", name)])), ...own };
  for (const [name, target] of Object.entries(links)) {
    mkdirSync(dirname(join(copy, "node_modules", name)), { recursive: true });
    symlinkSync(join(name in own ? copy : "", target), join(copy, "node_modules", name));
  }
}

function nibbleLab(...args: string[]): Promise<{ code: number; output: string; problem: string }> {
  return new Promise((done) =>
    execFile(process.execPath, [join(copy, "kernel/bin/nibble-lab.mjs"), ...args], (error, output, problem) =>
      done({ code: typeof error?.code === "number" ? error.code : 0, output, problem }),
    ),
  );
}

beforeAll(copyInstallation);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("nibble-lab", { timeout: 240_000 }, () => {
  it("installs a kernel that starts from a path with spaces and letters outside ASCII", async () => {
    expect(await nibbleLab("install", "--prefix", prefix)).toMatchObject({ code: 0 });
    const { argv, interrupt_mode } = JSON.parse(readFileSync(join(spec, "kernel.json"), "utf8")) as {
      argv: string[];
      interrupt_mode: string;
    };
    expect(interrupt_mode).toBe("message");
    expect(argv).toEqual([process.execPath, join(copy, "kernel/lib/main.js"), "{connection_file}"]);
    const command = (file: string) => argv.map((word) => word.replace("{connection_file}", file));
    const client = await Client.start({ command, cwd: folder });
    expect(await client.value('import { Tensor } from "nibble-lab"; [Tensor.name, process.cwd()].join()')).toBe(
      `'Tensor,${folder}'`,
    );
    await client.stop();
  });

  it("finds everything of an installation, and says so", async () => {
    const { output } = await nibbleLab("doctor", "--prefix", join(root, ".venv"));
    for (const name of ["Node", "engine", "compiler", "sockets", "JupyterLab", "extension"]) {
      expect(output).toMatch(new RegExp(`^✓ ${name} `, "m"));
    }
    // The environment's kernelspec starts the original, not this copy.
    expect(output).toMatch(/^– kernelspec .*another copy/m);
  });

  it("says what is missing and what to do about it", async () => {
    const { code, output } = await nibbleLab("doctor", "--prefix", join(folder, "nothing here"));
    expect(code).toBe(1);
    expect(output).toMatch(/^✗ JupyterLab .*\n.*→ Install it: `pip install/m);
    expect(output).toMatch(/^✗ kernelspec .*\n.*→ Write it: `npx nibble-lab install --prefix/m);
  });

  it("uninstalls, once", async () => {
    expect(await nibbleLab("uninstall", "--prefix", prefix)).toMatchObject({ code: 0 });
    expect(existsSync(spec)).toBe(false);
    const again = await nibbleLab("uninstall", "--prefix", prefix);
    expect(again.code).toBe(1);
    expect(again.problem).toContain("there is no kernel");
  });

  it("refuses what it does not know with its usage", async () => {
    for (const args of [["instal"], [], ["install", "--system"], ["install", "--user", "--sys-prefix"]]) {
      const { code, problem } = await nibbleLab(...args);
      expect(code).toBe(2);
      expect(problem).toContain("nibble-lab COMMAND");
    }
  });
});
