import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMM_TARGET, SCHEMA } from "@nibble-lab/messages";
import { Lab, missing, type LabWindow } from "./jupyter.js";

const reason = missing();
if (reason !== null) console.log(`skipped, the kernel in JupyterLab: ${reason}`);

const NOTEBOOK = "kernel.ipynb";
const CELLS = [
  `let kept = 42;
kernel.comms.register("echo", (comm) => { comm.onMessage = (data) => comm.send(data) });`,
  `let rounds = 0; console.log("in"); for (;;) { await new Promise((resolve) => setTimeout(resolve, 1)); rounds += 1; }`,
  `\`\${kept}, \${rounds > 0}\``,
  `for (const end = Date.now() + 3000; Date.now() < end; );`,
  `await new Promise((resolve) => setTimeout(resolve, 2000))`,
  `process.abort()`,
  `const fresh = 7; fresh`,
] as const;

/** What the page's kernel has beyond what the other tests need. */
interface Kernel {
  readonly statusChanged: { connect(slot: (sender: unknown, status: string) => void): void };
  createComm(target: string): {
    onMsg: (message: { content: { data: unknown } }) => void;
    open(data?: object): { done: Promise<unknown> };
    send(data: object): { done: Promise<unknown> };
  };
  requestComplete(content: object): Promise<{ content: { matches: string[] } }>;
}
interface KernelWindow extends LabWindow {
  /** Every status that the page saw since the recording began. */
  seen?: string[];
  kernelUnderTest?: Kernel;
}

describe.skipIf(reason !== null)("the kernel in JupyterLab", { timeout: 240_000 }, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.start();
    lab.page.setDefaultTimeout(120_000);
    await lab.open(NOTEBOOK, CELLS);
    await lab.run(0);
    await lab.output(0);
    await lab.idle(NOTEBOOK);
  }, 240_000);
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  /** From here on the page notes each change of the busy dot. */
  const record = () =>
    lab.page.evaluate((name) => {
      const page = window as KernelWindow;
      const isRecording = page.seen !== undefined;
      page.seen = [];
      if (isRecording) return;
      for (const widget of page.jupyterapp?.shell.widgets("main") ?? []) {
        if (widget.context?.path !== name) continue;
        page.kernelUnderTest = widget.sessionContext?.session?.kernel as unknown as Kernel;
        page.kernelUnderTest.statusChanged.connect((_, status) => page.seen?.push(status));
      }
    }, NOTEBOOK);
  const seen = () => lab.page.evaluate(() => (window as KernelWindow).seen);

  /** Opens a comm, has ten messages echoed and asks for completions; resolves with how many came back. */
  const chatter = () =>
    lab.page.evaluate(async () => {
      const kernel = (window as KernelWindow).kernelUnderTest!;
      const comm = kernel.createComm("echo");
      let echoes = 0;
      comm.onMsg = () => (echoes += 1);
      await comm.open().done;
      for (let round = 0; round < 10; round++) {
        await comm.send({ round }).done;
        await kernel.requestComplete({ code: "consol", cursor_pos: 6 });
      }
      return echoes;
    });

  it("never makes the busy dot blink by comms and completions between cells", async () => {
    await record();
    expect(await chatter()).toBe(10);
    expect(await seen()).toEqual([]);
  });

  it("never makes it blink during a cell, and answers meanwhile", async () => {
    await record();
    await lab.run(4);
    await lab.page.waitForFunction(() => (window as KernelWindow).seen?.includes("busy"));
    expect(await chatter()).toBe(10);
    expect(await seen()).toEqual(["busy"]);
    await lab.idle(NOTEBOOK);
    expect(await seen()).toEqual(["busy", "idle"]);
  });

  it("answers the first message on a fresh subshell while a cell computes", async () => {
    await record();
    await lab.run(3);
    await lab.page.waitForFunction(() => (window as KernelWindow).seen?.includes("busy"));
    const hello = await lab.page.evaluate(
      ([target, schema]) =>
        new Promise((answered) => {
          const comm = (window as KernelWindow).kernelUnderTest!.createComm(target);
          comm.onMsg = ({ content }) => answered(content.data);
          comm.open({ schemas: [schema], topics: [] });
        }),
      [COMM_TARGET, SCHEMA] as const,
    );
    expect(hello).toMatchObject({ kind: "hello" });
    expect(await seen()).toEqual(["busy"]);
    await lab.idle(NOTEBOOK);
  });

  it("stops a cell at the stop button and keeps its variables", async () => {
    await lab.run(1);
    const output = lab.page.locator(".jp-NotebookPanel .jp-Cell").nth(1).locator(".jp-OutputArea");
    await output.getByText("in").first().waitFor();
    await lab.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').click();
    await output.getByText("Interrupted: The cell was interrupted. Its variables are kept.").waitFor();
    await lab.run(2);
    expect(await lab.output(2)).toContain("42, true");
  });

  it("shows what happened when a cell takes its process down, and goes on", async () => {
    await lab.run(5);
    expect(await lab.output(5)).toMatch(/KernelProcessDied: The process that runs cells was aborted \(SIGABRT\)/);
    await lab.run(6);
    expect(await lab.output(6)).toContain("7");
    await lab.screenshot("kernel-died");
  });

  it("starts anew on restart", async () => {
    await lab.restart(NOTEBOOK);
    await lab.idle(NOTEBOOK);
    await lab.run(0);
    const prompt = lab.page.locator(".jp-NotebookPanel .jp-Cell").nth(0).locator(".jp-InputPrompt");
    await prompt.getByText("[1]").waitFor();
    await lab.idle(NOTEBOOK);
  });
});
