const HIDDEN = new Set(['level', 'time', 'name', 'service', 'msg', 'pid', 'hostname']);

/** Turns a JSON log line into `06:00:01.123 INFO  scheduler Dispatched a task cluster=prod kind=full`. */
export function prettyLine(line: string): string {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof record !== 'object' || record === null) return line;
  const fields = new Map(Object.entries(record));
  const time = String(fields.get('time') ?? '').slice(11, 23);
  const level = String(fields.get('level') ?? '')
    .toUpperCase()
    .padEnd(5);
  const source = String(fields.get('service') ?? fields.get('name') ?? '');
  const rest = [...fields].filter(([key]) => !HIDDEN.has(key)).map(([key, value]) => `${key}=${shown(value)}`);
  return `${[time, level, source, String(fields.get('msg') ?? ''), ...rest].filter((part) => part !== '').join(' ')}\n`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  if (typeof value === 'object' && value !== null && 'code' in value && 'message' in value) {
    return JSON.stringify(`${String(value.code)}: ${String(value.message)}`);
  }
  return JSON.stringify(value) ?? 'undefined';
}
