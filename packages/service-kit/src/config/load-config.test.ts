import { nearestName } from '@etcd-ops/core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { baseSettings } from './base-settings.ts';
import { environmentName, loadServiceConfig, unknownVariables } from './load-config.ts';
import { booleanSetting, integerSetting, listSetting } from './settings.ts';

const settings = z.object({
  deltaPeriodMs: integerSetting({ min: 1_000, max: 60_000, default: 10_000 }),
  dryRun: booleanSetting({ default: false }),
  restoreRoots: listSetting(),
  bucket: z.string(),
});

describe('loadServiceConfig', () => {
  it('reads each setting from its variable and gives defaults for the rest', () => {
    const environment = {
      ETCD_OPS_BUCKET: ' /backups ',
      ETCD_OPS_DRY_RUN: 'yes',
      ETCD_OPS_RESTORE_ROOTS: '/a, /b,',
      ETCD_OPS_DELTA_PERIOD_MS: '',
    };
    expect(loadServiceConfig(environment, settings)).toEqual({
      bucket: '/backups',
      dryRun: true,
      restoreRoots: ['/a', '/b'],
      deltaPeriodMs: 10_000,
    });
  });

  it('tells every error at once, and never a value', () => {
    const environment = { ETCD_OPS_DELTA_PERIOD_MS: 'hunter2', ETCD_OPS_DRY_RUN: 'perhaps' };
    let message = '';
    try {
      loadServiceConfig(environment, settings);
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      message = (error as Error).message;
    }
    expect(message).toMatch(/3 settings are wrong/);
    expect(message).toContain('ETCD_OPS_DELTA_PERIOD_MS');
    expect(message).toContain('ETCD_OPS_DRY_RUN');
    expect(message).toContain('ETCD_OPS_BUCKET: is required');
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('perhaps');
  });

  it.each(['1', '999', '60001', '1e4', '10000.5', '0x10'])('refuses %s as a number of milliseconds', (value) => {
    expect(() => loadServiceConfig({ ETCD_OPS_BUCKET: 'b', ETCD_OPS_DELTA_PERIOD_MS: value }, settings)).toThrow(
      /ETCD_OPS_DELTA_PERIOD_MS/,
    );
  });

  it('has a default for every common setting', () => {
    expect(loadServiceConfig({}, baseSettings)).toMatchObject({
      httpPort: 0,
      httpHost: '0.0.0.0',
      logLevel: 'info',
      drainTimeoutMs: 25_000,
    });
  });
});

describe('unknownVariables', () => {
  it('names what nothing reads, with the nearest name', () => {
    const environment = {
      ETCD_OPS_BUKCET: 'x',
      ETCD_OPS_ZZZZZZZZ: '1',
      PATH: '/bin',
      ETCD_OPS_TOOLS_DIR: '/t',
      ETCD_OPS_UPLOADER_X: '1',
      ETCD_OPS_SCHEDULER_ZONE: '1',
    };
    expect(unknownVariables(environment, settings, 'scheduler')).toEqual([
      'ETCD_OPS_BUKCET is no setting of this service; did you mean ETCD_OPS_BUCKET?',
      'ETCD_OPS_SCHEDULER_ZONE is no setting of this service',
      'ETCD_OPS_ZZZZZZZZ is no setting of this service',
    ]);
  });
});

it('derives names of variables from names of settings', () => {
  expect(environmentName('natsTokenFile')).toBe('ETCD_OPS_NATS_TOKEN_FILE');
  expect(environmentName('deltaPeriodMs')).toBe('ETCD_OPS_DELTA_PERIOD_MS');
});

it('finds the nearest name, and none when nothing is near', () => {
  expect(nearestName('logLevle', ['logLevel', 'logFormat'])).toBe('logLevel');
  expect(nearestName('q', ['logLevel'])).toBeUndefined();
  // Two letters that changed places are one slip, also in a short name.
  expect(nearestName('pord', ['staging', 'prod'])).toBe('prod');
  expect(nearestName('dorp', ['prod'])).toBeUndefined();
});
