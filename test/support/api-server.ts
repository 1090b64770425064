import { request } from 'node:http';
import type { ApiSettings } from '../../src/api/ports.ts';
import { type ApiOptions, createApi } from '../../src/api/server.ts';
import { testLog } from './log.ts';
import { before, settings, type World } from './report-world.ts';

export interface TestApi {
  readonly base: string;
  close(): Promise<void>;
}

/** The api over a world, on loopback at any free port. The conductor was last seen a minute before noon. */
export async function startTestApi(
  world: World,
  change: Partial<ApiSettings> = {},
  options: ApiOptions = {},
  port = 0,
): Promise<TestApi> {
  const { ledger, objects, queue, clock } = world;
  const api = await createApi(
    {
      ledger,
      objects,
      queue,
      requests: queue,
      clock,
      log: testLog('fatal').log,
      settings: { ...settings, title: 'test distribution', ...change },
      conductor: async () => before(1),
    },
    options,
  );
  return { base: await api.listen({ host: '127.0.0.1', port }), close: () => api.close() };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One request whose path and headers go out as they are: fetch would tidy up `..` and set headers of its own. */
export function askRaw(
  base: string,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, agent: false, ...options }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}
