import { callApi, connectBus, readConnectionFile, statusAnswerSchema, type StatusAnswer } from '@etcd-ops/bus';
import { EtcdOpsError } from '@etcd-ops/core';
import type { RepositoryOptions } from '../options/repository-options.ts';
import { emitJson, emitText } from '../output/emit.ts';
import { formatBytes, formatCount, renderTable } from '../output/table.ts';
import { stateDirectory } from './state-directory.ts';

export interface StatusOptions extends RepositoryOptions {
  stateDir?: string;
  output: 'table' | 'json';
}

/** Asks the daemon of a state directory. @throws EtcdOpsError BUS_UNREACHABLE when none runs there. */
export async function runStatus(options: StatusOptions): Promise<void> {
  const stateDir = options.stateDir ?? stateDirectory(options);
  const connection = await readConnectionFile(stateDir);
  if (connection === undefined) {
    throw new EtcdOpsError('BUS_UNREACHABLE', {
      message: `No daemon runs on the state directory ${stateDir}`,
      remedy: 'Start `etcd-ops snapshot`, or name its state directory with --state-dir.',
    });
  }
  const bus = await connectBus({ url: connection.url, token: connection.token, name: 'etcd-ops status' });
  try {
    const status = await callApi(bus, 'status', {}, { answer: statusAnswerSchema });
    if (options.output === 'json') emitJson(status);
    else emitText(render(status));
  } finally {
    await bus.close();
  }
}

function render({ clusters }: StatusAnswer): string {
  return clusters
    .map(({ cluster, position, events, owner, last }) => {
      const rows = [
        ['watched by', owner?.watcher ?? 'nobody'],
        [
          'durable',
          position === undefined
            ? 'nothing yet'
            : `revision ${formatCount(position.revision)} of timeline ${position.timeline}, at ${position.updatedAt}`,
        ],
        [
          'waiting',
          events === undefined ? 'nothing' : `${formatCount(events.messages)} messages, ${formatBytes(events.bytes)}`,
        ],
        ...Object.entries(last).map(([kind, done]) => [
          `last ${kind}`,
          `${done.ok ? 'done' : 'FAILED'} at ${done.finishedAt}`,
        ]),
      ];
      return renderTable([cluster, ''], rows);
    })
    .join('\n\n');
}
