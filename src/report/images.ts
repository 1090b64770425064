import { splitEpoch } from '../model/apk-version.ts';
import type { Evidence } from '../model/decision.ts';
import type { Explanation } from '../model/explanation.ts';
import type { Finding } from '../model/finding.ts';
import type { Problem } from '../model/plan.ts';
import type { ImageCatalogue, ImagePublication } from '../model/publication.ts';
import type { ImageRow } from '../model/status.ts';
import type { FactPorts, Standing } from './facts.ts';
import type { ReportSettings } from './stage.ts';

type ImageProblem = Standing<Problem>;

/** A problem of a definition is one of all its tags. */
function concerns({ value }: ImageProblem, ref: string): boolean {
  return value.name === ref || value.name === nameOf(ref);
}

function nameOf(ref: string): string {
  return ref.split(':')[0] ?? ref;
}

/** Problems whose image is not published under any tag: they are rows of their own. */
function unpublished(catalogue: ImageCatalogue, problems: readonly ImageProblem[]): readonly ImageProblem[] {
  return problems.filter((problem) => !catalogue.images.some(({ ref }) => concerns(problem, ref)));
}

/** Ids of the vulnerabilities known when it was made, and of those found since in the versions that it holds. */
function vulnerabilitiesOf(image: ImagePublication, findings: readonly Finding[]): string[] {
  const open = new Map<string, string[]>();
  for (const finding of findings) {
    const key = `${finding.package} ${finding.version}`;
    open.set(key, [...(open.get(key) ?? []), finding.advisory]);
  }
  const known = image.platforms
    .flatMap((platform) => platform.packages)
    .flatMap(({ origin, version }) => open.get(`${origin} ${splitEpoch(version).version}`) ?? []);
  return [...new Set([...image.vulnerabilities, ...known])].sort();
}

/** Images by ref: what is published, each with what is wrong with it, and what could not be published. */
export function imageRows(
  catalogue: ImageCatalogue,
  findings: readonly Finding[],
  problems: readonly ImageProblem[],
): ImageRow[] {
  const rows = catalogue.images.map((image): ImageRow => {
    const problem = problems.find((one) => concerns(one, image.ref))?.value.message;
    return {
      ref: image.ref,
      state: problem === undefined ? 'current' : 'failing',
      ...(problem === undefined ? {} : { problem }),
      digest: image.digest,
      generation: image.generation,
      at: image.at,
      targets: image.platforms.map((platform) => platform.target),
      packages: new Set(image.platforms.flatMap((platform) => platform.packages.map((one) => one.name))).size,
      vulnerabilities: vulnerabilitiesOf(image, findings),
      output: image.platforms[0]?.output ?? '',
    };
  });
  const missing = unpublished(catalogue, problems).map(
    ({ value, at }): ImageRow => ({
      ref: value.name,
      state: 'failing',
      problem: value.message,
      at,
      targets: [],
      packages: 0,
      vulnerabilities: [],
      output: '',
    }),
  );
  return [...rows, ...missing].sort((a, b) => (a.ref < b.ref ? -1 : 1));
}

/**
 * Why an image is where it is, by `NAME:TAG` or, where the name is all that is known, by its name; undefined where there is no
 * such image. `now`: ISO 8601.
 */
export async function explainImage(
  { ledger, repository }: Pick<FactPorts, 'ledger' | 'repository'>,
  settings: Pick<ReportSettings, 'reconcileInterval'>,
  name: string,
  now: string,
): Promise<Explanation | undefined> {
  const [catalogue, rows, findings, known] = await Promise.all([
    repository.images(),
    ledger.list('problem'),
    ledger.list('finding'),
    ledger.list('image'),
  ]);
  const images = catalogue.images.filter(({ ref }) => ref === name || nameOf(ref) === name);
  const problem = rows.find(
    (one) => one.value.area === 'image' && (concerns(one, name) || nameOf(one.value.name) === name),
  );
  if (images.length === 0 && problem === undefined) return undefined;
  const published = images.map(({ ref, generation }) => `${ref} is published from generation ${generation}`);
  const state = published.length === 0 ? `${name} is not published` : published.join(' and ');
  const shared = { package: name, at: now, vulnerabilities: [], builds: [] };
  const versions = { published: images.flatMap(versionsOf) };
  const evidence = images.flatMap((image) =>
    evidenceOf(
      image,
      vulnerabilitiesOf(
        image,
        findings.map((one) => one.value),
      ),
      known.find(({ value }) => value.ref === image.ref && value.digest === image.digest)?.value.pushed ?? [],
    ),
  );
  if (problem === undefined) {
    const text = 'it has the newest packages that are published';
    return {
      ...shared,
      state: 'current',
      answer: `${state}: ${text}`,
      blocker: { kind: 'nothing', text, tail: [] },
      versions,
      evidence,
      next: { text: 'it is made again when its definition or its packages change' },
      actions: [],
    };
  }
  const { message, code, remedy, file } = problem.value;
  return {
    ...shared,
    state: 'failing',
    answer: `${state}: ${message}`,
    blocker: { kind: 'problem', text: message, code, since: problem.at, tail: [] },
    versions,
    evidence: [...evidence, { fact: `${code}: ${message}`, source: file ?? 'image', at: problem.at }],
    next: { text: `it is tried again at the next reconcile, within ${settings.reconcileInterval} min` },
    actions: [
      ...(remedy === undefined ? [] : [remedy]),
      ...(file === undefined || !isOfDefinition(code) ? [] : [`mend ${file} and push it to main`]),
      ...(remedy !== undefined || isOfDefinition(code) ? [] : [`see ${code} in docs/errors.md`]),
    ],
  };
}

/** Whether what is wrong can be what the definition says; not what a registry, Sigstore or this machine lacks. */
function isOfDefinition(code: string): boolean {
  return /^(?:image|recipe|solve)\./.test(code);
}

function versionsOf({ generation, platforms }: ImagePublication): Explanation['versions']['published'] {
  return platforms.map(({ target, packages }) => ({
    target,
    version: `generation ${generation}`,
    packages: packages.map((one) => one.name),
  }));
}

function evidenceOf(
  { ref, digest, at, platforms }: ImagePublication,
  vulnerabilities: readonly string[],
  pushed: NonNullable<ImagePublication['pushed']>,
): readonly Evidence[] {
  const output = platforms[0]?.output.trim() ?? '';
  return [
    { fact: `${ref} is ${digest}`, source: 'repository', at },
    ...pushed.map((one) => ({ fact: `it was pushed to ${one.to}`, source: 'registry', at: one.at })),
    ...(output === '' ? [] : [{ fact: `when it was run it printed: ${output}`, source: 'repository', at }]),
    ...(vulnerabilities.length === 0
      ? []
      : [{ fact: `known vulnerabilities: ${vulnerabilities.join(', ')}`, source: 'advisories' }]),
  ];
}
