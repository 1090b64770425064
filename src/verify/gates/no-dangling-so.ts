import { dependencyName, newestPackages, newlyDangling } from '../../model/package-set.ts';
import { answer, type Gate } from '../subject.ts';

/** No newest package would be left without a shared object that it had, and no new one is without one it needs. */
export const noDanglingSo: Gate = {
  name: 'no-dangling-so',
  check({ published, together, result }) {
    const added = [...result.artifacts, ...together];
    const before = newestPackages(published);
    const problems = newlyDangling(published, added).map(({ artifact, sharedObject }) => {
      const { name, version } = artifact.info;
      const provider = before.find((one) =>
        one.info.provides.some((provide) => dependencyName(provide) === sharedObject),
      );
      if (provider === undefined) return `${name} ${version} needs ${sharedObject}, which nothing provides`;
      const { name: from, version: at } = provider.info;
      return `${name} ${version} needs ${sharedObject}, which ${from} ${at} provides now and nothing would any more`;
    });
    return answer(problems, 'every shared object that is needed is provided');
  },
};
