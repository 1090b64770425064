import type { FailureClass } from '../model/build.ts';
import type { Blocker, BlockerKind, PackageState } from '../model/explanation.ts';
import type { PackageFacts } from './facts.ts';
import type { ReportSettings } from './stage.ts';

/** What happens next by itself, and when (ISO 8601) where that is known. */
export interface NextStep {
  readonly text: string;
  readonly at?: string;
}

function later(at: string | undefined, minutes: number): { at?: string } {
  if (at === undefined) return {};
  return { at: new Date(Date.parse(at) + minutes * 60_000).toISOString() };
}

/** Where a package stands as a whole, from the one thing that holds it. */
export function stateOf(kind: BlockerKind, settings: Pick<ReportSettings, 'mergeGreen'>): PackageState {
  switch (kind) {
    case 'nothing':
      return 'current';
    case 'recipe-invalid':
    case 'problem':
    case 'source-failed':
    case 'build-failed':
    case 'gate-failed':
    case 'dependency-failed':
    case 'environment-unsatisfiable':
    case 'build-refused':
      return 'failing';
    case 'updates-disabled':
      return 'unwatched';
    case 'downgrade':
    case 'pinned':
    case 'held':
    case 'cooling-down':
      return 'held';
    case 'manual':
    case 'source-unsupported':
    case 'no-usable-release':
    case 'closed-by-hand':
    case 'loop':
    case 'moved-tag':
    case 'version-lowered':
    case 'withdrawn':
    case 'epoch-not-raised':
      return 'waiting';
    case 'pins-nothing-new':
      return 'current';
    case 'not-observed-yet':
      return 'unknown';
    case 'not-proposed-yet':
      return 'behind';
    case 'not-planned-yet':
    case 'waiting-for-dependency':
    case 'queued':
    case 'building':
    case 'verifying':
    case 'not-published-yet':
      return 'moving';
    case 'waiting-for-merge':
      return settings.mergeGreen ? 'moving' : 'waiting';
  }
}

function failureNext(failure: FailureClass | undefined): string {
  switch (failure) {
    case 'infrastructure':
      return 'the failure was ours, not the package’s: the build is tried again by itself';
    case 'dependency':
      return 'it is built again when the package that it builds with changes';
    case 'upstream':
      return 'the source could not be had as pinned: it is tried again, and a new release replaces this one';
    case 'recipe':
    case 'package':
    case undefined:
      return 'the same inputs fail the same way, so it is built again only when the recipe or its build environment changes';
  }
}

function failureOf(blocker: Blocker, facts: PackageFacts): FailureClass | undefined {
  const failed = facts.builds.find((build) => build.buildKey === blocker.buildKey && build.state === 'failed');
  const failure = failed?.result?.failure;
  // Only who pins a hash can say that another one is right.
  return failure?.code === 'source.hash-mismatch' ? 'recipe' : failure?.class;
}

/** When its source is asked next: its own interval after the last time. One that was never asked is asked in this minute. */
function nextLookOf({ watch, release }: PackageFacts, settings: ReportSettings): { at?: string } {
  if (watch !== undefined) return later(watch.asked, watch.interval / 60);
  return later(release?.observedAt, settings.watchInterval);
}

/** What happens next without anyone doing anything. */
export function nextStep(blocker: Blocker, facts: PackageFacts, settings: ReportSettings): NextStep {
  const nextLook = nextLookOf(facts, settings);
  const soon = `at the next reconcile, within ${settings.reconcileInterval} min`;
  switch (blocker.kind) {
    case 'nothing':
      return { text: 'its source is asked again', ...nextLook };
    case 'recipe-invalid':
      return { text: 'the recipe is read again when it changes on main; every other package goes on' };
    case 'problem':
      return { text: `it is tried again ${soon}` };
    case 'source-failed':
      return { text: 'the source is asked again', ...nextLook };
    case 'updates-disabled':
    case 'source-unsupported':
      return { text: 'nothing: regrow does not look for releases of it' };
    case 'manual':
      return { text: 'its source is asked again; the update itself is a person’s', ...nextLook };
    case 'not-observed-yet':
      return { text: 'its source is asked in the running round' };
    case 'no-usable-release':
    case 'downgrade':
    case 'pinned':
      return { text: 'its source is asked again, and a release that fits is proposed', ...nextLook };
    case 'held':
      return blocker.until === undefined
        ? { text: 'nothing until the hold is taken away' }
        : { text: 'the hold ends by itself and the update is proposed', at: blocker.until };
    case 'cooling-down':
      return {
        text: 'the pause ends by itself and the update is proposed',
        ...(blocker.until === undefined ? {} : { at: blocker.until }),
      };
    case 'closed-by-hand':
      return { text: 'nothing for this version; the next release is proposed again', ...nextLook };
    case 'loop':
      return {
        text: 'nothing for this version: each is proposed once, until a person releases it; the next release is proposed again',
        ...nextLook,
      };
    case 'moved-tag':
      return { text: 'nothing: the same version is never taken from another commit without a person', ...nextLook };
    case 'pins-nothing-new':
      return {
        text: 'nothing: an update would build what is built already; the next release is looked at again',
        ...nextLook,
      };
    case 'not-proposed-yet':
      return { text: `a pull request is opened ${soon}` };
    case 'not-planned-yet':
      return { text: `its builds are planned ${soon}` };
    case 'waiting-for-dependency':
      return { text: 'it is built as soon as what it waits for is there' };
    case 'dependency-failed':
      return { text: 'it is built as soon as the package that it waits for builds' };
    case 'environment-unsatisfiable':
      return { text: 'it is planned again when a package that it asks for is published' };
    case 'build-refused':
      return { text: 'it is planned again when the recipe changes' };
    case 'queued':
      return { text: 'a builder takes it when those before it are done' };
    case 'building':
      return { text: 'its packages are verified when the build ends' };
    case 'build-failed':
      return { text: failureNext(failureOf(blocker, facts)) };
    case 'verifying':
      return { text: 'the publisher runs the gates over its packages' };
    case 'gate-failed':
      return { text: 'what is published stays; it is built again when the recipe or its build environment changes' };
    case 'waiting-for-merge':
      return settings.mergeGreen
        ? { text: `it merges by itself ${soon}, then it is published` }
        : { text: 'it is published as soon as it is merged' };
    case 'not-published-yet':
      return { text: `the publisher signs it and makes the next generation ${soon}` };
    case 'version-lowered':
      return { text: 'nothing: what is published stays until main asks for more than that' };
    case 'withdrawn':
      return { text: 'nothing until main asks for another version; the next update is proposed as ever', ...nextLook };
    case 'epoch-not-raised':
      return { text: 'nothing until the epoch is raised; the next update brings the change along', ...nextLook };
  }
}

/** What the reader can do; empty where nothing is needed. */
export function actionsFor(blocker: Blocker, facts: PackageFacts): string[] {
  const name = facts.package;
  const built = facts.builds.find((build) => build.buildKey === blocker.buildKey)?.package ?? name;
  const logs = `regrow logs ${built}`;
  const problem = facts.problems.flatMap(({ value }) => value.remedy ?? []);
  switch (blocker.kind) {
    case 'nothing':
    case 'not-observed-yet':
    case 'verifying':
    case 'not-planned-yet':
    case 'not-published-yet':
      return [];
    case 'not-proposed-yet':
      return ['`regrow poke` makes the next reconcile happen now'];
    case 'recipe-invalid':
    case 'problem':
    case 'version-lowered':
    case 'withdrawn':
    case 'epoch-not-raised':
      return problem.length > 0 ? problem : ['mend what the message names and push it to main'];
    case 'source-failed':
      return [
        'check the `update:` block of the recipe: a repository that was moved or renamed fails like this',
        `\`regrow poke ${name}\` asks the source again now`,
      ];
    case 'updates-disabled':
      return ['set `update.enabled: true` in the recipe'];
    case 'manual':
      return ['bump it by hand, or take `manual: true` out of its `update:` block'];
    case 'source-unsupported':
      return ['give its `update:` block a source that regrow reads (docs/configuration.md)'];
    case 'no-usable-release':
      return ['check the filters and transforms of its `update:` block against the tags that upstream has'];
    case 'downgrade':
      return ['if upstream went back on purpose, bump the recipe by hand'];
    case 'pinned':
      return ['change or take away its pin: `policy.pin` in the configuration, dev.regrow.pin in the recipe'];
    case 'held':
      return [
        'take the hold away where the answer says it is: `policy.hold`, dev.regrow.hold, or the older pull request',
      ];
    case 'cooling-down':
      return ['wait, or lower the cooldown that the answer names'];
    case 'closed-by-hand':
      return [`reopen the pull request if the update is wanted after all, or \`regrow release ${name}\` for a new one`];
    case 'loop':
      return [`find out why main went back; \`regrow release ${name}\` proposes the version once more`];
    case 'moved-tag':
      return ['ask upstream why the tag moved; when it is right, set the new commit in the recipe and raise its epoch'];
    case 'pins-nothing-new':
      return [`\`regrow release ${name}\` proposes the version all the same`];
    case 'waiting-for-dependency':
    case 'dependency-failed': {
      const on = [...new Set(facts.waits.flatMap((wait) => wait.value.on))];
      return on.map((one) => `\`regrow explain ${one}\` says where that one is`);
    }
    case 'environment-unsatisfiable':
      return ['publish the package that is missing, or take it out of the recipe’s environment'];
    case 'build-refused':
      return ['change the recipe as the message says'];
    case 'queued':
    case 'building':
      return [`\`${logs} --follow\` shows the build as it runs`];
    case 'build-failed':
      return [
        `\`${logs}\` shows the whole log`,
        blocker.proposal === undefined
          ? 'mend the recipe on main'
          : `mend the recipe on the branch of pull request #${blocker.proposal}, or close it to skip this version`,
      ];
    case 'gate-failed':
      return [
        blocker.proposal === undefined
          ? 'mend the recipe on main'
          : `mend the recipe on the branch of pull request #${blocker.proposal}, or close it to skip this version`,
      ];
    case 'waiting-for-merge':
      return blocker.proposal === undefined || facts.proposal === undefined
        ? []
        : [`review and merge ${facts.proposal.url}`];
  }
}
