import type { Logger } from '../log.ts';
import { type Objects, stagingKey } from '../ports/objects.ts';

/** Milliseconds between two writes of a log that grows. */
const pause = 1000;

/** The log of a running build in the object store, rewritten as it grows, so that people can follow it. */
export interface LiveLog {
  add(buildKey: string, text: string): void;
  /** Nothing of this build is written any more: the engine leaves the whole log itself. Resolves when that is so. */
  end(buildKey: string): Promise<void>;
}

export function createLiveLog(objects: Objects, log: Logger): LiveLog {
  const growing = new Map<string, { text: string[]; timer: NodeJS.Timeout | undefined; writing: Promise<void> }>();
  return {
    add(buildKey, text) {
      const one = growing.get(buildKey) ?? { text: [], timer: undefined, writing: Promise.resolve() };
      growing.set(buildKey, one);
      one.text.push(text);
      one.timer ??= setTimeout(() => {
        one.timer = undefined;
        const bytes = Buffer.from(one.text.join(''));
        // A log that cannot be followed is no reason to end the build.
        one.writing = objects
          .put(stagingKey(buildKey, 'log'), bytes)
          .catch((thrown: unknown) => log.debug({ buildKey, err: thrown }, 'the log so far was not written'));
      }, pause);
    },
    async end(buildKey) {
      const one = growing.get(buildKey);
      growing.delete(buildKey);
      clearTimeout(one?.timer);
      await one?.writing;
    },
  };
}
