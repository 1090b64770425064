import { isDeepStrictEqual } from 'node:util';
import { reportError } from '../../errors.ts';
import { readApk } from '../../formats/apk.ts';
import { entryProblem } from '../../formats/apk-index.ts';
import { checkTree } from '../../formats/package-tree.ts';
import { isApkVersion } from '../../model/apk-version.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import { dependencyName } from '../../model/package-set.ts';
import { parseTarget } from '../../model/target.ts';
import { answer, artifactsStamp, countOf, type Gate, type GateSubject, type ReadPackage } from '../subject.ts';

function differs(a: unknown, b: unknown): boolean {
  return !isDeepStrictEqual(JSON.parse(canonicalJson(a)), JSON.parse(canonicalJson(b)));
}

/** Everything about one file that is not as the build result says, or that apk would not take. */
function problemsOf({ artifact, file, bytes, apk, problem }: ReadPackage, subject: GateSubject): string[] {
  if (bytes === undefined || apk === undefined) return [`${file}: ${problem}`];
  const problems: string[] = [];
  if (sha256(bytes) !== artifact.digest || bytes.length !== artifact.bytes)
    problems.push(`${file} is not the file that was built`);
  if (apk.signatures.length > 0) problems.push(`${file} is signed: builders have no key to sign with`);
  if (apk.checksum !== artifact.checksum) problems.push(`${file} has another checksum than the build result says`);
  if (differs(apk.info, artifact.info)) problems.push(`${file} describes itself otherwise than the build result does`);
  if (apk.info.version !== subject.version)
    problems.push(`${file} has version ${apk.info.version}, not ${subject.version}`);
  if (!isApkVersion(apk.info.version)) problems.push(`${file} has a version that apk cannot read`);
  if (apk.info.origin !== subject.package)
    problems.push(`${file} has origin ${apk.info.origin}, not ${subject.package}`);
  const entry = entryProblem(artifact);
  if (entry !== undefined) problems.push(`${file} cannot be in an index: ${entry}`);
  const { arch } = parseTarget(subject.target);
  if (apk.info.arch !== arch) problems.push(`${file} is for ${apk.info.arch}, not ${arch}`);
  return [...problems, ...dataProblems(file, bytes)];
}

/**
 * Reads the data (gzip member, tar, each file's sha1) and refuses in it what the packager would have refused. Of a reading of its
 * own: what one package unpacks to is not held while the next one is looked at.
 */
function dataProblems(file: string, bytes: Uint8Array): string[] {
  try {
    const apk = readApk(bytes);
    const sbom = `var/lib/db/sbom/${apk.info.name}-${apk.info.version}.spdx.json`;
    const entries = apk.entries();
    checkTree(apk.info.name, entries);
    const problems = entries.flatMap(({ path, xattrs = [] }) =>
      xattrs
        .filter((xattr) => !xattr.startsWith('user.'))
        .map((xattr) => `${file}: ${path} has ${xattr}: rights beyond its mode are not allowed`),
    );
    const hasSbom = entries.some((entry) => entry.path === sbom);
    return hasSbom ? problems : [...problems, `${file} has no SBOM at /${sbom}`];
  } catch (error) {
    return [`${file}: ${reportError(error).message}`];
  }
}

/** A package answers to no other name, and takes no other's files, but by its recipe: machines would install it in their place. */
function claimProblems({ apk, file }: ReadPackage, { makes }: GateSubject): string[] {
  const claims = makes.find(({ name }) => name === apk?.info.name)?.claims;
  if (claims === undefined || apk === undefined) return [];
  const { provides, replaces, providerPriority = 0, replacesPriority = 0 } = apk.info;
  const names = provides.filter(
    (provide) => !dependencyName(provide).includes(':') && !claims.provides.includes(provide),
  );
  const taken = replaces.filter((replaced) => !claims.replaces.includes(replaced));
  const first =
    providerPriority === (claims.providerPriority ?? 0) && replacesPriority === (claims.replacesPriority ?? 0);
  return [
    ...names.map((name) => `${file} provides ${name}, which its recipe does not say`),
    ...taken.map((name) => `${file} replaces ${name}, which its recipe does not say`),
    ...(first ? [] : [`${file} has another priority than its recipe says`]),
  ];
}

/** The build is the one that was asked for, and made what its recipe makes. */
function identityProblems({ result, buildKey, target, makes, request, artifacts }: GateSubject): string[] {
  const made = new Set(result.artifacts.map(({ info }) => info.name));
  const asked = new Set(makes.map(({ name }) => name));
  return [
    ...(result.buildKey === buildKey ? [] : [`the result is of build ${result.buildKey}, not of ${buildKey}`]),
    ...(request === undefined || result.request === request
      ? []
      : [`the result is of the request ${result.request}, not of ${request}`]),
    ...(artifacts === undefined || artifactsStamp(result.artifacts) === artifacts
      ? []
      : ['the result is not what it was when it was recorded']),
    ...[...made].filter((name) => !asked.has(name)).map((name) => `${name} is not a package of the recipe`),
    ...[...asked]
      .filter((name) => !made.has(name))
      .map((name) => `${name} is a package of the recipe and was not built`),
    ...result.artifacts
      .filter((artifact) => artifact.target !== target)
      .map((artifact) => `${artifact.info.name} is for ${artifact.target}, not ${target}`),
  ];
}

/** The files are packages, they are those of this build, and every byte in them is accounted for. */
export const wellFormed: Gate = {
  name: 'well-formed',
  check(subject) {
    if (subject.packages.length === 0) return { outcome: 'failed', because: 'the build has no packages' };
    const names = subject.packages.map(({ artifact }) => artifact.info.name);
    const twice = names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is there twice`);
    const problems = [
      ...twice,
      ...identityProblems(subject),
      ...subject.packages.flatMap((one) => [...problemsOf(one, subject), ...claimProblems(one, subject)]),
    ];
    return answer(problems, `${countOf(names.length, 'package')} read back: ${names.join(', ')}`);
  },
};
