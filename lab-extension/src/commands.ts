export namespace CommandIDs {
  export const openMemory = "nibble-lab:open-memory";
  export const openPca = "nibble-lab:open-pca";
  export const nextLayer = "nibble-lab:next-layer";
  export const previousLayer = "nibble-lab:previous-layer";
}
