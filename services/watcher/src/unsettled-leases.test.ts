import { describe, expect, it } from 'vitest';
import { UnsettledLeases } from './unsettled-leases.ts';

describe('UnsettledLeases', () => {
  it('reaches below the oldest sight that is not settled, in whatever order they are', () => {
    const leases = new UnsettledLeases();
    expect(leases.upTo(9)).toBe(9);
    leases.sighted(1n, 10);
    leases.sighted(2n, 12);
    leases.sighted(1n, 13);
    expect(leases.upTo(20)).toBe(9);
    leases.settled(2n);
    expect(leases.upTo(20)).toBe(9);
    leases.settled(1n);
    expect(leases.upTo(20)).toBe(20);
    leases.sighted(1n, 21);
    expect(leases.upTo(30)).toBe(20);
    expect(leases.upTo(15)).toBe(15);
  });

  it('reaches no farther than a doubt until all that was missed is found and settled', () => {
    const leases = new UnsettledLeases();
    leases.doubt(5);
    leases.doubt(7);
    leases.settled(9n);
    expect(leases.upTo(20)).toBe(5);
    leases.found([1n, 2n]);
    leases.sighted(3n, 15);
    leases.settled(1n);
    expect(leases.upTo(20)).toBe(5);
    leases.settled(2n);
    expect(leases.upTo(20)).toBe(14);
    leases.doubt(3);
    leases.found([]);
    leases.settled(3n);
    expect(leases.upTo(20)).toBe(20);
  });
});
