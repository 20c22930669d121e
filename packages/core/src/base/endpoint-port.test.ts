import { expect, test } from 'vitest';
import { hasPossiblePort } from './endpoint-port.ts';

test.each([
  'a',
  'a:1',
  'https://10.0.0.1:65535',
  'http://a:2379/',
  '[::1]:2379',
  '[::1]',
  '::1',
  'https://s3.example.org',
])('%s can be dialled', (address) => expect(hasPossiblePort(address)).toBe(true));

test.each(['a:0', 'a:99999', 'https://10.0.0.1:65536', '[::1]:70000', 'a:', 'a:etcd', 'http://a:99999/'])(
  '%s cannot be dialled',
  (address) => expect(hasPossiblePort(address)).toBe(false),
);
