import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@etcd-ops/test-kit';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'deploy', 'systemd');
const units = readdirSync(FOLDER).filter((name) => name.endsWith('.service'));
const missing = spawnSync('systemd-analyze', ['--version']).error === undefined ? undefined : 'no systemd-analyze here';

test.for(units)('%s is a unit that systemd takes, and shut in well', async (unit, context) => {
  const text = readFileSync(join(FOLDER, unit), 'utf8');
  expect(text).toMatch(/^User=etcd-ops$/m);
  for (const setting of [
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'CapabilityBoundingSet=',
    'LimitNOFILE=65536',
  ]) {
    expect(text.split('\n')).toContain(setting);
  }
  if (missing !== undefined) return context.skip(missing);
  await using scratch = tempDir();
  // An instance of a template; the program is not installed here.
  const path = scratch.file(unit.replace('@.', '@watcher.'));
  writeFileSync(path, text.replaceAll('/opt/etcd-ops/bin/etcd-ops', '/bin/true'));
  execFileSync('systemd-analyze', ['verify', '--man=no', path], { stdio: 'pipe' });
});
