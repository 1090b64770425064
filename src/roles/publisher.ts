import { readRegistryAuth } from '../adapters/oci/credentials.ts';
import { createRegistries } from '../adapters/oci/registries.ts';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import type { BuildFailure } from '../model/build.ts';
import type { Generation } from '../model/publication.ts';
import type { PublishedResult } from '../model/result.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { Registries } from '../ports/registry.ts';
import type { ImageKeys, ImageSigner, RepositoryKeys } from '../ports/signer.ts';
import type { Keyless } from '../ports/sigstore.ts';
import type { Attest } from '../publish/additions.ts';
import type { Patience } from '../publish/collect/plan.ts';
import { takeOver } from '../publish/fence.ts';
import { defaultKeep, type PublishOptions, publishRemaining } from '../publish/generation.ts';
import { proveImage } from '../publish/image/index.ts';
import { readCurrent } from '../publish/manifest.ts';
import { createRepositoryMemory } from '../publish/memory.ts';
import { resignIndexes } from '../publish/resign.ts';
import { rollBack, undoRollback, withdraw } from '../publish/withdraw.ts';
import { attesterOf } from './attester.ts';
import { createCollector, patienceOf } from './collector.ts';
import { finalFailure, readRequest, readResult, report, requestDigest } from './effects.ts';
import type { RoleHost } from './host.ts';
import { publishImage } from './image-publisher.ts';
import { createImagePusher } from './image-pusher.ts';
import { createKeylessHandlers, keylessOf } from './keyless.ts';
import { announceImageKeys, announceKeys, imageKeyRingOf, keyRingOf } from './keys.ts';
import { userAgent } from './parts.ts';
import { refusalsOf, withoutRefused } from './refused.ts';
import { sealVerdicts, sortByProof } from './sealing.ts';
import { createChildProver, createChildVerifier, type Prove, type Verify } from './verifier.ts';

export interface PublisherContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly keys: RepositoryKeys;
  readonly imageSigner: ImageSigner;
  /** Public keys of images that are served beside the signing one, or no more. Default: neither. */
  readonly imageKeys?: Pick<ImageKeys, 'trusted' | 'retired'>;
  readonly clock: Clock;
  readonly options: PublishOptions;
  /** How long what nothing uses stays; without, this publisher removes nothing. */
  readonly patience?: Patience;
  /** Writes down where packages come from; without, nobody does. */
  readonly attest?: Attest;
  /** Signs by an identity; without, nobody does. */
  readonly keyless?: Keyless;
  /** Judges untrusted bytes where no key is: in a child process. */
  readonly verify: Verify;
  /** Says of what an image consists, in such a child too. Default: in this process, for tests. */
  readonly prove?: Prove;
  /** A later publisher took over: this one is to take no more jobs. */
  readonly onSuperseded?: (error: RegrowError) => void;
}

/** How long a publisher that another took over from may take to end, milliseconds. */
const leaveTime = 60_000;

/** Starts the one publisher; makes its key when there is none. */
export async function startPublisher(host: RoleHost): Promise<void> {
  const { config, exec, objects, queues, clock, paths } = host.parts;
  const imageKeys = await imageKeyRingOf(config, host.secrets, clock).open();
  const { keepGenerations, keepVersions } = config.publish;
  const superseded = new AbortController();
  const keyless = await keylessOf(config, host.secrets);
  const keys = host.keys ?? (await keyRingOf(config, host.secrets, clock).open());
  const handlers = await createPublisher({
    objects,
    queues,
    keys,
    attest: attesterOf(config, objects, keys.signer),
    imageSigner: imageKeys.signer,
    imageKeys,
    ...(keyless === undefined ? {} : { keyless }),
    clock,
    options: { keepGenerations, ...(keepVersions === 0 ? {} : { keepVersions }), description: config.api.title },
    patience: patienceOf(config.publish),
    verify: host.verify ?? createChildVerifier({ exec, clock, objects: paths.objects }),
    prove: createChildProver({ exec, objects: paths.objects }),
    onSuperseded(error) {
      host.parts.log.error({ err: error }, 'another publisher took over: this one takes no more jobs');
      superseded.abort();
    },
  });
  const pusher = createImagePusher({ objects, queues, clock, registries: registriesOf(host) });
  const workers = [
    host.work('publish', 1, handlers),
    host.work('verify', 1, handlers),
    host.work('push', 1, pusher),
    host.work('sign', 1, handlers),
  ];
  superseded.signal.addEventListener('abort', () => {
    for (const worker of workers) void worker.end({ how: 'stop', grace: leaveTime });
  });
}

/** The registries that images are pushed to, with their logins. Errors: config.invalid. */
function registriesOf({ parts, secrets }: RoleHost): Registries {
  const { images, network } = parts.config;
  const { registryAuth } = secrets;
  return createRegistries({
    userAgent,
    addresses: images.push.map(({ registry }) => registry),
    allowPrivate: network.allowPrivate,
    ...(registryAuth === undefined ? {} : { credentials: readRegistryAuth(registryAuth) }),
  });
}

/**
 * Judges, signs and publishes. Alone in holding the signing key. From its start on it is the one publisher: who was it before is
 * refused, whatever it is in the middle of.
 */
export async function createPublisher(context: PublisherContext): Promise<JobHandlers> {
  const { objects, queues, clock, attest } = context;
  const { signer } = context.keys;
  const now = () => clock.now().toISOString();
  const { token, objects: own } = await takeOver(objects);
  await announceKeys(own, context.keys);
  const { imageSigner, imageKeys = { trusted: [imageSigner], retired: [] } } = context;
  const { prove = (claim) => proveImage(own, claim) } = context;
  await announceImageKeys(own, imageSigner, imageKeys);
  await resignIndexes({ objects: own, signer, clock }, token);
  const ports = {
    objects: own,
    signer,
    clock,
    memory: createRepositoryMemory(),
    ...(attest === undefined ? {} : { attest }),
  };

  /**
   * One change of the repository at a time: a job whose lock Redis lost goes on beside the next one. What a change finds in the
   * store is there until it is done.
   */
  const alone = inTurn();

  /** What a result says of an error; thrown on where time heals it, or whoever took over does the job. */
  function lastWord(thrown: unknown): BuildFailure {
    const error = toRegrowError(thrown);
    if (error.code === 'repository.moved' && error.retry === 'never') {
      context.onSuperseded?.(error);
      throw new RegrowError(error.code, error.message, { retry: 'later', cause: error });
    }
    return finalFailure(thrown);
  }

  /** Leaves what came of a change of the repository. */
  async function settle(
    effect: string,
    work: () => Promise<Pick<PublishedResult, 'generation' | 'refused'>>,
  ): Promise<void> {
    const common = { kind: 'published', effect, at: now() } as const;
    try {
      await report(objects, queues, { ...common, ...(await alone(work)) });
    } catch (thrown) {
      await report(objects, queues, { ...common, failure: lastWord(thrown) });
    }
  }

  const { patience, options } = context;
  const collector =
    patience === undefined
      ? {}
      : createCollector({
          objects,
          own,
          queues,
          clock,
          patience,
          keepGenerations: options.keepGenerations ?? defaultKeep,
          alone,
          lastWord,
        });

  /** What a person ordered is done once: a job that comes again finds another repository. */
  async function settleOnce(effect: string, work: () => Promise<Generation>): Promise<void> {
    const done = await readResult(objects, effect, 'published');
    if (done === undefined) await settle(effect, async () => ({ generation: await work() }));
    else await report(objects, queues, done);
  }

  return {
    async verify({ request: key }, { signal }) {
      const request = await readRequest(objects, key, 'verify');
      const generation = (await readCurrent(objects))?.generation.generation ?? 0;
      const verdicts = sealVerdicts(request, await context.verify(request, signal), signer);
      const effect = `verify-${requestDigest(key)}`;
      await report(objects, queues, { kind: 'verified', effect, at: now(), verdicts, generation });
    },

    async publish({ request: key }, { log }) {
      const request = await readRequest(objects, key, 'publish');
      const { proven, unproven } = sortByProof(request, context.keys.trusted);
      for (const { buildKey, package: about, error } of unproven) {
        const facts = { package: about, buildKey, code: error.code, err: error };
        log.warn(facts, 'a build is not published: no publisher stands for its verdict');
      }
      await settle(`publish-${requestDigest(key)}`, async () => {
        const before = unproven.flatMap(({ add, error }) => add.map((addition) => ({ addition, error })));
        const transaction = { add: proven, refused: before, token };
        const done = await publishRemaining(ports, transaction, context.options, withoutRefused);
        const refused = refusalsOf(request, done.refused, unproven);
        return {
          ...(done.generation === undefined ? {} : { generation: done.generation }),
          ...(refused.length === 0 ? {} : { refused: [...refused] }),
        };
      });
    },

    async withdraw({ slot, ...order }) {
      await settleOnce(`withdraw-${order.name}-${order.version}-${slot}`, () =>
        withdraw(ports, order, token, context.options),
      );
    },

    async rollback({ to, slot }) {
      await settleOnce(`rollback-${to ?? 'undo'}-${slot}`, () =>
        to === undefined ? undoRollback(ports, token, context.options) : rollBack(ports, to, token, context.options),
      );
    },

    async 'publish-image'({ request: key, attempt }, { signal }) {
      const request = await readRequest(objects, key, 'image-publish');
      const common = { kind: 'image-published', effect: `publish-image-${requestDigest(key)}`, at: now() } as const;
      try {
        const images = { objects: own, signer: context.imageSigner, prove };
        const publication = await alone(() => publishImage(images, request, { at: now(), signal }));
        await report(objects, queues, { ...common, publication }, attempt);
      } catch (thrown) {
        await report(objects, queues, { ...common, failure: lastWord(thrown) }, attempt);
      }
    },

    ...createKeylessHandlers({
      objects: own,
      queues,
      clock,
      imageSigner,
      prove,
      keys: context.keys,
      keyless: context.keyless,
    }),
    ...collector,
  };
}

/** Runs work one after the other, in the order in which it came. */
function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
