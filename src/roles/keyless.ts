import { createHttp } from '../adapters/http.ts';
import { hostsOf } from '../adapters/network/guard.ts';
import { createIdentity } from '../adapters/sigstore/identity.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import type { IdentitySource } from '../model/identity.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { ImageSigner, RepositoryKeys } from '../ports/signer.ts';
import type { Keyless } from '../ports/sigstore.ts';
import { signPackages } from '../publish/keyless.ts';
import { failureReport, readRequest, report, requestDigest } from './effects.ts';
import { signImage } from './image-publisher.ts';
import { userAgent } from './parts.ts';
import type { Prove } from './verifier.ts';

/** The identity token of now. Errors: sigstore.identity. */
export function identityOf(identity: IdentitySource | undefined): () => Promise<string> {
  // Where GitHub gives tokens is not a recipe's word.
  const allowPrivate = identity?.kind === 'github' && URL.canParse(identity.url) ? hostsOf([identity.url]) : [];
  return createIdentity(identity, createHttp({ userAgent, allowPrivate }));
}

/** Signing by the configured services and the identity of this publisher; undefined where there is none. */
export async function keylessOf(
  { publish }: Config,
  { identity }: Pick<Secrets, 'identity'>,
): Promise<Keyless | undefined> {
  const { sigstore } = publish;
  if (sigstore === undefined) return undefined;
  // Its libraries take as long to load as BullMQ: who signs with keys alone goes without.
  const { createKeyless } = await import('../adapters/sigstore/keyless.ts');
  const { timestampUrl, ...services } = sigstore;
  return createKeyless({
    ...services,
    ...(timestampUrl === undefined ? {} : { timestampUrl }),
    identity: identityOf(identity),
  });
}

export interface KeylessContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly clock: Clock;
  readonly keyless: Keyless | undefined;
  readonly imageSigner: ImageSigner;
  readonly prove: Prove;
  readonly keys: RepositoryKeys;
}

/** Signs by an identity. What does not come about is a result of its own: it is shown, and asked for again. */
export function createKeylessHandlers(context: KeylessContext): JobHandlers {
  const { objects, queues, clock, keys } = context;
  const now = () => clock.now().toISOString();

  async function settle(effect: string, attempt: number, work: (keyless: Keyless) => Promise<unknown>): Promise<void> {
    const common = { kind: 'signed', effect } as const;
    try {
      const { keyless } = context;
      if (keyless === undefined) {
        const remedy = 'give conductor and publisher the same configuration';
        throw new RegrowError('config.invalid', 'this publisher has no publish.sigstore', { remedy });
      }
      await work(keyless);
      await report(objects, queues, { ...common, at: now() }, attempt);
    } catch (thrown) {
      const error = toRegrowError(thrown);
      if (/^(?:aborted$|storage\.|repository\.)/.test(error.code)) throw error;
      await report(objects, queues, { ...common, at: now(), failure: failureReport(error) }, attempt);
    }
  }

  return {
    async 'sign-image'({ request: key, attempt }, { signal, log }) {
      const request = await readRequest(objects, key, 'image-sign');
      await settle(`sign-image-${requestDigest(key)}`, attempt, async (keyless) => {
        const { image } = await signImage({ objects, signer: context.imageSigner, prove: context.prove }, request, {
          at: now(),
          keyless,
          signal,
        });
        log.info({ image: `${image.name}:${image.tag}` }, 'image signed by identity');
      });
    },

    async 'sign-packages'({ generation, attempt }, { signal, log }) {
      await settle(`sign-packages-${generation}`, attempt, async (keyless) => {
        const trusted = keys.trusted.map(({ keyName: name, publicKey }) => ({ name, publicKey }));
        const { signed, skipped } = await signPackages({ objects, keyless, keys: trusted }, signal);
        if (signed > 0) log.info({ signed }, 'packages signed by identity');
        if (skipped.length > 0) log.warn({ skipped }, 'no key of now has signed where these packages came from');
      });
    },
  };
}
