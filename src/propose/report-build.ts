import type { BuildFailure } from '../model/build.ts';
import type { CommitStatus, Forge } from '../ports/forge.ts';
import { type BuildLine, parseBody, printBody } from './body.ts';
import { code, codeBlock, link, plain } from './markdown.ts';

/** How one build of a proposal is going. */
export interface BuildReport {
  /** Number and branch of the proposal, and the commit that was built. */
  readonly number: number;
  readonly branch: string;
  readonly commit: string;
  readonly package: string;
  readonly target: string;
  readonly state: BuildLine['state'];
  /** One sentence. */
  readonly text: string;
  /** Where the log can be read. */
  readonly url?: string;
  readonly failure?: BuildFailure;
}

/** The one status that says whether the whole proposal may be merged. */
export const overallContext = 'regrow';

const states: Readonly<Record<BuildLine['state'], CommitStatus['state']>> = {
  waiting: 'pending',
  running: 'pending',
  passed: 'success',
  failed: 'failure',
};

/**
 * Shows a build on its pull request: a status on the commit, its line in the body, and, where it failed, one comment with the
 * end of the log. Said again, it changes nothing.
 */
export async function reportBuild(ports: { readonly forge: Forge }, report: BuildReport): Promise<void> {
  const { forge } = ports;
  const { package: name, target, state, text, url } = report;
  await forge.setStatus(report.commit, {
    context: `${overallContext}/${name}/${target}`,
    state: states[state],
    description: text,
    ...(url === undefined ? {} : { url }),
  });
  const open = await forge.find(report.branch);
  const data = open === undefined || open.number !== report.number ? undefined : parseBody(open.body);
  if (open !== undefined && data !== undefined && open.head === report.commit) {
    const line = { package: name, target, state, text, ...(url === undefined ? {} : { url }) };
    const builds = data.builds.filter((other) => other.package !== name || other.target !== target);
    const sorted = [...builds, line].sort((a, b) => compare(`${a.package} ${a.target}`, `${b.package} ${b.target}`));
    const body = printBody({ ...data, builds: sorted });
    if (body.trimEnd() !== open.body.replaceAll('\r\n', '\n').trimEnd()) await forge.update(open.number, { body });
  }
  if (state === 'failed') await forge.comment(report.number, `build/${name}/${target}`, failureText(report));
}

/** Sets the status that merging waits for. */
export async function reportProposal(
  ports: { readonly forge: Pick<Forge, 'setStatus'> },
  commit: string,
  state: CommitStatus['state'],
  description: string,
  url?: string,
): Promise<void> {
  await ports.forge.setStatus(commit, {
    context: overallContext,
    state,
    description,
    ...(url === undefined ? {} : { url }),
  });
}

function failureText({ package: name, target, commit, text, url, failure }: BuildReport): string {
  const step = failure?.step === undefined ? '' : ` in step ${code(failure.step)}`;
  const parts = [
    `**${plain(name)}** failed to build for ${plain(target)}${step} at ${commit}: ${plain(text)}`,
    failure === undefined ? '' : `${code(failure.code)} (${failure.class}): ${plain(failure.message)}`,
    failure === undefined || failure.tail.length === 0 ? '' : `The end of the log:\n\n${codeBlock(failure.tail)}`,
    url === undefined ? '' : link('The whole log', url),
    'The packages that are published stay as they are. Push to this branch to take it over, or close the pull request to skip the version.',
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
