import type { BuildFailure } from '../model/build.ts';
import type { CommitStatus, Forge } from '../ports/forge.ts';
import { type BuildLine, buildsTable, withBuilds } from './body.ts';
import { code, codeBlock, link, plain } from './markdown.ts';

/** How one build of a proposal is going. */
export interface BuildReport extends BuildLine {
  readonly failure?: BuildFailure | undefined;
}

/** The one status that says whether the whole proposal may be merged. */
export const overallContext = 'regrow';

const states: Readonly<Record<BuildLine['state'], CommitStatus['state']>> = {
  waiting: 'pending',
  running: 'pending',
  passed: 'success',
  failed: 'failure',
};

/** The builds of one proposal at one commit. */
export interface BuildsReport {
  /** Number and branch of the proposal, and the commit that was built. */
  readonly number: number;
  readonly branch: string;
  readonly commit: string;
  /** All of them, for the body. */
  readonly builds: readonly BuildReport[];
  /** Those of which the forge does not know yet. */
  readonly news: readonly BuildReport[];
}

/**
 * Shows builds on their pull request: of each that has news a status on the commit and, where it failed, one comment with the
 * end of the log; of all of them together one table in the body, written once. Said again, it changes nothing.
 */
export async function reportBuilds(ports: { readonly forge: Forge }, report: BuildsReport): Promise<void> {
  const { forge } = ports;
  const { number, branch, commit, builds, news } = report;
  for (const build of news) {
    const { package: name, target, state, text, url } = build;
    await forge.setStatus(commit, {
      context: `${overallContext}/${name}/${target}`,
      state: states[state],
      description: text,
      ...(url === undefined ? {} : { url }),
    });
    if (state === 'failed') await forge.comment(number, `build/${name}/${target}`, failureText(commit, build));
  }
  const open = await forge.find(branch);
  if (open === undefined || open.number !== number || open.head !== commit) return;
  const body = withBuilds(open.body, buildsTable(builds));
  if (body === undefined || body.trimEnd() === open.body.replaceAll('\r\n', '\n').trimEnd()) return;
  await forge.update(number, { body });
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

function failureText(commit: string, { package: name, target, text, url, failure }: BuildReport): string {
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
