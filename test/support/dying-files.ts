import type * as files from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** How the process that uses some files fares. */
export interface Life {
  /** Calls of the file system so far. */
  calls: number;
  /** The call, counted from 1, at which it dies. Infinity: never. */
  end: number;
  /** Whether that call is not made, is made and its answer lost, or, of a write, is made by half. */
  how: 'before' | 'after' | 'half';
}

type Files = typeof files;
type Work = (...args: never[]) => Promise<unknown>;

/** `node:fs/promises` of a process that dies at one of its calls: from then on nothing has any effect. */
export function dyingFiles(living: Files, life: Life): Files {
  const step = async <T>(work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> => {
    life.calls += 1;
    const isLast = life.calls === life.end;
    if (isLast && life.how === 'half') await half?.();
    if (life.calls > life.end || (isLast && life.how !== 'after')) throw new Error('the process died');
    const answer = await work();
    if (isLast) throw new Error('the process died');
    return answer;
  };
  const dyingHandle = (handle: FileHandle): FileHandle =>
    new Proxy(handle, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        // The operating system closes the files of the dead.
        if (key === 'close') return () => target.close();
        const method = value.bind(target) as Work;
        return (...args: never[]) =>
          step(
            () => method(...args),
            async () => {
              const [bytes] = args as readonly unknown[];
              if (key === 'writeFile' && bytes instanceof Uint8Array)
                await target.write(bytes, 0, Math.floor(bytes.length / 2));
            },
          );
      },
    });
  const dyingOpen = async (open: () => Promise<FileHandle>): Promise<FileHandle> => {
    let opened: FileHandle | undefined;
    try {
      return dyingHandle(
        await step(async () => {
          opened = await open();
          return opened;
        }),
      );
    } catch (thrown) {
      await opened?.close();
      throw thrown;
    }
  };
  const wrapped = Object.entries(living).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function') return [name, value];
    const work = value as Work;
    if (name !== 'open') return [name, (...args: never[]) => step(() => work(...args))];
    return [name, (...args: never[]) => dyingOpen(() => work(...args) as Promise<FileHandle>)];
  });
  return Object.fromEntries(wrapped) as Files;
}
