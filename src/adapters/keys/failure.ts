import { RegrowError } from '../../errors.ts';

/** What is wrong with a key or its file, and what to do: config.invalid. */
export function invalidKey(file: string, what: string, remedy: string, cause?: unknown): RegrowError {
  return new RegrowError('config.invalid', `signing key ${file}: ${what}`, { file, remedy, cause });
}
