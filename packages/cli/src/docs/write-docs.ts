import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from '../commands/command-list.ts';
import { commandsPage } from './commands-page.ts';
import { withFailureTables } from './failure-table.ts';

const DOCS = join(import.meta.dirname, '..', '..', '..', '..', 'docs');

writeFileSync(join(DOCS, 'COMMANDS.md'), commandsPage(COMMANDS));
const operations = join(DOCS, 'OPERATIONS.md');
writeFileSync(operations, withFailureTables(readFileSync(operations, 'utf8')));
