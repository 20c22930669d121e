/**
 * What a line tells of: its level (the worst, where it varies), its sentence, and what it means for who reads it; `runbook` is a section
 * of docs/OPERATIONS.md. The name is what people search and count by: it stays when the sentence is put better.
 */
export type LogEvent = readonly [
  level: 'fatal' | 'error' | 'warn' | 'info' | 'debug',
  sentence: string,
  meaning?: string,
  runbook?: string,
];

export type LogEvents = Readonly<Record<string, LogEvent>>;
