import type { Evidence } from '../model/decision.ts';
import { differenceText } from '../model/difference.ts';
import type { Blocker, Explanation, Vulnerability } from '../model/explanation.ts';
import type { Finding } from '../model/finding.ts';
import { parseTarget } from '../model/target.ts';
import { latestBuilds, newestFirst, summariseBuild } from './builds.ts';
import { type FactPorts, gatherFacts, type PackageFacts, type PublishedOrigin } from './facts.ts';
import { explainImage } from './images.ts';
import { generationTargets } from './repository.ts';
import { actionsFor, type NextStep, nextStep, stateOf } from './sentences.ts';
import { findBlocker, gitVersion, type ReportSettings } from './stage.ts';

/** Most builds that one answer lists. */
const buildsShown = 20;

function publishedText(facts: PackageFacts): string {
  const versions = [...new Set(facts.published.map((one) => one.version))];
  if (versions.length === 0) return 'is not published';
  if (versions.length === 1) return `is published at ${versions[0]}`;
  return `is published at ${facts.published.map((one) => `${one.version} (${one.target})`).join(' and ')}`;
}

function answerOf(facts: PackageFacts, blocker: Blocker): string {
  const published = `${facts.package} ${publishedText(facts)}`;
  const wanted = facts.proposal?.changes.find((change) => change.package === facts.package)?.to;
  const to = facts.decision?.value.action === 'bump' ? facts.decision.value.to : undefined;
  if (blocker.kind === 'nothing') return `${published}, and that is the newest: ${blocker.text}`;
  if (wanted !== undefined) return `${published}; ${wanted} is on its way: ${blocker.text}`;
  if (to !== undefined) return `${published}; ${to.version}-r${to.epoch} is wanted: ${blocker.text}`;
  return `${published}: ${blocker.text}`;
}

/** Where the signed account of a package's build is, of the first package as a pattern for the others. */
function provenanceOf({ target, version, attested }: PublishedOrigin): Evidence[] {
  const [name] = attested;
  if (name === undefined) return [];
  const { arch, libc } = parseTarget(target);
  const path = `/repository/${libc}/${arch}/${name}-${version}.apk.intoto.jsonl`;
  return [{ fact: `what it was built from is signed: ${attested.join(', ')}`, source: path }];
}

/** What came of building it a second time: of the newest build for each target that was. */
function repeatedOf(facts: PackageFacts): Evidence[] {
  return latestBuilds(facts.builds.filter((build) => build.package === facts.package)).flatMap((build) => {
    const verdict = facts.verdicts.get(build.buildKey);
    const gate = verdict?.gates.find((one) => one.gate === 'reproducible');
    if (verdict?.rebuild === undefined || gate === undefined) return [];
    const said = [gate.because, ...(gate.differences ?? []).map(differenceText)];
    return said.map((fact) => ({
      fact: `${build.version} for ${build.target}: ${fact}`,
      source: 'verify',
      at: verdict.at,
    }));
  });
}

function evidenceOf(facts: PackageFacts): Evidence[] {
  const evidence: Evidence[] = [];
  const git = gitVersion(facts.decision?.value);
  if (git !== undefined) evidence.push({ fact: `main asks for ${git}`, source: 'git' });
  for (const one of facts.published) {
    evidence.push({ fact: `${one.target} has ${one.version}: ${one.packages.join(', ')}`, source: 'repository' });
    evidence.push(...provenanceOf(one));
  }
  evidence.push(...repeatedOf(facts));
  if (facts.decision !== undefined) {
    evidence.push(...facts.decision.value.evidence);
    const { action, because } = facts.decision.value;
    evidence.push({
      fact: `decided to ${action === 'current' ? 'leave it' : action}: ${because}`,
      source: 'decide',
      at: facts.decision.at,
    });
  }
  if (facts.release !== undefined) {
    const newest = facts.release.tags[0];
    evidence.push({
      fact: newest === undefined ? 'upstream has no release' : `upstream’s newest tag is ${newest.tag}`,
      source: facts.release.source,
      at: facts.release.observedAt,
    });
    if (facts.watch?.asked !== undefined) {
      evidence.push({ fact: 'it was last asked', source: facts.release.source, at: facts.watch.asked });
    }
  }
  if (facts.failure !== undefined) {
    const { source, code, message, observedAt } = facts.failure;
    evidence.push({ fact: `${code}: ${message}`, source, at: observedAt });
  }
  if (facts.proposal !== undefined) {
    const { number, title, url, openedAt } = facts.proposal;
    evidence.push({ fact: `pull request #${number} “${title}” is open`, source: url, at: openedAt });
  }
  for (const wait of facts.waits) {
    evidence.push({ fact: `waits on ${wait.value.target}: ${wait.value.because}`, source: 'plan', at: wait.at });
  }
  for (const { value, at } of facts.problems) {
    evidence.push({ fact: `${value.code}: ${value.message}`, source: value.file ?? value.area, at });
  }
  return evidence;
}

/** How a finding goes away, as far as it is known. */
function remedyOf(finding: Finding, facts: PackageFacts): string {
  const ids = [finding.advisory, ...finding.aliases];
  const { proposal, decision } = facts;
  if (proposal?.fixes.some((id) => ids.includes(id)) === true) {
    return `${proposal.version} fixes it: pull request #${proposal.number}`;
  }
  const to = decision?.value.to;
  if (to !== undefined && decision?.value.fixes.some((id) => ids.includes(id)) === true) {
    return `${to.version} fixes it and is about to be proposed`;
  }
  if (finding.fixedIn.length === 0) return 'no release fixes it yet';
  return `fixed upstream in ${finding.fixedIn.join(', ')}`;
}

export function vulnerabilitiesOf(facts: PackageFacts): Vulnerability[] {
  return facts.findings.map((finding) => ({
    advisory: finding.advisory,
    aliases: finding.aliases,
    component: finding.component,
    version: finding.version,
    fixedIn: finding.fixedIn,
    ...(finding.summary === undefined ? {} : { summary: finding.summary }),
    remedy: remedyOf(finding, facts),
  }));
}

/** What upstream offers: the version decided for, else the newest tag as it stands. */
function upstreamOf(facts: PackageFacts): { version: string; source: string; at?: string } | undefined {
  const seen = facts.watch?.asked ?? facts.release?.observedAt;
  const at = seen === undefined ? {} : { at: seen };
  const to = facts.decision?.value.to;
  if (to !== undefined) return { version: to.version, source: to.source, ...at };
  if (facts.decision?.value.reason === 'up-to-date' && facts.release !== undefined) {
    return { version: facts.decision.value.from.version, source: facts.release.source, ...at };
  }
  const newest = facts.release?.tags[0];
  if (facts.release === undefined || newest === undefined) return undefined;
  return { version: newest.tag, source: facts.release.source, ...at };
}

/** What is overdue comes next, not in the past: a source that its host lets wait, a daemon that was away. */
function notBefore(now: string, next: NextStep): NextStep {
  return next.at !== undefined && next.at < now ? { ...next, at: now } : next;
}

/** One answer to "why is this package where it is?". `now`: ISO 8601. */
export function explain(facts: PackageFacts, settings: ReportSettings, now: string): Explanation {
  const blocker = findBlocker(facts, settings);
  const git = gitVersion(facts.decision?.value);
  const upstream = upstreamOf(facts);
  const { proposal } = facts;
  const proposed = proposal?.changes.find((change) => change.package === facts.package)?.to ?? proposal?.version;
  return {
    package: facts.package,
    at: now,
    state: stateOf(blocker.kind, settings),
    answer: answerOf(facts, blocker),
    blocker,
    versions: {
      ...(git === undefined ? {} : { git }),
      ...(upstream === undefined ? {} : { upstream }),
      ...(proposal === undefined || proposed === undefined
        ? {}
        : { proposal: { version: proposed, number: proposal.number, url: proposal.url } }),
      published: facts.published.map(({ target, version, packages }) => ({ target, version, packages: [...packages] })),
    },
    evidence: evidenceOf(facts),
    next: notBefore(now, nextStep(blocker, facts, settings)),
    actions: actionsFor(blocker, facts),
    vulnerabilities: vulnerabilitiesOf(facts),
    builds: newestFirst(facts.builds)
      .slice(0, buildsShown)
      .map((build) => summariseBuild(build, facts.verdicts, facts.jobs)),
  };
}

/** The same of a package by its name, else of an image by its name or `NAME:TAG`; undefined where there is neither. */
export async function explainName(
  ports: FactPorts,
  settings: ReportSettings,
  name: string,
  now: string,
): Promise<Explanation | undefined> {
  const facts = await gatherFacts(ports, name);
  if (facts !== undefined) return explain(facts, settings, now);
  const image = await explainImage(ports, settings, name, now);
  if (image !== undefined) return image;
  const origin = await originOf(ports.repository, name);
  const parent = origin === undefined ? undefined : await gatherFacts(ports, origin);
  return parent === undefined ? undefined : explain(parent, settings, now);
}

/** The recipe that a published package is made by. */
async function originOf(repository: FactPorts['repository'], name: string): Promise<string | undefined> {
  const current = await repository.current();
  if (current === undefined) return undefined;
  for (const target of generationTargets(current)) {
    const found = (await repository.packages(current, target)).find(({ info }) => info.name === name);
    if (found !== undefined) return found.info.origin;
  }
  return undefined;
}
