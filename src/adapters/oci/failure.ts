import { RegrowError } from '../../errors.ts';
import { type RegistryAnswer, reasonOf, shownUrl } from './transport.ts';

/** An answer that means no. */
export function refused(answer: RegistryAnswer, what: string): RegrowError {
  return new RegrowError('registry.refused', `${shownUrl(answer.url)} ${what}${reasonOf(answer)}`, {
    retry: 'later',
    remedy:
      'look at what the registry says, and at the name of the repository in images.push; it is tried again by itself',
  });
}

/** An answer to something that the specification does not give for it. */
export function unexpected(answer: RegistryAnswer, what: string): RegrowError {
  return refused(answer, `answers ${answer.status} to ${what}`);
}

/** What a registry says that it has is not what it was given. */
export function mismatch(message: string): RegrowError {
  return new RegrowError('registry.digest-mismatch', message, {
    retry: 'later',
    remedy: 'do not pull from it before it is known why; look at the registry, and at what is between it and here',
  });
}
