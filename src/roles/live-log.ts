import type { Logger } from '../log.ts';
import { type Objects, stagingKey } from '../ports/objects.ts';

/** Milliseconds between two writes of a log that grows, for each megabyte that it has: each writes all of it. */
const pause = 1000;

/** The log of a running build in the object store, rewritten as it grows, so that people can follow it. */
export interface LiveLog {
  add(buildKey: string, text: string): void;
  /** Nothing of this build is written any more: the engine leaves the whole log itself. Resolves when that is so. */
  end(buildKey: string): Promise<void>;
}

interface GrowingLog {
  text: string;
  timer: NodeJS.Timeout | undefined;
  writing: Promise<void>;
}

export function createLiveLog(objects: Objects, log: Logger): LiveLog {
  const growing = new Map<string, GrowingLog>();
  return {
    add(buildKey, text) {
      const one = growing.get(buildKey) ?? { text: '', timer: undefined, writing: Promise.resolve() };
      growing.set(buildKey, one);
      one.text += text;
      if (one.timer !== undefined) return;
      const megabytes = Math.ceil(one.text.length / 2 ** 20);
      one.timer = setTimeout(() => {
        one.timer = undefined;
        const bytes = Buffer.from(one.text);
        // One after the other: an older one that is slow must not come over a newer one, nor over the whole log.
        one.writing = one.writing
          .then(() => objects.put(stagingKey(buildKey, 'log'), bytes))
          // A log that cannot be followed is no reason to end the build.
          .catch((thrown: unknown) => log.debug({ buildKey, err: thrown }, 'the log so far was not written'));
      }, pause * Math.max(megabytes, 1));
    },
    async end(buildKey) {
      const one = growing.get(buildKey);
      growing.delete(buildKey);
      clearTimeout(one?.timer);
      await one?.writing;
    },
  };
}
