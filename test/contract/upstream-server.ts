import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer as a server of the world gave it. */
export interface RecordedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Answers by address. One that depends on the question is a function of its headers. */
export type Recorded = Readonly<
  Record<string, string | RecordedAnswer | ((headers: IncomingHttpHeaders) => string | RecordedAnswer)>
>;

export interface SeenRequest {
  /** The address that was asked for, as the source wrote it. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A loopback server that stands for every host of the world. */
export interface UpstreamServer {
  /** What stands in the place of `https://`: `http://127.0.0.1:PORT/`. */
  readonly base: string;
  readonly requests: readonly SeenRequest[];
  answer(recorded: Recorded): void;
  /** Takes over every request, until `answer` is called again. */
  behave(handler: (url: string, request: IncomingMessage, response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** Addresses without a recorded answer are 404. Every good answer has an entity tag, and is 304 to who has it. */
export async function startUpstreamServer(): Promise<UpstreamServer> {
  const requests: SeenRequest[] = [];
  let recorded: Recorded = {};
  const respond = (url: string, request: IncomingMessage, response: ServerResponse): void => {
    const found = recorded[url] ?? { status: 404, body: 'no such thing' };
    const given = typeof found === 'function' ? found(request.headers) : found;
    const { status = 200, headers = {}, body = '' } = typeof given === 'string' ? { body: given } : given;
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    if (status === 200 && request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else response.writeHead(status, { ...(status === 200 ? { etag } : {}), ...headers }).end(body);
  };
  let handler = respond;
  const server = createServer((request, response) => {
    const url = `https://${(request.url ?? '').slice(1)}`;
    requests.push({ url, headers: request.headers });
    handler(url, request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    answer(next) {
      recorded = next;
      handler = respond;
    },
    behave(next) {
      handler = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Text as the content of an element of XML or HTML. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
