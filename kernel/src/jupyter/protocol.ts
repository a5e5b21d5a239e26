/** The words of Jupyter's messaging protocol 5.5, as far as this kernel speaks it. */
export const PROTOCOL_VERSION = "5.5";

export interface Header {
  readonly msg_id: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly msg_type: string;
  readonly version: string;
  readonly subshell_id?: string | null;
}

export type Content = Readonly<Record<string, unknown>>;

/** What arrived on shell, control or stdin, after its signature was verified. */
export interface Request {
  /** Routing frames: a reply goes back to exactly these. */
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly parentHeader: Partial<Header>;
  readonly metadata: Content;
  readonly content: Content;
  readonly buffers: readonly Uint8Array[];
}

/** What leaves: the header is made by the session when it is sent. */
export interface Outgoing {
  readonly type: string;
  readonly parent: Header | null;
  readonly content: Content;
  readonly metadata?: Content;
  readonly buffers?: readonly Uint8Array[];
}

export type Bundle = Readonly<Record<string, unknown>>;

export interface DisplayContent {
  readonly data: Bundle;
  readonly metadata: Content;
  readonly transient: { readonly display_id?: string };
}

export interface ErrorContent {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export type StreamName = "stdout" | "stderr";

/** A string field of a message's content, or the fallback where it is absent or of another type. */
export function textField(content: Content, name: string, fallback = ""): string {
  const value = content[name];
  return typeof value === "string" ? value : fallback;
}

export function flagField(content: Content, name: string, fallback: boolean): boolean {
  const value = content[name];
  return typeof value === "boolean" ? value : fallback;
}

export function numberField(content: Content, name: string, fallback: number): number {
  const value = content[name];
  return typeof value === "number" ? value : fallback;
}

export function recordField(content: Content, name: string): Content {
  const value = content[name];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Content) : {};
}

/** Jupyter counts code points, JavaScript counts UTF-16 units. */
export function codePointsToUnits(text: string, codePoints: number): number {
  let units = 0;
  for (let seen = 0; seen < codePoints && units < text.length; seen++) {
    units += text.codePointAt(units)! > 0xffff ? 2 : 1;
  }
  return units;
}

export function unitsToCodePoints(text: string, units: number): number {
  let codePoints = 0;
  for (let at = 0; at < units && at < text.length; codePoints++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return codePoints;
}
