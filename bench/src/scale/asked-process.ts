import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpuSecondsOf } from './process-facts.ts';

const STOP_MS = 5_000;

/** A process of ours that answers questions, one at a time. It ends with this one. */
export class AskedProcess<Question extends object, Answer> implements AsyncDisposable {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start<Q extends object, A>(path: string, args: string[]): Promise<AskedProcess<Q, A>> {
    const child = fork(path, args, {
      execArgv: ['--single-threaded-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    return new AskedProcess<Q, A>(child);
  }

  get cpuSeconds(): number {
    return cpuSecondsOf(this.#child.pid!);
  }

  async ask(question: Question): Promise<Answer> {
    const answer = this.#last.then(async () => {
      this.#child.send(question);
      const [message] = (await once(this.#child, 'message')) as [Answer];
      return message;
    });
    this.#last = answer.catch(() => undefined);
    return await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
  }
}
