import { reportError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import { createPackageIndex, growPackageIndex, type PackageIndex, solve } from '../../model/solve.ts';
import { answer, countOf, type Gate } from '../subject.ts';

/** Of each list of published packages: thousands of them take a while, and every build of a request asks the same list. */
const indexes = new WeakMap<readonly Artifact[], PackageIndex>();

/** What would be published. A package that is there already under the same version gives way to the one that is added. */
function indexWith(published: readonly Artifact[], added: readonly Artifact[]): PackageIndex {
  const label = ({ info }: Artifact) => `${info.name}=${info.version}`;
  const isAdded = new Set(added.map(label));
  const others = published.filter((one) => !isAdded.has(label(one)));
  if (others.length < published.length) return createPackageIndex([...others, ...added]);
  const known = indexes.get(published) ?? createPackageIndex(published);
  indexes.set(published, known);
  const index = growPackageIndex(known);
  index.add(added);
  return index;
}

/** Each new package can be installed from what would be published, at exactly this version. */
export const installable: Gate = {
  name: 'installable',
  check({ published, together, result }) {
    const added = [...result.artifacts, ...together];
    const problems: string[] = [];
    try {
      const index = indexWith(published, added);
      for (const { info } of result.artifacts) {
        try {
          solve(index, [`${info.name}=${info.version}`]);
        } catch (error) {
          problems.push(`${info.name} ${info.version} cannot be installed: ${reportError(error).message}`);
        }
      }
    } catch (error) {
      problems.push(reportError(error).message);
    }
    return answer(problems, `${countOf(result.artifacts.length, 'package')} can be installed with all they depend on`);
  },
};
