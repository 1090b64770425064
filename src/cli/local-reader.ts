import { RegrowError } from '../errors.ts';
import type { Explanation } from '../model/explanation.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ledger } from '../ports/ledger.ts';
import { type Objects, stagingKey } from '../ports/objects.ts';
import type { QueueView } from '../ports/queue.ts';
import { explainName } from '../report/explain.ts';
import { readFreshness } from '../report/freshness.ts';
import { readHistory } from '../report/history.ts';
import { createRepositoryView } from '../report/repository.ts';
import type { ReportSettings } from '../report/stage.ts';
import { listPackages, listProposals, readStatus } from '../report/status.ts';
import type { Reader } from './reader.ts';

export interface LocalReaderOptions {
  /** The state directory, for people. */
  readonly where: string;
  readonly ledger: Ledger;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly settings: ReportSettings;
  readonly close: () => Promise<void>;
}

/** The queue is the daemon's own: without it there is nothing to see. */
const noQueue: QueueView = { counts: async () => ({}), list: async () => [] };

function stopped(what: string): RegrowError {
  return new RegrowError('daemon.unreachable', `${what} needs a running daemon`, {
    remedy: 'start it with `regrow run`, or say where it is with --server URL',
  });
}

/** What was to happen next needs a daemon. */
function asLeft(explanation: Explanation): Explanation {
  const { next, actions } = explanation;
  return {
    ...explanation,
    next: next.text.startsWith('nothing') ? next : { text: `nothing while the daemon is stopped; then: ${next.text}` },
    actions: ['start the daemon: `regrow run`', ...actions.filter((action) => !action.includes('--follow'))],
  };
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Reads what a stopped daemon left behind. It changes nothing there. */
export function createLocalReader(options: LocalReaderOptions): Reader {
  const { ledger, objects, clock, settings } = options;
  const repository = createRepositoryView(objects);
  const ports = { ledger, repository, queue: noQueue };
  return {
    where: options.where,
    async status() {
      const [packages, freshness] = await Promise.all([
        listPackages(ports, settings),
        readFreshness(ledger, clock.now()),
      ]);
      return readStatus({ ...ports, clock, conductor: async () => undefined }, settings, packages, freshness);
    },
    packages: () => listPackages(ports, settings),
    async explain(name) {
      const explanation = await explainName(ports, settings, name, clock.now().toISOString());
      if (explanation !== undefined) return asLeft(explanation);
      throw new RegrowError('request.not-found', `there is no package or image ${name}`, {
        remedy: '`regrow status --packages` lists the packages that are known, `regrow status` the images',
      });
    },
    proposals: (state) => listProposals(ports, state),
    async queue() {
      throw stopped('the queue');
    },
    events: (filter) => readHistory(ledger, filter),
    async log(buildKey, offset) {
      if ((await ledger.get('build', `${buildKey}.1`)) === undefined)
        throw new RegrowError('request.not-found', `there is no build ${buildKey}`);
      const object = await objects.stream(stagingKey(buildKey, 'log'));
      if (object === undefined) return undefined;
      return { bytes: (await collect(object.body)).subarray(offset), ended: true };
    },
    async poke() {
      throw stopped('asking for a look');
    },
    async release() {
      throw stopped('releasing a version');
    },
    async generations(limit) {
      const all = (await ledger.list('publication')).map(({ value }) => value);
      return all.sort((a, b) => b.generation - a.generation).slice(0, limit);
    },
    async withdraw() {
      throw stopped('withdrawing a version');
    },
    async rollBack() {
      throw stopped('going back to an older generation');
    },
    async collections() {
      return { last: await repository.collection(false), looked: await repository.collection(true) };
    },
    async collect() {
      throw stopped('looking for what nothing uses');
    },
    close: options.close,
  };
}
