import { clusterSpecSchema } from '@etcd-ops/bus';
import { expect, test } from 'vitest';
import { saidOf } from '../options/said-of.ts';
import { UsageError } from '../options/usage-error.ts';
import { editSpec } from './edit-spec.ts';

const SPEC = clusterSpecSchema.parse({
  version: 1,
  name: 'prod',
  endpoints: ['10.0.0.1:2379'],
  store: { provider: 'Local', bucket: '/backups' },
  labels: { env: 'test' },
});
const edit = (set: string[], unset: string[] = []) => editSpec(SPEC, { set, unset }, '/etc');

function problems(set: string[], unset: string[] = []): string[] {
  try {
    edit(set, unset);
  } catch (error) {
    if (error instanceof UsageError) return error.problems.map(({ message }) => saidOf(message, 'en'));
    throw error;
  }
  return [];
}

test('fields are set by their path, deep and new ones, too; paths of files are meant from the directory', () => {
  const edited = edit([
    'snapshots.schedule=0,30 * * * *',
    'endpoints=[10.0.0.1:2379, 10.0.0.2:2379]',
    'tls.caFile=pki/ca.crt',
    'retention.keepDaily=7',
    'merging.enabled=false',
  ]);
  expect(edited).toEqual({
    ...SPEC,
    snapshots: { ...SPEC.snapshots, schedule: '0,30 * * * *' },
    endpoints: ['10.0.0.1:2379', '10.0.0.2:2379'],
    tls: { caFile: '/etc/pki/ca.crt' },
    retention: { ...SPEC.retention, keepDaily: 7 },
    merging: { ...SPEC.merging, enabled: false },
  });
});

test('a schedule that is no YAML is taken as it is written', () => {
  expect(edit(['snapshots.schedule=* * * * *']).snapshots.schedule).toBe('* * * * *');
});

test('what is unset has its default again, or is gone; what was never there is no error', () => {
  const changed = editSpec(
    edit(['snapshots.deltaPeriodMs=500']),
    {
      set: [],
      unset: ['snapshots.deltaPeriodMs', 'labels', 'tls.caFile'],
    },
    '/etc',
  );
  expect(changed.snapshots.deltaPeriodMs).toBe(10_000);
  expect(changed).not.toHaveProperty('labels');
  expect(changed).not.toHaveProperty('tls');
});

test('everything that is wrong is told at once, each with its path', () => {
  expect(problems(['name=other', 'snapshots.schedule', '=x', '__proto__.polluted=1'], ['managedBy'])).toEqual([
    '--set name=other: name cannot be changed',
    '--set snapshots.schedule: this is no path=value',
    '--set =x: this is no path=value',
    '--set __proto__.polluted=1: this is no path=value',
    '--unset managedBy: managedBy cannot be changed',
  ]);
  expect(problems(['snapshots.deltaPeriodMs=5', 'snapshots.codec=rar', 'proof.colour=blue'])).toEqual([
    expect.stringMatching(/^snapshots\.codec: /),
    expect.stringMatching(/^snapshots\.deltaPeriodMs: /),
    expect.stringMatching(/^proof: .*colour/),
  ]);
  expect(problems(['snapshots.schedule=61 * * * *', 'timezone=Mars/Olympus'])).toEqual(
    expect.arrayContaining([expect.stringMatching(/timezone/)]),
  );
});
