/** Characters that Go's encoding/json escapes although JSON does not ask for it (its HTML-safe default). */
const GO_ESCAPES = /[<>&\u2028\u2029]/g;

/**
 * A JSON string with the very bytes that Go's encoding/json writes. Control characters other than tab, newline and return
 * are not supported: Go releases write them differently, so names that hold them are refused before (initial-cluster.ts).
 */
export function goJsonString(text: string): string {
  return JSON.stringify(text).replace(
    GO_ESCAPES,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function goJsonStrings(texts: readonly string[]): string {
  return `[${texts.map(goJsonString).join(',')}]`;
}
