import type { WatchFailure } from '../../model/observation.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import type { Releases } from '../../ports/releases.ts';
import { failureOf, rethrowUnlessAboutSource } from '../failure.ts';
import type { ListOutcome } from '../github/agenda.ts';
import { askRepositories, patience } from '../github/pass.ts';
import { keyOf, placeOf } from '../github/place.ts';
import { answerOf, type SourceAnswer } from '../observe.ts';
import type { PollAnswer, PollRequest, ReleaseSource, TellAnswer, WatchPorts } from '../source.ts';

/** A repository that is checked out, an archive of a tag, a file of a release. */
const addressForm =
  /^https:\/\/(?:github\.com|codeload\.github\.com(?=\/[^/]+\/[^/]+\/(?:tar\.gz|zip)\/))\/([\w.-]+\/[\w.-]+?)(?:\.git)?(?:\/(archive|releases\/download|tar\.gz|zip)\/[^]*)?$/;

/**
 * `update.github`: releases, or tags with `use-tag`. Keys: `github:OWNER/REPO/releases`, `github:OWNER/REPO/tags`. Many are one
 * question where GitHub takes such, which it does with a token.
 */
export const githubSource: ReleaseSource = {
  kind: 'github',

  key(recipe: Recipe) {
    const github = recipe.update?.github;
    return github && keyOf(github.identifier, github['use-tag'] === true ? 'tags' : 'releases');
  },

  annotated(identifier) {
    return keyOf(identifier, 'tags');
  },

  inferred(address) {
    const [, repository = '', of] = addressForm.exec(address) ?? [];
    return keyOf(repository, of === 'releases/download' ? 'releases' : 'tags');
  },

  async poll(request, ports) {
    const { repositories } = ports.releases;
    if (repositories === undefined) return pollPages(request, ports, ports.releases);
    let answer: SourceAnswer | undefined;
    await askRepositories([request], repositories, request.signal, async (_, outcome) => {
      answer = answerOfList(request, ports, outcome);
    });
    return answer ?? { kind: 'unchanged' };
  },

  async pollMany(requests, ports, tell) {
    const { repositories } = ports.releases;
    const tellFailure = (request: PollRequest, thrown: unknown): Promise<void> =>
      tell(request, { kind: 'failed', failure: failureOf(request.source, thrown, ports.clock.now()) });
    if (repositories === undefined) return pollEach(requests, ports, tell);
    const known: PollRequest[] = [];
    for (const request of requests) {
      try {
        placeOf(request.source);
        known.push(request);
      } catch (thrown) {
        await tellFailure(request, thrown);
      }
    }
    const signal = requests.find((request) => request.signal !== undefined)?.signal;
    await askRepositories(known, repositories, signal, async (request, outcome) => {
      if (outcome.kind === 'failed') await tellFailure(request, outcome.error);
      else await tell(request, answerOfList(request, ports, outcome));
    });
  },
};

/** Throws the failure of the list. */
function answerOfList(request: PollRequest, ports: WatchPorts, outcome: ListOutcome): SourceAnswer {
  if (outcome.kind === 'failed') throw outcome.error;
  return answerOf(request, ports, outcome);
}

/** One after the other; a host that answers none of so many in a row is not asked for the rest. */
async function pollEach(requests: readonly PollRequest[], ports: WatchPorts, tell: TellAnswer): Promise<void> {
  let unanswered: WatchFailure[] = [];
  for (const request of requests) {
    const last = unanswered.length >= patience ? unanswered.at(-1) : undefined;
    const answer: PollAnswer =
      last === undefined
        ? await pollAlone(request, ports)
        : { kind: 'failed', failure: { ...last, source: request.source } };
    const isUnanswered = answer.kind === 'failed' && answer.failure.code === 'upstream.unreachable';
    unanswered = isUnanswered ? [...unanswered.slice(1 - patience), answer.failure] : [];
    await tell(request, answer);
  }
}

async function pollAlone(request: PollRequest, ports: WatchPorts): Promise<PollAnswer> {
  try {
    return await pollPages(request, ports, ports.releases);
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    return { kind: 'failed', failure: failureOf(request.source, thrown, ports.clock.now()) };
  }
}

/** By conditional requests: what GitHub takes from anyone. */
async function pollPages(request: PollRequest, ports: WatchPorts, releases: Releases): Promise<SourceAnswer> {
  const { source, cursor, signal } = request;
  const { list, owner, repository } = placeOf(source);
  const answer = await releases[list]({
    owner,
    repository,
    ...(cursor === undefined ? {} : { cursor }),
    ...(signal === undefined ? {} : { signal }),
  });
  return answer.kind === 'unchanged' ? answer : answerOf(request, ports, { tags: answer.tags, etag: answer.cursor });
}
