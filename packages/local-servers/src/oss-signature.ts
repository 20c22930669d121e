import { createHash, createHmac } from 'node:crypto';

/** A request as Alibaba Cloud's OSS sees it when it checks the signature. */
export interface OssSignable {
  method: string;
  bucket?: string | undefined;
  key?: string | undefined;
  /** Decoded. A parameter without `=` has no value. */
  query: ReadonlyMap<string, string | undefined>;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
}

/** What a V4 signature is bound to. */
export interface OssScope {
  /** `20250411` */
  date: string;
  region: string;
  product: string;
}

/** Parameters that a V1 signature covers beside those that begin with `x-oss-`; the others travel unsigned. */
const SIGNED_PARAMETERS = new Set(
  [
    'acl append asyncFetch bucketInfo callback callback-var cname comp continuation-token cors delete encryption endTime',
    'inventory inventoryId img lifecycle live location logging objectMeta partNumber policy position qos referer regionList',
    'replication replicationLocation replicationProgress requestPayment resourceGroup response-cache-control',
    'response-content-disposition response-content-encoding response-content-language response-content-type',
    'response-expires restore security-token sequential startTime stat status style styleName symlink tagging',
    'udf udfApplication udfApplicationLog udfId udfImage udfImageDesc udfName uploadId uploads versionId versioning',
    'versions vod website worm wormExtend wormId objectWorm retention legalHold',
  ]
    .join(' ')
    .split(' '),
);

/** The signature of the header `Authorization: OSS <id>:<signature>`. `date` is what `Date` or `x-oss-date` says. */
export function ossSignatureV1(secret: string, request: OssSignable, date: string): string {
  return createHmac('sha1', secret).update(ossStringToSignV1(request, date)).digest('base64');
}

export function ossStringToSignV1({ method, bucket, key, query, headers }: OssSignable, date: string): string {
  const ossHeaders = Object.keys(headers)
    .filter((name) => name.startsWith('x-oss-'))
    .sort()
    .map((name) => `${name}:${(headers[name] ?? '').trim()}\n`);
  const parameters = [...query.keys()]
    .filter((name) => SIGNED_PARAMETERS.has(name) || name.startsWith('x-oss-'))
    .sort()
    .map((name) => (isEmpty(query.get(name)) ? name : `${name}=${query.get(name)}`));
  const resource = `/${bucket === undefined ? '' : `${bucket}/`}${key ?? ''}`;
  const suffix = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  return [
    method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    `${ossHeaders.join('')}${resource}${suffix}`,
  ].join('\n');
}

/** The signature of the header `Authorization: OSS4-HMAC-SHA256 ...`. `additional` names the headers that the client chose to sign, too. */
export function ossSignatureV4(
  secret: string,
  request: OssSignable,
  { scope, additional }: { scope: OssScope; additional: readonly string[] },
): string {
  const timestamp = request.headers['x-oss-date'] ?? '';
  const canonicalHash = createHash('sha256').update(ossCanonicalRequestV4(request, additional)).digest('hex');
  const scopeText = `${scope.date}/${scope.region}/${scope.product}/aliyun_v4_request`;
  const stringToSign = ['OSS4-HMAC-SHA256', timestamp, scopeText, canonicalHash].join('\n');
  const signingKey = [scope.date, scope.region, scope.product, 'aliyun_v4_request'].reduce<Buffer>(
    (parent, step) => createHmac('sha256', parent).update(step).digest(),
    Buffer.from(`aliyun_v4${secret}`),
  );
  return createHmac('sha256', signingKey).update(stringToSign).digest('hex');
}

export function ossCanonicalRequestV4(
  { method, bucket, key, query, headers }: OssSignable,
  additional: readonly string[],
): string {
  const path = `/${bucket === undefined ? '' : `${bucket}/`}${key ?? ''}`;
  const parameters = [...query]
    .map(([name, value]) => ({ name: percentEncode(name), value: isEmpty(value) ? '' : `=${percentEncode(value)}` }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, value }) => `${name}${value}`);
  const always = (name: string): boolean =>
    name.startsWith('x-oss-') || name === 'content-type' || name === 'content-md5';
  const chosen = additional.filter((name) => !always(name) && headers[name] !== undefined).sort();
  const signedHeaders = [...Object.keys(headers).filter(always), ...chosen]
    .sort()
    .map((name) => `${name}:${(headers[name] ?? '').trim()}\n`);
  return [
    method,
    percentEncode(path).replaceAll('%2F', '/'),
    parameters.join('&'),
    signedHeaders.join(''),
    chosen.join(';'),
    headers['x-oss-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
}

function isEmpty(value: string | undefined): value is undefined | '' {
  return value === undefined || value === '';
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
