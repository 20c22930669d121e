import { MESSAGES, ROLES } from '@etcd-ops/bus';
import { fieldsOf } from './schema-fields.ts';

const BEGIN = '<!-- made by packages/cli/src/docs/write-docs.ts -->';
const END = '<!-- end of what is made -->';

/** The fields of every message, and what each role may do: docs/MESSAGES.md from its marker on. */
export function messageTables(): string {
  return [
    BEGIN,
    '',
    '## Rights',
    '',
    'Two accounts; each service has a user with no more than its work needs. `deploy/nats/accounts-nkey.conf` holds every subject that they may publish and subscribe to; `etcd-ops nats-config` writes the same with secrets.',
    '',
    '| user | account | what it does |',
    '|---|---|---|',
    ...ROLES.map(({ name, account, does }) => `| \`${name}\` | ${account} | ${does} |`),
    '',
    '## Fields',
    '',
    'As a sender writes them. "must" says that a message without the field is refused.',
    '',
    ...MESSAGES.flatMap(({ title, schema }) => [
      `### ${title}`,
      '',
      '| field | must | what |',
      '|---|---|---|',
      ...fieldsOf(schema).map(
        ({ path, type, required }) => `| \`${path}\` | ${required ? 'must' : ''} | ${cell(type)} |`,
      ),
      '',
    ]),
    END,
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** Puts them where the old ones are. @throws Error when the page has no such place. */
export function withMessageTables(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/MESSAGES.md has no part between "${BEGIN}" and "${END}"`);
  return page.slice(0, begin) + messageTables() + page.slice(end + END.length);
}
