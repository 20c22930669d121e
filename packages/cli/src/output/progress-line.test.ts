import { describe, expect, test } from 'vitest';
import { ProgressLine, type ProgressMode } from './progress-line.ts';

function told(mode: ProgressMode, isTTY: boolean): string[] {
  const written: string[] = [];
  let now = 0;
  const line = new ProgressLine({ isTTY, columns: 70, write: (text) => written.push(text) }, mode, () => now);
  for (let step = 0; step <= 100; step++) {
    now = step * 100;
    line.update('copying', step * 1_000_000, 100_000_000);
  }
  line.clear();
  return written;
}

describe('progress', () => {
  test('on a terminal is one line, redrawn, with bytes, rate and the time left', () => {
    const written = told('auto', true);
    expect(written.length).toBeGreaterThan(50);
    expect(written[49]).toBe('\r\u001B[Kcopying: 50 MB of 100 MB (50 %), 10 MB/s, 0:05 left');
    expect(written.at(-1)).toBe('\r\u001B[K');
    expect(written.join('')).not.toContain('\n');
  });

  test('elsewhere is a plain line every few seconds, without control characters', () => {
    const written = told('auto', false);
    expect(written).toEqual([
      'copying: 30 MB of 100 MB (30 %), 10 MB/s, 0:07 left\n',
      'copying: 60 MB of 100 MB (60 %), 10 MB/s, 0:04 left\n',
      'copying: 90 MB of 100 MB (90 %), 10 MB/s, 0:01 left\n',
    ]);
  });

  test('for programs is a JSON document a line', () => {
    const written = told('json', true).map((line) => JSON.parse(line) as unknown);
    expect(written).toHaveLength(10);
    expect(written[4]).toEqual({
      progress: {
        phase: 'copying',
        bytesDone: 50_000_000,
        bytesTotal: 100_000_000,
        bytesPerSecond: 10_000_000,
        etaSeconds: 5,
      },
    });
  });

  test('may be silent', () => {
    expect(told('none', true)).toEqual([]);
  });
});
