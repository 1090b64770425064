import type { PublishRequest, VerifyRequest } from '../../src/model/request.ts';
import type { Signer } from '../../src/ports/signer.ts';
import { sealVerdicts } from '../../src/roles/sealing.ts';
import { artifactsStamp, gateSetVersion } from '../../src/verify/verify.ts';

type Additions = PublishRequest['add'];

/** The request to publish builds that passed every gate, with the verdicts of a publisher that has the key. */
export function publishRequestOf(add: Additions, signer: Signer): PublishRequest {
  const builds = new Map<string, Additions>();
  for (const one of add) {
    const buildKey = one.key.split('/')[1] ?? '';
    builds.set(buildKey, [...(builds.get(buildKey) ?? []), one]);
  }
  const verdicts = [...builds].flatMap(([buildKey, own]) => {
    const [first] = own;
    if (first === undefined) return [];
    const { artifact, request } = first;
    const { origin, version } = artifact.info;
    const named = request === undefined ? {} : { request };
    const asked: VerifyRequest = {
      kind: 'verify',
      generation: 0,
      purpose: 'main',
      packages: [origin],
      builds: [{ buildKey, attempt: 1, target: artifact.target, package: origin, version, makes: [], ...named }],
      findings: { before: [], after: [] },
    };
    const verdict = {
      buildKey,
      package: origin,
      version,
      gateSet: gateSetVersion,
      passed: true,
      gates: [],
      at: '2026-06-01T09:00:00.000Z',
      artifacts: artifactsStamp(own.map((one) => one.artifact)),
    };
    return sealVerdicts(asked, [verdict], signer);
  });
  return { kind: 'publish', add, verdicts };
}
