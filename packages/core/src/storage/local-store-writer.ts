import { writeFile } from 'node:fs/promises';
import { LocalStore } from './local-store.ts';

/** The child of the crash test: puts objects until it is killed, and prints the key of each that was put. */
const [root, round, spool] = process.argv.slice(2);
const store = new LocalStore(root!);

function bodyOf(key: string, bytes: number): Buffer {
  const body = Buffer.alloc(bytes, `${key} `);
  body.write(String(bytes).padStart(12, '0'), bytes - 12);
  return body;
}

for (let index = 0; ; index++) {
  const key = `cluster/${round}/folder-${index % 3}/object-${index}`;
  const body = bodyOf(key, 100_000 + ((index * 7919) % 3_000_000));
  if (index % 3 === 0) await store.put(key, body);
  if (index % 3 === 1) await store.put(key, body, { ifAbsent: true });
  if (index % 3 === 2) {
    await writeFile(spool!, body);
    await store.putFile(key, spool!, { move: index % 2 === 0 });
  }
  process.stdout.write(`${key}\n`);
}
