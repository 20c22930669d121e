import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EtcdOpsError } from '@etcd-ops/core';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { Service } from './service.ts';

export interface HealthServerOptions {
  /** Default 127.0.0.1: what shares a process with a person's shell is nobody else's business. A service's own process takes ETCD_OPS_HTTP_HOST. */
  host?: string;
  /** 0 takes any free port. */
  port: number;
  services: readonly Service[];
  metrics: Metrics;
  logger: Logger;
}

export interface HealthServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 100;

/**
 * `/livez` and `/readyz` answer 200 or 503 with one JSON object naming each service; `/healthz` is `/readyz`; `/metrics` is for Prometheus.
 * @throws EtcdOpsError CONFIG_INVALID when the address cannot be listened on.
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { host = '127.0.0.1', logger } = options;
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        logger.error({ error }, 'Could not answer a health request');
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new EtcdOpsError('CONFIG_INVALID', {
          message: `Cannot listen on ${host}:${options.port} for health and metrics`,
          cause,
        }),
      ),
    );
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  logger.info({ host, port }, 'Health and metrics are served');
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return { host, port, url: `http://${shownHost}:${port}`, close, [Symbol.asyncDispose]: close };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HealthServerOptions): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(response, 405, 'text/plain', 'Only GET and HEAD are understood.\n', { allow: 'GET, HEAD' });
  }
  switch (path) {
    case '/livez':
      return sendHealth(response, options.services, 'live');
    case '/readyz':
    case '/healthz':
      return sendHealth(response, options.services, 'ready');
    case '/metrics':
      return send(response, 200, options.metrics.registry.contentType, await options.metrics.exposition());
    default:
      return send(response, 404, 'text/plain', 'Try /livez, /readyz or /metrics.\n');
  }
}

function sendHealth(response: ServerResponse, services: readonly Service[], aspect: 'live' | 'ready'): void {
  const reports = services.map((service) => ({ service: service.name, ...service.health() }));
  const good = reports.every((report) => report.live && (aspect === 'live' || report.ready));
  send(
    response,
    good ? 200 : 503,
    'application/json',
    `${JSON.stringify({ status: good ? 'ok' : 'failing', services: reports })}\n`,
  );
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
