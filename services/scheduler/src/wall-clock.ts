const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Some eleven years. */
const DAYS_CACHED_MAX = 4_000;

/** The wall clock of a time zone. Intl is a thousand times slower than adding, so it is asked for days, and for hours only where a day's offset changes. */
export class WallClock {
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #offsetsOfDays = new Map<number, number | undefined>();

  /** @throws RangeError when the zone is not known. */
  constructor(timezone: string) {
    this.#format =
      timezone === 'UTC'
        ? undefined
        : new Intl.DateTimeFormat('en-US', {
            timeZone: timezone,
            hourCycle: 'h23',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
          });
  }

  timeOfDay(atMs: number): { hour: number; minute: number } {
    const inDayMs = mod(atMs + this.#offsetMs(atMs), DAY_MS);
    return { hour: Math.floor(inDayMs / HOUR_MS), minute: Math.floor((inDayMs % HOUR_MS) / MINUTE_MS) };
  }

  /** A number that is the same all through a local day, and another one for each other day. */
  dayStart(atMs: number): number {
    return Math.floor((atMs + this.#offsetMs(atMs)) / DAY_MS);
  }

  #offsetMs(atMs: number): number {
    if (this.#format === undefined) return 0;
    const day = Math.floor(atMs / DAY_MS);
    if (!this.#offsetsOfDays.has(day)) {
      if (this.#offsetsOfDays.size >= DAYS_CACHED_MAX) this.#offsetsOfDays.clear();
      const offsets = [0, 6, 12, 18, 24].map((hour) => this.#askOffsetMs(this.#format!, day * DAY_MS + hour * HOUR_MS));
      this.#offsetsOfDays.set(day, new Set(offsets).size === 1 ? offsets[0] : undefined);
    }
    return this.#offsetsOfDays.get(day) ?? this.#askOffsetMs(this.#format, atMs);
  }

  #askOffsetMs(format: Intl.DateTimeFormat, atMs: number): number {
    const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const wallMs = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'));
    return wallMs - Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  }
}

function mod(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus;
}
