import { pocket, pocket2 } from "./pocket/index.js";

export * from "./pocket/index.js";
export { DOCUMENT_SEPARATOR, TextDataset } from "./text.js";

/** Data that the library brings along; nothing is downloaded. */
export const data = { pocket, pocket2 };
