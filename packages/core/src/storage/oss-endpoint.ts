import { isIP } from 'node:net';
import { EtcdOpsError } from '../base/errors.ts';

/** How a bucket's name travels: `bucket.host/key`, `host/bucket/key`, or not at all, because the host is a domain bound to the bucket. */
export const OSS_ADDRESSING = ['virtual', 'path', 'cname'] as const;
export type OssAddressing = (typeof OSS_ADDRESSING)[number];

/** Where a bucket of OSS is asked for. */
export interface OssEndpoint {
  /** With its scheme: `https://oss-cn-hangzhou.aliyuncs.com`. */
  url: string;
  /** `cn-hangzhou`: what a V4 signature is bound to. Undefined when neither told nor to be seen in the endpoint. */
  region: string | undefined;
  addressing: OssAddressing;
}

const REGION_OF_HOST = /^(?:[^.]+\.)?oss-([a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$/;

/**
 * `given` may lack its scheme, which is then https; a bucket in front of it is taken off again. Without an endpoint it is the public
 * one of the region. Names travel in front of the host, save where the host is an address, unless something else is asked for.
 * @throws EtcdOpsError CONFIG_INVALID
 */
export function parseOssEndpoint(
  given: string | undefined,
  {
    bucket,
    region,
    addressing,
  }: { bucket: string; region?: string | undefined; addressing?: OssAddressing | undefined },
): OssEndpoint {
  const plainRegion = region?.replace(/^oss-/, '');
  if (given === undefined) {
    if (plainRegion === undefined) {
      throw new EtcdOpsError('CONFIG_INVALID', {
        message: `Neither endpoint nor region is known for the OSS bucket ${bucket}`,
        remedy: 'Write a file storageEndpoint beside the credentials, or name the endpoint or region of the bucket.',
      });
    }
    return { url: `https://oss-${plainRegion}.aliyuncs.com`, region: plainRegion, addressing: 'virtual' };
  }
  const url = parseUrl(given);
  if (addressing !== 'cname' && url.hostname.startsWith(`${bucket}.`)) url.host = url.host.slice(bucket.length + 1);
  const isAddress = isIP(url.hostname.replaceAll(/[[\]]/g, '')) !== 0 || !url.hostname.includes('.');
  const found = REGION_OF_HOST.exec(url.hostname)?.[1];
  return {
    url: url.origin,
    region: plainRegion ?? found,
    addressing: addressing ?? (isAddress ? 'path' : 'virtual'),
  };
}

function parseUrl(given: string): URL {
  const text = /^[a-z]+:\/\//i.test(given) ? given : `https://${given}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    url !== undefined &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.pathname === '/' &&
    `${url.username}${url.password}${url.search}${url.hash}` === '' &&
    /^[A-Za-z0-9._:[\]-]+$/.test(url.host);
  if (plain) return url;
  throw new EtcdOpsError('CONFIG_INVALID', {
    message: 'The OSS endpoint is not one: a host, or a URL without path or credentials, is expected',
    remedy: 'For example: oss-cn-hangzhou.aliyuncs.com, or https://oss-cn-hangzhou-internal.aliyuncs.com.',
  });
}
