import { reportError } from '../errors.ts';
import { readApk } from '../formats/apk.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Verdict } from '../model/verdict.ts';
import { gateSetVersion, gates } from './registry.ts';
import { artifactsStamp, findingsStamp, type ReadPackage, type VerifyInput } from './subject.ts';

export { gateSetVersion } from './registry.ts';
export { artifactsStamp, findingsStamp, type SecondBuild, type VerifyInput } from './subject.ts';

function readPackage(artifact: Artifact, files: VerifyInput['files']): ReadPackage {
  const file = `${artifact.info.name}-${artifact.info.version}.apk`;
  const bytes = files.get(file);
  if (bytes === undefined) return { artifact, file, bytes, apk: undefined, problem: 'is not in staging' };
  try {
    return { artifact, file, bytes, apk: readApk(bytes), problem: '' };
  } catch (error) {
    return { artifact, file, bytes, apk: undefined, problem: reportError(error).message };
  }
}

/**
 * Judges one build by all gates. Pure over bytes and values; whatever the package files hold, it gives a verdict and does
 * not throw. All gates are asked even when one failed, so that one look shows everything.
 */
export function verifyBuild(input: VerifyInput): Verdict {
  const subject = { ...input, packages: input.result.artifacts.map((one) => readPackage(one, input.files)) };
  const results = gates.map((gate) => ({ gate: gate.name, ...gate.check(subject) }));
  return {
    buildKey: input.buildKey,
    package: input.package,
    version: input.version,
    gateSet: gateSetVersion,
    passed: results.every((result) => result.outcome !== 'failed'),
    gates: results,
    at: input.at,
    findings: findingsStamp(input.findings, input.package),
    ...(input.second === undefined ? {} : { rebuild: input.second.difference }),
    artifacts: artifactsStamp(input.result.artifacts),
  };
}
