import type { Command } from '../options/define-command.ts';
import { applyCommand } from './apply.ts';
import { checkCommand } from './check.ts';
import { clusterCommand } from './cluster.ts';
import { compactCommand } from './compact.ts';
import { completionCommand } from './completion.ts';
import { copyCommand } from './copy.ts';
import { demoCommand } from './demo.ts';
import { ensureCommand } from './ensure.ts';
import { exportCommand } from './export.ts';
import { fleetCommand } from './fleet.ts';
import { gcCommand } from './gc.ts';
import { hashCommand } from './hash.ts';
import { importCommand } from './import.ts';
import { infoCommand } from './info.ts';
import { inspectCommand } from './inspect.ts';
import { listCommand } from './list.ts';
import { mergeCommand } from './merge.ts';
import { natsConfigCommand } from './nats-config.ts';
import { pinCommand } from './pin.ts';
import { restoreCommand } from './restore.ts';
import { serviceCommand } from './service.ts';
import { snapshotCommand } from './snapshot.ts';
import { statusCommand } from './status.ts';
import { unpinCommand } from './unpin.ts';
import { upCommand } from './up.ts';
import { verifyCommand } from './verify.ts';
import { versionCommand } from './version.ts';

/** Every command, in the order of the first page of help. */
export const COMMANDS: readonly Command[] = [
  demoCommand,
  snapshotCommand,
  restoreCommand,
  ensureCommand,
  listCommand,
  infoCommand,
  inspectCommand,
  hashCommand,
  statusCommand,
  checkCommand,
  verifyCommand,
  compactCommand,
  mergeCommand,
  copyCommand,
  importCommand,
  exportCommand,
  gcCommand,
  pinCommand,
  unpinCommand,
  upCommand,
  serviceCommand,
  applyCommand,
  clusterCommand,
  fleetCommand,
  natsConfigCommand,
  completionCommand,
  versionCommand,
];
