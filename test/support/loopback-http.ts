import { createHttp, type HttpOptions } from '../../src/adapters/http.ts';
import type { Http } from '../../src/ports/http.ts';

/** For `allowPrivate`: where the servers of tests are. */
export const loopback = ['127.0.0.1'];

/** The Http of the daemon, which may ask the servers of a test. */
export function createLoopbackHttp(options: Partial<HttpOptions> = {}): Http {
  return createHttp({ userAgent: 'regrow-test', allowPrivate: loopback, ...options });
}
