import { describe, expect, test } from 'vitest';
import { saidOf } from '../options/said-of.ts';
import { UsageError } from '../options/usage-error.ts';
import { parseClusters, parseFleet, type Fleet } from './fleet-file.ts';

const read = (text: string): Fleet => parseFleet(text, { name: 'fleet.yaml', directory: '/etc/etcd-ops' });

function problems(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof UsageError) return error.problems.map(({ message }) => saidOf(message, 'en'));
    throw error;
  }
  return [];
}

const GOOD = `
stateDir: state
defaults:
  store: { provider: Local, bucket: backups }
  snapshots:
    schedule: '*/10 * * * *'
    codec: zstd
  tls: { caFile: pki/ca.crt }
clusters:
  - name: prod
    endpoints: [https://10.0.0.1:2379]
    snapshots: { codec: none }
  - name: test
    endpoints: [10.0.1.1:2379, 10.0.1.2:2379]
    auth: { username: root, passwordFile: /run/password }
`;

test('clusters take what they do not say from the defaults, paths are meant from the file', () => {
  const { clusters, settings } = read(GOOD);
  expect(settings).toMatchObject({ stateDir: '/etc/etcd-ops/state' });
  expect(clusters).toMatchObject([
    {
      version: 1,
      name: 'prod',
      store: { provider: 'Local', bucket: '/etc/etcd-ops/backups' },
      snapshots: { schedule: '*/10 * * * *', codec: 'none', deltaPeriodMs: 10_000 },
      tls: { caFile: '/etc/etcd-ops/pki/ca.crt' },
    },
    { name: 'test', snapshots: { codec: 'zstd' }, auth: { passwordFile: '/run/password' } },
  ]);
});

describe('everything that is wrong is told at once, with its line', () => {
  test('in clusters and in defaults', () => {
    const text = GOOD.replace('schedule:', 'shedule:')
      .replace('endpoints: [https://10.0.0.1:2379]', 'endpoint: https://10.0.0.1:2379')
      .replace('name: test', 'name: prod')
      .replace('username: root, ', '');
    expect(problems(text)).toEqual([
      "fleet.yaml, line 6: the cluster prod: there is no setting 'snapshots.shedule'",
      'fleet.yaml, line 10: the cluster prod: endpoints is missing',
      "fleet.yaml, line 11: the cluster prod: there is no setting 'endpoint'",
      'fleet.yaml, line 13: the cluster prod is there already, in line 10',
      'fleet.yaml, line 15: the cluster prod: auth.username is missing',
    ]);
  });

  test('in the file itself', () => {
    expect(problems('clusters: []\nstatedir: x\n')).toEqual([
      expect.stringMatching(/line 1: clusters: /),
      "fleet.yaml, line 2: there is no setting 'statedir'",
    ]);
    expect(problems('')).toEqual([expect.stringMatching(/clusters is missing/)]);
    expect(problems('clusters:\n  - name: [\n')[0]).toMatch(/^fleet\.yaml, line \d: /);
    expect(problems('a: 1\na: 2\n')[0]).toMatch(/line 2: .*unique/i);
  });

  test('a value that is out of range', () => {
    expect(problems(GOOD.replace('codec: none', 'deltaPeriodMs: 5'))).toEqual([
      expect.stringMatching(/line 12: the cluster prod: snapshots\.deltaPeriodMs: /),
    ]);
  });
});

test('a schedule that can never be followed is told with its line, one in the defaults once', () => {
  const wrong = GOOD.replace("'*/10 * * * *'", "'61 * * * *'").replace(
    'codec: none',
    "codec: none, schedule: '@sometimes'",
  );
  expect(problems(wrong)).toEqual([
    expect.stringMatching(/^fleet\.yaml, line 6: .*snapshots\.schedule: "61 /),
    expect.stringMatching(/^fleet\.yaml, line 12: the cluster prod: snapshots\.schedule: "@sometimes"/),
  ]);
  expect(
    problems(
      GOOD.replace('stateDir: state', 'stateDir: state').replace(
        '  - name: test',
        '  - name: test\n    timezone: Mars/Olympus',
      ),
    ),
  ).toEqual([expect.stringMatching(/the cluster test: timezone: there is no time zone/)]);
});

test('a file that is no map of settings is told as a whole', () => {
  expect(problems('36')).toEqual([expect.stringMatching(/^fleet\.yaml, line 1: the file: /)]);
});

test('the password file of the second user is meant from the file, too', () => {
  const two = GOOD.replace('    auth:', '    maintenanceAuth: { username: root, passwordFile: pki/root }\n    auth:');
  expect(read(two).clusters[1]?.maintenanceAuth?.passwordFile).toBe('/etc/etcd-ops/pki/root');
});

test('many clusters get a full a day unless the file says otherwise; labels are theirs, who manages them is not', () => {
  const one = GOOD.replace("    schedule: '*/10 * * * *'\n", '').replace(
    'name: test',
    'name: test\n    labels: { env: test }',
  );
  expect(read(one).clusters).toMatchObject([{ snapshots: { schedule: '@daily' } }, { labels: { env: 'test' } }]);
  expect(problems(GOOD.replace('name: test', 'name: test\n    managedBy: operator'))).toEqual([
    expect.stringMatching(/there is no setting 'managedBy'/),
  ]);
});

test('a document of one cluster is read like one of a file, and a whole file as well', () => {
  const place = { name: 'one.yaml', directory: '/etc' };
  const one = 'name: prod\nendpoints: [a:2379]\nstore: { provider: Local, bucket: b }\n';
  expect(parseClusters(one, place)).toMatchObject([{ name: 'prod', store: { bucket: '/etc/b' } }]);
  expect(
    parseClusters(JSON.stringify({ name: 'p', endpoints: ['a'], store: { provider: 'Local', bucket: 'b' } }), place),
  ).toHaveLength(1);
  expect(parseClusters(GOOD, place).map(({ name }) => name)).toEqual(['prod', 'test']);
  expect(() => parseClusters(`${one}colour: blue\n`, place)).toThrow(/one\.yaml, line 4: .*'colour'/);
  expect(() => parseClusters('- a\n', place)).toThrow(/this is no cluster/);
});

describe('YAML that is sound and no value', () => {
  test('aliases that repeat each other without end', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    for (const [below, name] of names.slice(1).map((one, index) => [names[index]!, one] as const)) {
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${below}`).join(', ')}]`);
    }
    expect(problems(bomb.join('\n'))).toEqual([
      'fleet.yaml, line 1: its aliases repeat each other so often that it would grow beyond all bounds',
    ]);
    expect(() => parseClusters(bomb.join('\n'), { name: 'one.yaml', directory: '/' })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('grow beyond all bounds') as string }),
    );
  });

  test.each([
    ['clusters: *nothing', '*nothing names no anchor that stands before it'],
    ['defaults: &x { snapshots: *x }\nclusters: [{ name: a }]', 'an alias stands inside of its own anchor'],
  ])('%j', (text, says) => {
    expect(problems(text)).toEqual([`fleet.yaml, line 1: ${says}`]);
  });

  test('a second document', () => {
    expect(problems(`${GOOD}---\n${GOOD}`)).toEqual([
      expect.stringMatching(/^fleet\.yaml, line \d+: a second document begins here, behind ---$/),
    ]);
  });
});

test('a schedule that is wrong is told beside other faults, and so is a store that is named twice', () => {
  const wrong = GOOD.replace('codec: none', "codec: nones, schedule: '61 * * * *'").replace(
    '  - name: test',
    '  - name: test\n    destinations: [{ name: far, store: { provider: Local, bucket: backups } }]\n    eventBytesMax: 0',
  );
  const told = problems(wrong);
  expect(told).toContainEqual(expect.stringMatching(/the cluster prod: snapshots\.codec: /));
  expect(told).toContainEqual(expect.stringMatching(/the cluster prod: snapshots\.schedule: "61 /));
  expect(told).toContainEqual(expect.stringMatching(/the cluster test: eventBytesMax: /));
  expect(told).toContainEqual(expect.stringMatching(/the cluster test: destinations\.0\.store: the same place/));
  expect(told).toHaveLength(4);
});

test('a port that no socket has', () => {
  expect(problems(GOOD.replace('10.0.1.1:2379', '10.0.1.1:99999'))).toEqual([
    expect.stringMatching(/the cluster test: endpoints\.0: a port is a number from 1 to 65535/),
  ]);
});
