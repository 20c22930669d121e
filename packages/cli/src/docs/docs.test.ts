import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '@etcd-ops/core';
import { expect, test } from 'vitest';
import { COMMANDS } from '../commands/command-list.ts';
import { EXIT_CODES } from '../help/exit-codes.ts';
import { flagsOf } from '../options/flag-index.ts';
import { commandsPage } from './commands-page.ts';
import { JSON_FIELDS } from './json-fields.ts';
import { failureTables, withFailureTables } from './failure-table.ts';
import { withMessageTables } from './messages-tables.ts';
import { logsPage } from './logs-page.ts';
import { metricsPage } from './metrics-page.ts';
import { natsFiles } from './nats-files.ts';

const docs = (name: string): string =>
  readFileSync(join(import.meta.dirname, '..', '..', '..', '..', 'docs', name), 'utf8');
const remedy = 'run: node packages/cli/src/docs/write-docs.ts';

test('docs/COMMANDS.md is what the tables of the commands say', () => {
  expect(docs('COMMANDS.md') === commandsPage(COMMANDS), remedy).toBe(true);
});

test('docs/OPERATIONS.md holds the exit codes and failures of the code', () => {
  const page = docs('OPERATIONS.md');
  expect(page === withFailureTables(page), remedy).toBe(true);
});

test('docs/METRICS.md is what the services declare', () => {
  expect(docs('METRICS.md') === metricsPage(), remedy).toBe(true);
});

test('docs/LOGS.md is the table of log events', () => {
  expect(docs('LOGS.md') === logsPage(), remedy).toBe(true);
});

test('docs/MESSAGES.md holds the fields and rights of the code', () => {
  const page = docs('MESSAGES.md');
  expect(page === withMessageTables(page), remedy).toBe(true);
});

test('deploy/nats is what the rights in the code say', () => {
  const found = (name: string): string =>
    readFileSync(join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'nats', name), 'utf8');
  for (const [name, text] of Object.entries(natsFiles())) expect(found(name) === text, `${name}; ${remedy}`).toBe(true);
});

test('every failure has an exit code that is documented, a reason and a remedy in whole sentences', () => {
  for (const [code, { exit, cause, remedy: what }] of Object.entries(ERROR_CODES)) {
    expect(EXIT_CODES, code).toHaveProperty(String(exit));
    expect(cause, code).toMatch(/^([A-Z`]|etcd ).*\.$/);
    expect(what, code).toMatch(/^([A-Z`]|etcd ).*\.$/);
    expect(failureTables()).toContain(`| \`${code}\` | ${exit} |`);
  }
});

test('every command that prints data says what is in its JSON', () => {
  for (const command of COMMANDS) {
    const printsData = flagsOf(command).some(({ name }) => name === 'output');
    expect(command.name in JSON_FIELDS, command.name).toBe(printsData);
  }
});
