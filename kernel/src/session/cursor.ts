/** The part of a word that ends at the cursor. */
export function wordBefore(source: string, offset: number): string {
  return /[\p{ID_Continue}$]*$/u.exec(source.slice(0, offset))?.[0] ?? "";
}

/** Whether that word names a member of what is before it. */
export function isMember(source: string, offset: number): boolean {
  return /\.\s*$/.test(source.slice(0, offset - wordBefore(source, offset).length));
}
