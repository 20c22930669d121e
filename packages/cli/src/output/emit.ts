/** Data for programs: one JSON document on standard output. Ids are hex strings already; a bigint that slips through becomes decimal text. */
export function emitJson(data: unknown): void {
  process.stdout.write(
    `${JSON.stringify(data, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2)}\n`,
  );
}

export function emitText(text: string): void {
  process.stdout.write(`${text}\n`);
}
