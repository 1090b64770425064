import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RegrowError } from '../errors.ts';
import type { Ledger } from '../ports/ledger.ts';
import { readEventsAfter, type SequencedEvent } from '../report/history.ts';
import type { EventFeed } from './event-feed.ts';

/** Readers at a time: each holds a connection. */
const mostReaders = 100;
/** Events that a reader who was away is given. */
const mostReplayed = 1000;
/** Milliseconds; proxies drop a silent connection after about a minute. */
const heartbeat = 15_000;
/** Bytes that may wait for a slow reader before it is let go; it comes back with Last-Event-ID. */
const mostWaiting = 1024 * 1024;

export interface EventStreams {
  open(request: FastifyRequest, reply: FastifyReply, options: { after?: number; package?: string }): Promise<void>;
  close(): void;
}

function frame(event: SequencedEvent): string {
  return `id: ${event.sequence}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Server-sent events (WHATWG HTML, "Server-sent events"): what happened since `after`, then what happens. */
export function createEventStreams(ledger: Ledger, feed: EventFeed): EventStreams {
  const open = new Set<ServerResponse>();
  return {
    async open(request, reply, options) {
      if (open.size >= mostReaders) {
        throw new RegrowError('request.refused', `${mostReaders} readers follow the events already`, {
          retry: 'later',
        });
      }
      const after = options.after ?? (await feed.last());
      const wanted = (event: SequencedEvent): boolean =>
        options.package === undefined || event.package === options.package;
      reply.hijack();
      const response = reply.raw;
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      });
      open.add(response);
      let sent = after;
      /** Until the past is sent, the present waits, so that a reader sees events in order and each once. */
      let early: SequencedEvent[] | undefined = [];
      function send(events: readonly SequencedEvent[]): void {
        for (const event of events) {
          if (event.sequence <= sent) continue;
          sent = event.sequence;
          if (wanted(event)) response.write(frame(event));
        }
        if (response.writableLength > mostWaiting) response.destroy();
      }
      const unsubscribe = feed.subscribe((events) => {
        if (early === undefined) send(events);
        else early.push(...events);
      });
      const beat = setInterval(() => response.write(': still here\n\n'), heartbeat);
      beat.unref();
      response.on('close', () => {
        clearInterval(beat);
        unsubscribe();
        open.delete(response);
      });
      response.write('retry: 2000\n\n');
      const past = await readEventsAfter(ledger, after, mostReplayed);
      if (past.skipped) response.write(`: more than ${mostReplayed} events were missed, the oldest are left out\n\n`);
      send(past.events);
      const waiting = early;
      early = undefined;
      send(waiting);
    },
    close() {
      for (const response of open) response.end();
    },
  };
}
