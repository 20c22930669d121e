import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isEtcdOpsError } from '../base/errors.ts';
import { parseInitialCluster } from './initial-cluster.ts';
import { computeMembership, memberIdHex } from './membership.ts';

describe('parseInitialCluster', () => {
  test('a name may repeat; empty parts are skipped; URLs are sorted and their scheme is lower-cased', () => {
    expect(parseInitialCluster(',b=HTTPS://Host:2,a=http://z:1,,b= http://a:3 ,')).toEqual([
      { name: 'b', peerUrls: ['http://a:3', 'https://Host:2'] },
      { name: 'a', peerUrls: ['http://z:1'] },
    ]);
  });

  test.each([
    ['http://127.0.0.1:2380'],
    ['https://[::1]:2380'],
    ['http://[fe80::1%25eth0]:2380'],
    ['http://a_b.example:99999'],
    ['unix://abc:1'],
    ['unix:///tmp/x:1'],
    ['unixs://localhost:5000'],
  ])('accepts %s as etcd does', (url) => {
    expect(parseInitialCluster(`m=${url}`)).toEqual([{ name: 'm', peerUrls: [url] }]);
  });

  test.each([
    ['', /names no member/],
    [',,', /names no member/],
    ['m1', /lacks its peer URL/],
    ['=http://a:1', /empty name/],
    ['m=', /must begin with http/],
    ['m=a:1', /must begin with http/],
    ['m=ftp://a:1', /must begin with http/],
    ['m=http://a', /form http:\/\/host:port/],
    ['m=http://a:', /form http:\/\/host:port/],
    ['m=http://:1', /form http:\/\/host:port/],
    ['m=http://a:x', /form http:\/\/host:port/],
    ['m=http://a:1/', /path/],
    ['m=http://a:1/x', /path/],
    ['m=http://a:1?x=y', /user, query or fragment/],
    ['m=http://u:p@a:1', /user, query or fragment/],
    ['m=unix://', /form/],
    ['m=http://a:1,m=http://a:1', /twice/],
    ['m=http://a:1,n=HTTP://a:1', /twice/],
    ['a\u0007=http://a:1', /control character/],
    ['a\ud800=http://a:1', /UTF-8/],
    [`${'x'.repeat(2000)}=http://a:1`, /at most 1024 bytes/],
  ])('refuses %j', (text, rule) => {
    expect(() => parseInitialCluster(text)).toThrow(rule);
  });

  test('any text gives members or a USAGE error', () => {
    const texts = fc.array(
      fc.constantFrom('m', '=', ',', 'http://', 'a', ':1', ':', '/', '[', ']', '%25', ' ', '@', '\u0000', 'unix://'),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          texts.map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            const members = parseInitialCluster(text);
            expect(members.length).toBeGreaterThan(0);
            const again = parseInitialCluster(
              members.flatMap((member) => member.peerUrls.map((url) => `${member.name}=${url}`)).join(','),
            );
            expect(again).toEqual(members);
          } catch (error) {
            if (!isEtcdOpsError(error, 'USAGE')) throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('computeMembership', () => {
  test('gives the ids that etcdctl 3.4.23 and etcdutl 3.5.16 gave', () => {
    const one = computeMembership(parseInitialCluster('m1=http://127.0.0.1:2380'), 'etcd-cluster');
    expect(memberIdHex(one.clusterId)).toBe('1c45a069f3a1d796');
    expect(one.members.map((member) => memberIdHex(member.id))).toEqual(['b71f75320dc06a6c']);

    const two = computeMembership(
      parseInitialCluster('a=https://[::1]:2380,a=http://Host.Example:1,x=http://10.0.0.1:2380'),
      'etcd-cluster',
    );
    expect(memberIdHex(two.clusterId)).toBe('1a0234c67683767e');
    expect(two.members.map((member) => [member.name, memberIdHex(member.id)])).toEqual([
      ['x', '3ebc01aec68d6d70'],
      ['a', 'd0db26edc11f4cfd'],
    ]);
    expect(memberIdHex(computeMembership(parseInitialCluster('m=unix:///tmp/x:1'), 'etcd-cluster').clusterId)).toBe(
      'a10d43bc579d2dee',
    );
  });

  test('does not depend on the order or the names of the members', () => {
    const left = computeMembership(parseInitialCluster('a=http://a:1,b=http://b:1,b=http://b:2'), 't');
    const right = computeMembership(parseInitialCluster('y=http://b:2,y=http://b:1,x=http://a:1'), 't');
    expect(right.clusterId).toBe(left.clusterId);
    expect(computeMembership(parseInitialCluster('a=http://a:1'), 't2').clusterId).not.toBe(
      computeMembership(parseInitialCluster('a=http://a:1'), 't').clusterId,
    );
  });
});
