import type { FileHandle } from 'node:fs/promises';

/** Writes all of `bytes` at `position`: one call of the system may take only a part. */
export async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
