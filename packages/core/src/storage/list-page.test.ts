import { expect, it } from 'vitest';
import { parseListPage } from './list-page.ts';

/** As the documentation shows an answer, names encoded. */
const page = (more: string, contents: string): Buffer =>
  Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult>
  <Name>examplebucket</Name><Prefix>a%2F</Prefix><MaxKeys>2</MaxKeys><EncodingType>url</EncodingType>
  ${more}${contents}
</ListBucketResult>
`);
const object = (key: string, size: string): string => `<Contents>
    <Key>${key}</Key><LastModified>2020-05-18T05:45:43.000Z</LastModified>
    <ETag>"35A27C2B9EAEEB6F48FD7FB5861D****"</ETag><Type>Normal</Type><Size>${size}</Size>
    <StorageClass>Standard</StorageClass><Owner><ID>1686240967192623</ID><DisplayName>1686240967192623</DisplayName></Owner>
  </Contents>`;
const modifiedAtMs = Date.parse('2020-05-18T05:45:43Z');

it('reads objects and where the list goes on, wherever that stands', () => {
  const goesOn = '<IsTruncated>true</IsTruncated><NextContinuationToken>CgJiYw--</NextContinuationToken>';
  const expected = {
    objects: [
      { key: 'a/b c', bytes: 25, modifiedAtMs },
      { key: 'a/=2E%', bytes: 0, modifiedAtMs },
    ],
    next: 'CgJiYw--',
  };
  const contents = object('a%2Fb+c', '25') + object('a/%3D2E%25', '0');
  expect(parseListPage(page(goesOn, contents), 'url')).toEqual(expected);
  expect(parseListPage(page('', contents + goesOn), 'url')).toEqual(expected);
  expect(parseListPage(page('<IsTruncated>false</IsTruncated>', contents), 'url')).toEqual({
    objects: expected.objects,
  });
  expect(parseListPage(page('', ''), 'url')).toEqual({ objects: [] });
});

it.for([
  ['another document', Buffer.from('<html><p>Hello')],
  ['a list that is cut', page('', object('a', '1')).subarray(0, -30)],
  ['a size that is none', page('', object('a', 'many'))],
  ['an object without an end', page('', '<Contents><Key>a</Key>')],
  ['a list that goes on nowhere', page('<IsTruncated>true</IsTruncated>', '')],
  ['nothing', Buffer.alloc(0)],
] as const)('refuses %s', ([, body]) => {
  expect(() => parseListPage(body, 'url')).toThrow(/list/);
});

it('reads names as XML has them', () => {
  const contents = object('a/&lt;b&gt; &amp;&quot;&apos;&#38;&#x26;/\u00fc', '1');
  const key = `a/<b> &"'&&/\u00fc`;
  expect(parseListPage(page('', contents), 'xml')).toEqual({ objects: [{ key, bytes: 1, modifiedAtMs }] });
  const goesOn = '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>';
  expect(parseListPage(page(goesOn, ''), 'xml')).toEqual({ objects: [], next: 'a&b=' });
  for (const name of ['&#xFFFFFF;', '&what;', '&#;']) {
    expect(() => parseListPage(page('', object(name, '1')), 'xml'), name).toThrow(/XML/);
  }
});
