/** Libraries break lines and add what only they understand. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/No connection established\. Last error: (Error: )?/g, '')
    .replaceAll(/\. Resolution note: (?=[;):]|\s*$)/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
