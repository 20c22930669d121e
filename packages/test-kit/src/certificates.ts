import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface CertificateFiles {
  caFile: string;
  certFile: string;
  keyFile: string;
}

export interface Authority {
  caFile: string;
  /** For server and client alike. */
  issue(name: string, options?: { subjectAltName?: string; expired?: boolean }): CertificateFiles;
}

/** Why no certificates can be made here: the reason to skip a test with. */
export function missingOpenssl(): string | undefined {
  try {
    openssl('version');
    return undefined;
  } catch {
    return 'no openssl on PATH';
  }
}

/** A CA of its own, below an existing directory. */
export function createAuthority(directory: string, name: string): Authority {
  const caFile = join(directory, `${name}-ca.pem`);
  const caKey = join(directory, `${name}-ca.key`);
  openssl('req', '-x509', ...NEW_KEY, '-keyout', caKey, '-out', caFile, '-days', '2', '-subj', `/CN=${name}-ca`);
  return {
    caFile,
    issue(leaf, { subjectAltName = 'IP:127.0.0.1,DNS:localhost', expired = false } = {}) {
      const path = (suffix: string) => join(directory, `${name}-${leaf}.${suffix}`);
      const [certFile, keyFile, request, extensions] = [path('pem'), path('key'), path('csr'), path('ext')] as const;
      openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${leaf}`);
      writeFileSync(extensions, `subjectAltName=${subjectAltName}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      const signing = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-extfile', extensions];
      openssl('x509', '-req', '-in', request, ...signing, '-out', certFile, '-days', expired ? '-1' : '2');
      return { caFile, certFile, keyFile };
    },
  };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
