import { readFileSync } from "node:fs";

/** Where the front end expects the five sockets, and the key that signs messages. */
export interface Connection {
  readonly transport: "tcp" | "ipc";
  readonly ip: string;
  readonly ports: Readonly<Record<Channel, number>>;
  readonly key: string;
  /** CurveZMQ's keys of this side, Z85; null where the connection is in the clear. */
  readonly curve: CurveKeys | null;
}

export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

export const CHANNELS = ["shell", "control", "iopub", "stdin", "hb"] as const;
export type Channel = (typeof CHANNELS)[number];

const SCHEME = "hmac-sha256";
const CURVE_KEY_LENGTH = 40;

/** Reads a connection file; every field is checked before a socket is opened. */
export function readConnection(path: string): Connection {
  const raw: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof raw !== "object" || raw === null) throw new Error(`[connection] ${path} holds no object.`);
  const fields = raw as Record<string, unknown>;
  const transport = fields["transport"] ?? "tcp";
  if (transport !== "tcp" && transport !== "ipc") {
    throw new Error(`[connection] transport is ${JSON.stringify(transport)}. Supported: "tcp", "ipc".`);
  }
  const scheme = fields["signature_scheme"] ?? SCHEME;
  const key = fields["key"] ?? "";
  if (typeof key !== "string") throw new Error(`[connection] key is ${typeof key}. It must be a string.`);
  if (key !== "" && scheme !== SCHEME) {
    throw new Error(`[connection] signature_scheme is ${JSON.stringify(scheme)}. Supported: "${SCHEME}".`);
  }
  const ports = Object.fromEntries(CHANNELS.map((channel) => [channel, port(fields, channel)]));
  const ip = String(fields["ip"] ?? "127.0.0.1");
  return { transport, ip, ports: ports as Record<Channel, number>, key, curve: curveKeys(fields) };
}

/** Half a pair, or what is no key, must not end in a connection that anybody can read. */
function curveKeys(fields: Record<string, unknown>): CurveKeys | null {
  const [publicKey, secretKey] = [fields["curve_publickey"] ?? null, fields["curve_secretkey"] ?? null];
  if (publicKey === null && secretKey === null) return null;
  const isKey = (value: unknown): value is string => typeof value === "string" && value.length === CURVE_KEY_LENGTH;
  if (isKey(publicKey) && isKey(secretKey)) return { publicKey, secretKey };
  throw new Error(
    `[connection] curve_publickey or curve_secretkey is missing or no key. Both are needed, ${CURVE_KEY_LENGTH} characters each.`,
  );
}

function port(fields: Record<string, unknown>, channel: Channel): number {
  const value = fields[`${channel}_port`];
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  throw new Error(`[connection] ${channel}_port is ${JSON.stringify(value)}. It must be a port number.`);
}

export function address(connection: Connection, channel: Channel): string {
  const separator = connection.transport === "tcp" ? ":" : "-";
  return `${connection.transport}://${connection.ip}${separator}${connection.ports[channel]}`;
}
