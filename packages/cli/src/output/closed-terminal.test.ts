import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { surviveClosedTerminal } from './closed-terminal.ts';

function program(isTTY: boolean) {
  const killed: string[] = [];
  const stdout = Object.assign(new EventEmitter(), { isTTY });
  const stderr = Object.assign(new EventEmitter(), { isTTY });
  const kill = (_: number, signal: string): void => void killed.push(signal);
  const running = Object.assign(new EventEmitter(), { pid: 7, stdout, stderr, kill });
  surviveClosedTerminal(running);
  return { hangUp: () => running.emit('SIGHUP'), stdout, stderr, killed };
}

test.each(['EPIPE', 'EIO'])('%s of an output is passed over', (code) => {
  const { stdout, stderr } = program(true);
  const gone = Object.assign(new Error('gone'), { code });
  expect(() => stdout.emit('error', gone)).not.toThrow();
  expect(() => stderr.emit('error', gone)).not.toThrow();
});

test('another failure of an output is not', () => {
  const { stdout } = program(true);
  expect(() => stdout.emit('error', Object.assign(new Error('odd'), { code: 'EINVAL' }))).toThrow('odd');
});

test('a hang-up ends a program with a terminal once, as SIGTERM does; one without goes on', () => {
  const attended = program(true);
  attended.hangUp();
  attended.hangUp();
  expect(attended.killed).toEqual(['SIGTERM']);
  const unattended = program(false);
  unattended.hangUp();
  expect(unattended.killed).toEqual([]);
});
