import { isApkVersion, matchesFuzzily } from '../model/apk-version.ts';

/** `-1.2` or `-18` at the end, or `5.4` right after a letter: a number alone there is only a name (`libxml2`). */
const ending = /(?:-(\d+(?:\.\d+)*)|(?<=[a-z])(\d+(?:\.\d+)+))$/;

/**
 * The versions that a package keeps to by its name: `kubernetes-1.34` to `1.34`, whatever comes after. Only where the version that
 * it has is one of them: `pg_cron-18` at 1.6.7 is named for what it is built with. What a name begins with (`py3.14-requests`) is
 * the stream of a language, and says nothing of the package's own versions.
 */
export function streamOf(name: string, version: string): string | undefined {
  const [, dashed, attached] = ending.exec(name) ?? [];
  const stream = dashed ?? attached;
  return stream !== undefined && isInStream(version, stream) ? stream : undefined;
}

/** Whether a version begins with every part of the stream: `1.34.2` is in `1.34`, `1.340` is not. */
export function isInStream(version: string, stream: string): boolean {
  return isApkVersion(version) && isApkVersion(stream) ? matchesFuzzily(version, stream) : version === stream;
}
