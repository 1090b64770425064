import { sha256 } from '../../model/canonical.ts';
import { answer, type Gate } from '../subject.ts';

/** The data of each package is what its signed part vouches for: sha256 of the data member against `.PKGINFO` and the result. */
export const datahash: Gate = {
  name: 'datahash',
  check({ packages }) {
    const problems = packages.flatMap(({ artifact, apk, problem }) => {
      const { name, datahash: expected } = artifact.info;
      if (apk === undefined) return [`${name}: ${problem}`];
      const actual = sha256(apk.data);
      return actual === expected && apk.info.datahash === expected
        ? []
        : [`${name} has data ${actual}, not ${expected}`];
    });
    return answer(
      problems,
      packages.map(({ artifact }) => `${artifact.info.name} ${artifact.info.datahash}`).join(', '),
    );
  },
};
