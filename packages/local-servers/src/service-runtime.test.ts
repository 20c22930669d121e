import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SERVICE_NODE_FLAGS, serviceEnvironment } from './service-runtime.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

test.each(['bin/etcd-ops', 'deploy/etcd-ops.sh'])('%s starts services with these flags', (path) => {
  expect(readFileSync(join(ROOT, path), 'utf8')).toContain(SERVICE_NODE_FLAGS.join(' '));
});

test.each(['bin/etcd-ops', 'deploy/Dockerfile'])('%s gives them this environment', (path) => {
  const { NODE_COMPILE_CACHE: _, ...memory } = serviceEnvironment();
  const text = readFileSync(join(ROOT, path), 'utf8');
  for (const [name, value] of Object.entries(memory)) expect(text).toMatch(new RegExp(`\\b${name}="?[^ ]*${value}\\b`));
});
