import { EtcdOpsError } from '@etcd-ops/core';
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { Redaction } from './redaction.ts';

function capture(options: { pretty?: boolean; redaction?: Redaction } = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    level: 'info',
    name: 'scheduler',
    ...options,
    stream: { write: (line) => void lines.push(line) },
  });
  return { logger, lines };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with the level in words and the time in ISO form', () => {
    const { logger, lines } = capture();
    logger.info({ cluster: 'prod' }, 'Cluster added');
    logger.debug('not this');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'info',
      name: 'scheduler',
      cluster: 'prod',
      msg: 'Cluster added',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it('names the event of a line, with facts and without, also of a child', () => {
    const { logger, lines } = capture();
    logger.info({ cluster: 'prod' }, 'Cluster added');
    logger.child({ service: 'uploader' }).warn({ error: new Error('x') }, 'Task failed');
    logger.info('Ended');
    logger.info('What no table knows');
    const events = lines.map((line) => (JSON.parse(line) as { event?: string }).event);
    expect(events).toEqual(['cluster-added', 'task-failed', 'ended', undefined]);
    expect(JSON.parse(lines[1]!)).toMatchObject({ service: 'uploader', msg: 'Task failed', error: { message: 'x' } });
  });

  it('never lets a secret through, wherever it hides', () => {
    const redaction = new Redaction();
    redaction.add('s3cr3t-"token"');
    const { logger, lines } = capture({ redaction });
    logger.info(
      { password: 'p1', auth: { password: 'p2', username: 'root' }, a: { b: { c: { token: 'p3' } } } },
      'connecting',
    );
    logger.info({ url: 'nats://user:pa55@host:4222' }, 'to nats://tok3n@host');
    logger.error({ error: new Error('refused: s3cr3t-"token"') }, 'failed with s3cr3t-"token"');
    const all = lines.join('');
    for (const secret of ['p1', 'p2', 'p3', 'pa55', 'tok3n@', 's3cr3t']) expect(all).not.toContain(secret);
    expect(all).toContain('root');
    expect(all).toContain('host:4222');
  });

  it('tells an operational error by code, message, remedy and causes, a bug by its stack', () => {
    const { logger, lines } = capture();
    logger.error(
      { error: new EtcdOpsError('STORE_FAILED', { message: 'put failed', cause: new Error('disk full') }) },
      'failed',
    );
    logger.error({ error: new TypeError('a bug') }, 'failed');
    expect(JSON.parse(lines[0]!).error).toMatchObject({
      code: 'STORE_FAILED',
      message: 'put failed',
      cause: { message: 'disk full' },
    });
    expect(JSON.parse(lines[0]!).error.stack).toBeUndefined();
    expect(JSON.parse(lines[1]!).error.stack).toContain('logger.test');
  });

  it('writes lines for people', () => {
    const { logger, lines } = capture({ pretty: true });
    logger
      .child({ service: 'uploader' })
      .warn({ cluster: 'a b', error: new EtcdOpsError('BUS_FAILED', { message: 'no' }) }, 'Trouble');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}uploader Trouble cluster="a b" error="BUS_FAILED: no"\n$/);
  });
});
