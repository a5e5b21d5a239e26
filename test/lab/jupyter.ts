import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const python = join(root, ".venv", "bin", "python");
const browser = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Why JupyterLab cannot be driven here; null where it can. */
export function missing(): string | null {
  if (!existsSync(python)) return `${python} is missing: run npm run build`;
  if (!existsSync(browser)) return `${browser} is missing: install Chromium, or set CHROMIUM to its path`;
  return null;
}

/** What a page of JupyterLab that exposes its application has. */
export interface LabWindow {
  readonly jupyterapp?: {
    readonly restored: Promise<void>;
    readonly commands: { execute(id: string, args?: object): Promise<unknown> };
    readonly shell: { widgets(area: string): Iterable<LabWidget> };
  };
}

interface LabWidget {
  readonly context?: { readonly path: string };
  readonly sessionContext?: {
    readonly session: { readonly kernel: LabKernel | null } | null;
  };
}

interface LabKernel {
  readonly status: string;
  readonly statusChanged: { connect(slot: (sender: unknown, status: string) => void): void };
  restart(): Promise<void>;
}

/** A JupyterLab server of the project's own environment on loopback, with its own settings, and a page on it. */
export class Lab implements AsyncDisposable {
  private constructor(
    private readonly server: ChildProcess,
    private readonly folder: string,
    private readonly opened: Browser,
    readonly page: Page,
    private readonly url: (path: string) => string,
  ) {}

  static async start(): Promise<Lab> {
    const folder = mkdtempSync(join(tmpdir(), "nibble-lab-browser-"));
    const port = await freePort();
    const server = await serve(folder, port);
    const opened = await chromium.launch({
      executablePath: browser,
      args: [
        "--no-sandbox",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
        "--disable-dev-shm-usage",
      ],
    });
    const page = await opened.newPage({ viewport: { width: 1600, height: 950 } });
    return new Lab(server, folder, opened, page, (path) => `http://127.0.0.1:${port}/lab/tree/${path}?token=${TOKEN}`);
  }

  /** Write a notebook of these cells and open it; resolves when its kernel is idle. */
  async open(path: string, cells: readonly string[]): Promise<void> {
    writeFileSync(join(this.folder, "work", path), JSON.stringify(notebook(cells)));
    await this.page.goto(this.url(path));
    await this.page.waitForFunction(() => (window as LabWindow).jupyterapp !== undefined);
    await this.page.evaluate(() => (window as LabWindow).jupyterapp?.restored);
    await this.page.locator(".jp-NotebookPanel .jp-Cell").first().waitFor();
    await this.idle(path);
  }

  async command(id: string, args: object = {}): Promise<void> {
    await this.page.evaluate(
      // The result may hold widgets, which cannot leave the page.
      ([name, options]) => void (window as LabWindow).jupyterapp?.commands.execute(name, options),
      [id, args] as const,
    );
  }

  /** Run a cell by its place in the notebook, without waiting for its end. */
  async run(cell: number): Promise<void> {
    await this.page.locator(".jp-NotebookPanel .jp-Cell").nth(cell).locator(".cm-content").click();
    await this.command("notebook:run-cell");
  }

  async status(path: string): Promise<string> {
    return this.page.evaluate((name) => {
      for (const widget of (window as LabWindow).jupyterapp?.shell.widgets("main") ?? []) {
        if (widget.context?.path === name) return widget.sessionContext?.session?.kernel?.status ?? "none";
      }
      return "none";
    }, path);
  }

  /** Resolves when the notebook's kernel has nothing to do. */
  async idle(path: string): Promise<void> {
    while ((await this.status(path)) !== "idle") await this.frame();
  }

  /** Milliseconds, as the page saw them, from the next click to an idle kernel. */
  untilIdleAfterClick(path: string): Promise<number> {
    return this.page.evaluate(
      (name) =>
        new Promise<number>((done) => {
          let clicked = Infinity;
          document.addEventListener("click", () => (clicked = performance.now()), { capture: true, once: true });
          for (const widget of (window as LabWindow).jupyterapp?.shell.widgets("main") ?? []) {
            if (widget.context?.path !== name) continue;
            widget.sessionContext?.session?.kernel?.statusChanged.connect((_, status) => {
              if (status === "idle" && performance.now() > clicked) done(performance.now() - clicked);
            });
          }
        }),
      path,
    );
  }

  /** Resolves once the cell has its number and has ended; returns its output as text. */
  async output(cell: number): Promise<string> {
    const node = this.page.locator(".jp-NotebookPanel .jp-Cell").nth(cell);
    await node.locator(".jp-InputPrompt", { hasText: /\[\d+\]/ }).waitFor();
    return node.locator(".jp-Cell-outputArea").innerText();
  }

  async restart(path: string): Promise<void> {
    await this.page.evaluate(async (name) => {
      for (const widget of (window as LabWindow).jupyterapp?.shell.widgets("main") ?? []) {
        if (widget.context?.path === name) await widget.sessionContext?.session?.kernel?.restart();
      }
    }, path);
  }

  /** Kept after the test, to be looked at. */
  async screenshot(name: string): Promise<void> {
    const folder = join(tmpdir(), "nibble-lab-screenshots");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}.png`);
    await this.page.screenshot({ path });
    console.log(`screenshot: ${path}`);
  }

  private async frame(): Promise<void> {
    await this.page.evaluate(() => new Promise((next) => requestAnimationFrame(next)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.opened.close();
    const ended = new Promise((done) => this.server.once("exit", done));
    this.server.kill("SIGTERM");
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const TOKEN = "a-token-for-loopback";

async function serve(folder: string, port: number): Promise<ChildProcess> {
  for (const part of ["work", "settings/@jupyterlab/apputils-extension"]) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  writeFileSync(
    join(folder, "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"),
    '{"fetchNews":"false"}',
  );
  const server = spawn(
    python,
    [
      ...["-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1", `--port=${port}`],
      ...[
        "--ServerApp.port_retries=0",
        "--LabApp.expose_app_in_browser=True",
        `--notebook-dir=${join(folder, "work")}`,
      ],
    ],
    {
      env: {
        ...process.env,
        JUPYTER_TOKEN: TOKEN,
        JUPYTER_CONFIG_DIR: join(folder, "config"),
        JUPYTER_DATA_DIR: join(folder, "data"),
        JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
        JUPYTERLAB_SETTINGS_DIR: join(folder, "settings"),
        JUPYTERLAB_WORKSPACES_DIR: join(folder, "workspaces"),
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  await new Promise<void>((ready, fail) => {
    server.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes(`http://127.0.0.1:${port}/lab`)) ready();
    });
    server.once("exit", (code) => fail(new Error(`JupyterLab ended with ${code}:\n${log}`)));
  });
  return server;
}

function freePort(): Promise<number> {
  const probe = createServer();
  return new Promise((done) =>
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    }),
  );
}

function notebook(cells: readonly string[]): object {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "nibble-lab", display_name: "TypeScript (Nibble Lab)", language: "typescript" } },
    cells: cells.map((source, i) => ({
      id: `cell-${i}`,
      cell_type: "code",
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    })),
  };
}
