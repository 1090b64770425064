import { RegrowError } from '../errors.ts';
import { openDsse, signDsse } from '../formats/dsse.ts';
import { canonicalJson, digestOf } from '../model/canonical.ts';
import type { PublishRequest, VerifyRequest } from '../model/request.ts';
import { unproven, type Verdict } from '../model/verdict.ts';
import { stagingKey } from '../ports/objects.ts';
import type { RepositoryKeys, Signer } from '../ports/signer.ts';
import { packageFileName } from '../report/repository.ts';
import { artifactsStamp, gateSetVersion } from '../verify/verify.ts';

/**
 * Verdicts lie where builders may write too. So the publisher, in whose process they are asked for, signs each as a DSSE envelope
 * of a type of its own, of which only the signature is kept: no signature of a package, an index or an attestation is one of a verdict.
 */
const payloadType = 'application/vnd.regrow.verdict+json';

function payloadOf(verdict: Verdict): Buffer {
  const { seal: _, ...said } = verdict;
  return Buffer.from(canonicalJson(said), 'utf8');
}

/** The name of a verdict: no other has it. */
export function verdictDigest(verdict: Verdict): string {
  return digestOf(verdict);
}

function sealVerdict(verdict: Verdict, signer: Signer): Verdict {
  const { signatures } = signDsse(payloadType, payloadOf(verdict), [signer]);
  return { ...verdict, seal: signatures[0]?.sig };
}

/** Whether one of the keys signed it. */
function isSealed(verdict: Verdict, trusted: RepositoryKeys['trusted']): boolean {
  if (verdict.seal === undefined) return false;
  const envelope = { payloadType, payload: payloadOf(verdict).toString('base64'), signatures: [{ sig: verdict.seal }] };
  try {
    openDsse(
      envelope,
      trusted.map(({ keyName, publicKey }) => ({ name: keyName, publicKey })),
    );
    return true;
  } catch (thrown) {
    if (thrown instanceof RegrowError) return false;
    throw thrown;
  }
}

/**
 * The verdicts over the builds of a request, signed. Who judged them read what nobody trusts: it may say how a build is, and not
 * which builds it was asked about. Errors: internal (later).
 */
export function sealVerdicts(request: VerifyRequest, verdicts: readonly Verdict[], signer: Signer): Verdict[] {
  return request.builds.map(({ buildKey, package: name, version, target, request: inputs }) => {
    const [verdict, ...others] = verdicts.filter((one) => one.buildKey === buildKey);
    const isAnswer = verdict?.package === name && verdict.version === version && verdict.gateSet === gateSetVersion;
    if (verdict === undefined || !isAnswer || others.length > 0 || verdicts.length > request.builds.length) {
      const message = `the verifier answered something else than whether ${name} ${version} may be published`;
      throw new RegrowError('internal', message, { package: name, retry: 'later' });
    }
    return sealVerdict({ ...verdict, target, ...(inputs === undefined ? {} : { request: inputs }) }, signer);
  });
}

type Addition = PublishRequest['add'][number];

/** A build whose verdict is not believed, and why. */
export interface UnprovenBuild {
  readonly buildKey: string;
  /** Origin. */
  readonly package: string;
  /** All that would have been published of it. */
  readonly add: readonly Addition[];
  /** What it was asked to be published on. */
  readonly verdict: Verdict | undefined;
  readonly error: RegrowError;
}

/**
 * Sorts what is to be published by whether a verdict stands for it: one that this publisher, or one with the same keys, has signed,
 * over all the packages of the build as they are to be published and no others, by the gates of today, and that lets them pass.
 */
export function sortByProof(
  { add, verdicts = [] }: PublishRequest,
  trusted: RepositoryKeys['trusted'],
): { readonly proven: readonly Addition[]; readonly unproven: readonly UnprovenBuild[] } {
  const builds = new Map<string, [Addition, ...Addition[]]>();
  for (const addition of add) {
    const [, buildKey = ''] = addition.key.split('/');
    const known = builds.get(buildKey);
    if (known === undefined) builds.set(buildKey, [addition]);
    else known.push(addition);
  }
  const proven: Addition[] = [];
  const doubtful: UnprovenBuild[] = [];
  for (const [buildKey, own] of builds) {
    const verdict = verdicts.find((one) => one.buildKey === buildKey);
    const what = problemOf(buildKey, own, verdict, trusted);
    if (what === undefined) {
      proven.push(...own);
      continue;
    }
    const { target, info } = own[0].artifact;
    const error = new RegrowError(unproven, `${info.origin} ${info.version} ${target} is not published: ${what}`, {
      package: info.origin,
      remedy: 'nothing to do: it is judged again',
    });
    doubtful.push({ buildKey, package: info.origin, add: own, verdict, error });
  }
  return { proven, unproven: doubtful };
}

function problemOf(
  buildKey: string,
  own: readonly Addition[],
  verdict: Verdict | undefined,
  trusted: RepositoryKeys['trusted'],
): string | undefined {
  if (own.some(({ key, artifact }) => key !== stagingKey(buildKey, packageFileName(artifact))))
    return 'it lies where no build leaves its packages';
  if (verdict === undefined) return 'there is no verdict over its build';
  if (!isSealed(verdict, trusted)) return 'the verdict over its build has no signature of a key that is trusted';
  if (verdict.gateSet !== gateSetVersion) return 'the verdict over its build is by other gates than those of today';
  if (!verdict.passed || verdict.gates.some(({ outcome }) => outcome === 'failed')) return 'its build did not pass';
  if (own.some(({ artifact, request }) => artifact.target !== verdict.target || request !== verdict.request))
    return 'the verdict is about another build';
  if (artifactsStamp(own.map(({ artifact }) => artifact)) !== verdict.artifacts)
    return 'the verdict is about other packages of its build';
  return undefined;
}
