import { LOG_EVENTS, type LogEvents } from '@etcd-ops/service-kit';

const HEAD = `# Log lines

<!-- made by packages/cli/src/docs/write-docs.ts: change packages/service-kit/src/log-events, and run it -->

One event, one line of JSON on standard error: \`level\`, \`time\`, \`name\` (the process), \`event\`, \`msg\`, and what varies as fields of its own: \`cluster\`, \`kind\`, \`taskId\`, \`key\`, \`revision\`.
Search and count by \`event\`: names stay, sentences may be put better. Levels go by consequence: \`error\`: somebody should look; \`warn\`: comes right by itself, but should not be usual; \`info\`: something changed.
Where a level varies, the worst is listed. \`ETCD_OPS_LOG_FORMAT=pretty\` is for people. Secrets are cut out before a line is written. What to do: [OPERATIONS.md](OPERATIONS.md#seeing-it).
`;

/** docs/LOGS.md. */
export function logsPage(): string {
  return (
    HEAD +
    Object.entries(LOG_EVENTS)
      .map(([who, events]) => section(who, events))
      .join('')
  );
}

function section(who: string, events: LogEvents): string {
  const rows = Object.entries(events).map(([name, [level, sentence, meaning = '', runbook]]) => {
    const link = runbook === undefined ? '' : ` [What to do](OPERATIONS.md#${runbook})`;
    return `| \`${name}\` | ${level} | ${sentence} | ${meaning}${link} |\n`;
  });
  return `\n## ${who}\n\n| event | level | sentence | what it means |\n|---|---|---|---|\n${rows.join('')}`;
}
