import { ValueError } from './usage-error.ts';

const DURATION_UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTE_UNITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, ki: 1024, mi: 1024 ** 2, gi: 1024 ** 3 };

/** `10s`, `1m30s`, `500ms`, `0`; Go's spelling, as etcd's own tools take it. Answers in milliseconds. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new ValueError({ en: 'A duration looks like 10s, 1m30s or 500ms.', zh: '时长写作 10s、1m30s 或 500ms。' });
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * DURATION_UNITS_MS[unit!]!, 0);
}

/** `10485760`, `10MB`, `10Mi`. Answers in bytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text);
  const unit = BYTE_UNITS[(match?.[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) {
    throw new ValueError({ en: 'A size looks like 10485760, 10MB or 10Mi.', zh: '大小写作 10485760、10MB 或 10Mi。' });
  }
  return Math.round(Number(match[1]) * unit);
}

export function parseCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new ValueError({ en: 'A whole number is needed.', zh: '需要一个非负整数。' });
  if (!Number.isSafeInteger(Number(text))) {
    const most = Number.MAX_SAFE_INTEGER;
    throw new ValueError({ en: `The largest number possible is ${most}.`, zh: `最大可为 ${most}。` });
  }
  return Number(text);
}

/** RFC 3339 with a zone, as `date -u +%FT%TZ` prints it. Answers in milliseconds since the epoch. */
export function parseTime(text: string): number {
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(text);
  const timeMs = Date.parse(text);
  if (!zoned || Number.isNaN(timeMs)) {
    throw new ValueError({
      en: 'A time looks like 2026-11-20T06:00:00Z or 2026-11-20T14:00:00+08:00; the zone is needed.',
      zh: '时间写作 2026-11-20T06:00:00Z 或 2026-11-20T14:00:00+08:00；必须带时区。',
    });
  }
  return timeMs;
}

/** What Go's and YAML's users write. */
export function parseBoolean(text: string): boolean {
  if (/^(true|t|yes|on|1)$/i.test(text)) return true;
  if (/^(false|f|no|off|0)$/i.test(text)) return false;
  throw new ValueError({ en: 'true or false is needed.', zh: '需要 true 或 false。' });
}

export function parseText(text: string): string {
  if (text === '') throw new ValueError({ en: 'It must not be empty.', zh: '不能为空。' });
  return text;
}

/** Comma separated. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
