import type { Category, DeviceInfo, EngineInfo, MemoryEvent, MemoryStats, OwnerBytes } from "@nibble-lab/native";
import { native } from "./native.js";
import { UnsupportedError } from "../errors.js";

export type { Category, DeviceInfo, EngineInfo, MemoryEvent, MemoryStats, OwnerBytes } from "@nibble-lab/native";
export { collectedTensors } from "./storage.js";

/** The engine's version, the processor's name, the instruction set in use and the number of threads. */
export function engineInfo(): EngineInfo {
  return native.engineInfo();
}
/** "cpu", then "gpu", "gpu:1", … Asking starts the GPU driver. */
export function devices(): DeviceInfo[] {
  return native.devices();
}
/** The device of this name; "auto" is the CPU. @throws {UnsupportedError} for one that this machine lacks */
export function deviceNamed(op: string, name: string): string {
  if (name === "auto" || name === "cpu") return "cpu";
  const found = devices().map((one) => one.name);
  if (found.includes(name)) return name;
  const allowed = [...found, "auto"].map((one) => JSON.stringify(one)).join(", ");
  throw new UnsupportedError(op, `device is ${JSON.stringify(name)}. This machine has: ${allowed}.`, { device: name });
}
/** What bytes are for, in the order of the arrays in `MemoryStats`. */
export function categories(): Category[] {
  return native.categories();
}
/** Live and peak bytes, one entry per device in use. */
export function memoryStats(): MemoryStats[] {
  return native.memoryStats();
}
/** The largest owners of bytes first. */
export function memoryOwners(limit: number): OwnerBytes[] {
  return native.memoryOwners(limit);
}
/** Allocations and frees after a sequence number, from a ring of bounded length. */
export function memoryEvents(sinceSequence: number): MemoryEvent[] {
  return native.memoryEvents(sinceSequence);
}
/** Starts the peaks anew from what is live. */
export function resetPeakMemory(): void {
  native.resetPeakMemory();
}
/** Gives freed bytes that lie ready for reuse back to the system; returns how many there were. */
export function releasePooledMemory(): number {
  return native.releasePooledMemory();
}
/** Bytes that may be live at once, 0 = no limit; an allocation beyond throws OutOfMemoryError naming the largest owners. */
export function setMemoryLimit(bytes: number): void {
  native.setMemoryLimit(bytes);
}
/** Native tensors that are alive. */
export function liveTensors(): number {
  return native.liveTensors();
}
/** True between the stop button and the end of the cell. */
export function isInterrupted(): boolean {
  return native.isInterrupted();
}
