export { memory, MemorySnapshot, type CategoryBytes, type DeviceBytes } from "./snapshot.js";
