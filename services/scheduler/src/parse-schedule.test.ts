import { clusterSpecSchema } from '@etcd-ops/bus';
import { describe, expect, it } from 'vitest';
import { parseSchedule, scheduleProblems } from './parse-schedule.ts';

const NOW = Date.parse('2026-11-20T09:03:11.500Z');
const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

describe('parseSchedule', () => {
  it.each([
    // text, zone, last tick, next tick
    ['@hourly', 'UTC', '2026-11-20T09:00:00.000Z', '2026-11-20T10:00:00.000Z'],
    ['@daily', 'UTC', '2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
    ['@midnight', 'Asia/Shanghai', '2026-11-19T16:00:00.000Z', '2026-11-20T16:00:00.000Z'],
    ['@weekly', 'UTC', '2026-11-15T00:00:00.000Z', '2026-11-22T00:00:00.000Z'],
    ['@monthly', 'UTC', '2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'],
    ['@yearly', 'UTC', '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['@annually', 'UTC', '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['@every 30s', 'UTC', '2026-11-20T09:03:00.000Z', '2026-11-20T09:03:30.000Z'],
    ['@every 20m', 'Asia/Kathmandu', '2026-11-20T09:00:00.000Z', '2026-11-20T09:20:00.000Z'],
    ['  @every 1h30m ', 'UTC', '2026-11-20T09:00:00.000Z', '2026-11-20T10:30:00.000Z'],
    ['CRON_TZ=Asia/Shanghai 0 3 * * *', 'UTC', '2026-11-19T19:00:00.000Z', '2026-11-20T19:00:00.000Z'],
    ['TZ=UTC @daily', 'Asia/Shanghai', '2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
    ['0 3 * * *', 'Asia/Shanghai', '2026-11-19T19:00:00.000Z', '2026-11-20T19:00:00.000Z'],
  ])('%s in %s', (text, zone, last, next) => {
    const schedule = parseSchedule(text, zone);
    expect({ last: iso(schedule.last(NOW)), next: iso(schedule.next(NOW)) }).toEqual({ last, next });
  });

  it.each([
    '@reboot',
    '@hourly please',
    '@every',
    '@every 10',
    '@every 500ms',
    '@every 9999h',
    '@every 0s',
    '@every 1s garbage',
    'TZ=Mars/Olympus 0 3 * * *',
    'TZ= 0 3 * * *',
    '61 * * * *',
  ])('refuses %j', (text) => {
    expect(() => parseSchedule(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('scheduleProblems', () => {
  const spec = (changes: object) =>
    clusterSpecSchema.parse({
      version: 1,
      name: 'prod',
      endpoints: ['127.0.0.1:1'],
      store: { provider: 'Local', bucket: '/b' },
      ...changes,
    });

  it('finds none in a right spec, and does not look at a defragmentation that is off', () => {
    expect(scheduleProblems(spec({ snapshots: { schedule: '@every 30s' } }))).toEqual([]);
    expect(scheduleProblems(spec({ defrag: { enabled: false, schedule: '61 * * * *' } }))).toEqual([]);
  });

  it('names the setting of each that is wrong', () => {
    const wrong = spec({
      snapshots: { schedule: '61 * * * *' },
      defrag: { enabled: true, schedule: '@sometimes' },
    });
    expect(scheduleProblems(wrong).map(({ path }) => path.join('.'))).toEqual([
      'snapshots.schedule',
      'defrag.schedule',
    ]);
    expect(scheduleProblems(spec({ timezone: 'Mars/Olympus' }))).toEqual([
      { path: ['timezone'], message: expect.stringContaining('Mars/Olympus') },
    ]);
  });
});
