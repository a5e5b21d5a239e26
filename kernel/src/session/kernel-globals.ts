/** What every cell has without an import, as TypeScript sees it. */
export const KERNEL_GLOBALS_TYPES = `
interface NibbleDisplayHandle { readonly id: string; update(value: unknown): void }
interface NibbleDisplayOptions { id?: string; raw?: boolean; update?: boolean; metadata?: Record<string, unknown> }
interface NibbleTableOptions { columns?: readonly string[]; limit?: number; title?: string }
interface NibbleProgressOptions { label?: string; total?: number; unit?: string; keep?: boolean }
interface NibbleProgressBar extends Disposable { readonly done: number; advance(by?: number): void; set(done: number): void; close(): void }
interface NibbleComm {
  readonly id: string;
  readonly target: string;
  onMessage: ((data: Record<string, unknown>, buffers: readonly Uint8Array[]) => void) | null;
  onClose: ((data: Record<string, unknown>) => void) | null;
  send(data: Record<string, unknown>, buffers?: readonly Uint8Array[]): void;
  close(data?: Record<string, unknown>): void;
}
/** Shows a value below the cell; the result can change it later. With \`raw\` the value is a MIME bundle. */
declare function display(value: unknown, options?: NibbleDisplayOptions): NibbleDisplayHandle;
/** HTML that the cell shows. */
declare function html(text: string | TemplateStringsArray, ...values: unknown[]): object;
/** Markdown that the cell shows. */
declare function md(text: string | TemplateStringsArray, ...values: unknown[]): object;
/** An SVG picture that the cell shows. */
declare function svg(text: string | TemplateStringsArray, ...values: unknown[]): object;
/** A picture from a file, or from the bytes of a PNG, JPEG or GIF. */
declare function image(source: string | Uint8Array): object;
/** Records as a table, one a row; also arrays, a Map, or a record of columns. */
declare function table(rows: Iterable<unknown> | object, options?: NibbleTableOptions): object;
/** Takes away what the cell has shown; with \`wait\`, when something new comes. */
declare function clearOutput(options?: { wait?: boolean }): void;
/** Asks the reader for a line of text. */
declare function input(prompt?: string, options?: { password?: boolean }): Promise<string>;
/** Asks the reader for a line of text; nothing else of the cell runs until it is there. */
declare function prompt(text?: string, fallback?: string): string;
/** A bar that follows an iteration: \`for (const x of progress(xs))\`; with \`keep: false\` it vanishes at its end. */
declare function progress<T>(values: Iterable<T>, options?: string | NibbleProgressOptions): Iterable<T>;
/** A bar that follows an asynchronous iteration: \`for await (const x of progress(xs))\`. */
declare function progress<T>(values: AsyncIterable<T>, options?: string | NibbleProgressOptions): AsyncIterable<T>;
/** A bar that is moved by hand: \`using bar = progress(100); bar.advance()\`. */
declare function progress(total: number, options?: string | NibbleProgressOptions): NibbleProgressBar;
declare const kernel: {
  /** Aborts when the running cell is interrupted. */
  readonly signal: AbortSignal;
  /** Lines between cells and the front end. */
  readonly comms: {
    register(target: string, handler: (comm: NibbleComm, data: Record<string, unknown>, buffers: readonly Uint8Array[]) => void): void;
    unregister(target: string): void;
    connect(target: string, data?: Record<string, unknown>, buffers?: readonly Uint8Array[]): NibbleComm;
  };
};
`;

export const KERNEL_GLOBALS: readonly string[] = [
  ...KERNEL_GLOBALS_TYPES.matchAll(/^declare (?:function|const) (\w+)/gm),
].map((match) => match[1]!);
