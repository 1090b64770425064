import { existsSync } from 'node:fs';
import { createExec } from '../adapters/exec.ts';
import { createGit } from '../adapters/git.ts';
import { openLedger } from '../adapters/ledger.ts';
import { createMemoryQuota } from '../adapters/memory-quota.ts';
import { type LoadedConfig, secretValues } from '../config/load.ts';
import { type ErrorReport, RegrowError, reportError } from '../errors.ts';
import { createLogger } from '../log.ts';
import type { ReleaseObservation, SourceChoice, WatchFailure } from '../model/observation.ts';
import type { Proposal } from '../model/proposal.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { Clock } from '../ports/clock.ts';
import { watchedSources } from '../roles/conductor/watched-sources.ts';
import { enoughFor } from '../roles/enough.ts';
import { openWatchPorts, statePaths } from '../roles/parts.ts';
import { chooseSource } from '../watch/choice.ts';
import { pollSources } from '../watch/poll.ts';
import type { RecipeSet } from './check-recipes.ts';
import type { Output } from './output.ts';

/** Of one recipe: its source, and what that said; or why the source is not known. */
export type SourceAnswer =
  | {
      readonly source: SourceChoice | undefined;
      readonly observation?: ReleaseObservation | undefined;
      readonly failure?: WatchFailure | undefined;
    }
  | ErrorReport;

interface Asking {
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Somebody waits for few answers: the part of the limits that is kept back is for that. */
  readonly urgent: boolean;
}

/** Asks every source that the recipes watch, each once, with the configured tokens and limits. When it is stopped, what was told before counts. */
export async function askSources(
  { recipes }: RecipeSet,
  { config, secrets }: LoadedConfig,
  { output, signal, clock, urgent }: Asking,
): Promise<(recipe: Recipe) => SourceAnswer> {
  const log = createLogger({
    level: 'warn',
    secrets: secretValues(secrets),
    write: (line) => output.note(messageOf(line)),
  });
  const exec = createExec();
  const git = createGit({ exec, rewrite: config.sources.rewrite, allowPrivate: config.network.allowPrivate });
  const ports = openWatchPorts({ config, git, clock, log, quota: createMemoryQuota() }, secrets);
  const sources = watchedSources({ recipes }, config.policy);
  const observations = new Map<string, ReleaseObservation>();
  const failures = new Map<string, WatchFailure>();
  let answered = 0;
  const tellProgress = () => output.progress(`${answered} of ${sources.size} upstreams asked`);
  tellProgress();
  const requests = [...sources.values()].map(({ source, watchers }) => ({
    source,
    signal,
    urgent,
    enough: enoughFor(source, watchers),
  }));
  try {
    const unasked = await pollSources(requests, ports, async ({ source }, answer) => {
      answered += 1;
      tellProgress();
      if (answer.kind === 'observed') observations.set(source, answer.observation);
      if (answer.kind === 'failed') failures.set(source, answer.failure);
    });
    for (const source of unasked.sources) failures.set(source, limited(source, unasked.retryAfter, clock.now()));
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    output.note(`stopped: ${sources.size - answered} of ${sources.size} upstreams were not asked`);
  }
  return (recipe) => {
    try {
      const source = chooseSource(recipe);
      if (source === undefined) return { source };
      return { source, observation: observations.get(source.key), failure: failures.get(source.key) };
    } catch (thrown) {
      if (thrown instanceof RegrowError) return reportError(thrown);
      throw thrown;
    }
  };
}

function limited(source: string, retryAfter: number | undefined, now: Date): WatchFailure {
  const when = retryAfter === undefined ? 'for a while' : `for ${retryAfter} s`;
  return {
    kind: 'failure',
    source,
    code: 'upstream.rate-limited',
    message: `its host wants to be left alone ${when}`,
    observedAt: now.toISOString(),
  };
}

/** What a warning says, of a line of the log. */
function messageOf(line: string): string {
  const value: unknown = JSON.parse(line);
  return typeof value === 'object' && value !== null && 'msg' in value ? String(value.msg) : line;
}

/** Proposals by package, as the daemon of this state directory knows them; undefined where there is none. */
export async function knownProposals({
  config,
}: LoadedConfig): Promise<((name: string) => readonly Proposal[]) | undefined> {
  const { ledger: file } = statePaths(config);
  if (!existsSync(file)) return undefined;
  const ledger = openLedger({ file, readonly: true });
  try {
    const proposals = new Map<string, Proposal[]>();
    for (const { value } of await ledger.list('proposal')) {
      proposals.set(value.package, [...(proposals.get(value.package) ?? []), value]);
    }
    return (name) => proposals.get(name) ?? [];
  } finally {
    await ledger.close();
  }
}
