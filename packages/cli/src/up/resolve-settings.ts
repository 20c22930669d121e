import { resolve } from 'node:path';
import type { Notifications } from '@etcd-ops/scheduler';
import type { FleetFile } from './fleet-schema.ts';

/** Paths in the file are meant from where it lies. */
export function resolveSettings<T extends Partial<FleetFile>>(settings: T, directory: string): T {
  const at = (path: string): string => resolve(directory, path);
  const { stateDir, restoreRoots, identityFiles, notifications, nats } = settings;
  return {
    ...settings,
    ...(stateDir === undefined ? {} : { stateDir: at(stateDir) }),
    ...(restoreRoots === undefined ? {} : { restoreRoots: restoreRoots.map(at) }),
    ...(identityFiles === undefined ? {} : { identityFiles: identityFiles.map(at) }),
    ...(nats === undefined ? {} : { nats: resolveNats(nats, at) }),
    ...(notifications === undefined ? {} : { notifications: resolveNotifications(notifications, at) }),
  };
}

type Nats = NonNullable<FleetFile['nats']>;

function resolveNats(nats: Nats, at: (path: string) => string): Nats {
  const { url, user, ...files } = nats;
  const resolved = Object.entries(files).map(([name, path]) => [name, at(path)]);
  return { url, ...(user === undefined ? {} : { user }), ...Object.fromEntries(resolved) } as Nats;
}

/** The program of a command is looked for on PATH unless it is a path. */
function resolveNotifications(notifications: Notifications, at: (path: string) => string): Notifications {
  const { webhook, command } = notifications;
  const { urlFile, headersFile } = webhook ?? {};
  const [program = '', ...words] = command ?? [];
  return {
    ...notifications,
    ...(webhook === undefined
      ? {}
      : {
          webhook: {
            ...webhook,
            ...(urlFile === undefined ? {} : { urlFile: at(urlFile) }),
            ...(headersFile === undefined ? {} : { headersFile: at(headersFile) }),
          },
        }),
    ...(command === undefined ? {} : { command: [program.includes('/') ? at(program) : program, ...words] }),
  };
}
