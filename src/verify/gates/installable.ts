import { reportError } from '../../errors.ts';
import { createPackageIndex, solve } from '../../model/solve.ts';
import { answer, countOf, type Gate } from '../subject.ts';

/** Each new package can be installed from what would be published, at exactly this version. */
export const installable: Gate = {
  name: 'installable',
  check({ published, together, result }) {
    const added = [...result.artifacts, ...together];
    const isAdded = new Set(added.map(({ info }) => `${info.name}=${info.version}`));
    const others = published.filter(({ info }) => !isAdded.has(`${info.name}=${info.version}`));
    const index = createPackageIndex([...others, ...added]);
    const problems = result.artifacts.flatMap(({ info }) => {
      try {
        solve(index, [`${info.name}=${info.version}`]);
        return [];
      } catch (error) {
        return [`${info.name} ${info.version} cannot be installed: ${reportError(error).message}`];
      }
    });
    return answer(problems, `${countOf(result.artifacts.length, 'package')} can be installed with all they depend on`);
  },
};
