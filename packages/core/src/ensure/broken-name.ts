/** What was moved aside inside of a directory that cannot be renamed itself: a mounted volume. It does not make it occupied. */
export const brokenName = /^(?:member|wal)\.broken-/;
