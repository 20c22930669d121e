const SECRET_KEYS = [
  'password',
  'token',
  'secret',
  'accessKeySecret',
  'secretAccessKey',
  'sessionToken',
  'privateKey',
  'authorization',
];
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'];

export const REDACTED = '[redacted]';

/** pino's `redact` paths: these keys at up to four levels. */
export const SECRET_PATHS: readonly string[] = DEPTHS.flatMap((depth) => SECRET_KEYS.map((key) => depth + key));

const URL_USER_INFO = /:\/\/[^\s/@"'\\]+@/g;
/** Shorter ones would blot out ordinary words. */
const SECRET_LENGTH_MIN = 6;

/**
 * The last gate before a line leaves the process: whatever key or message it hides in, user info inside a URL
 * and the secrets that this process has read never get through.
 */
export class Redaction {
  readonly #secrets = new Set<string>();

  /** Tells the logger a secret as soon as it has been read from its file. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < SECRET_LENGTH_MIN) return;
    this.#secrets.add(secret);
    // As it appears inside a JSON string.
    this.#secrets.add(JSON.stringify(secret).slice(1, -1));
  }

  apply(line: string): string {
    let clean = line.includes('://') ? line.replaceAll(URL_USER_INFO, `://${REDACTED}@`) : line;
    for (const secret of this.#secrets) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, REDACTED);
    }
    return clean;
  }
}
