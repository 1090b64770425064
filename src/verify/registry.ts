import { datahash } from './gates/datahash.ts';
import { installable } from './gates/installable.ts';
import { noDanglingSo } from './gates/no-dangling-so.ts';
import { noNewVulnerability } from './gates/no-new-vulnerability.ts';
import { recipeTests } from './gates/recipe-tests.ts';
import { reproducible } from './gates/reproducible.ts';
import { wellFormed } from './gates/well-formed.ts';
import type { Gate } from './subject.ts';

/** Every gate, in the order in which a verdict lists them. The file `gates/NAME.ts` has the gate NAME. */
export const gates: readonly Gate[] = [
  wellFormed,
  datahash,
  recipeTests,
  noNewVulnerability,
  noDanglingSo,
  installable,
  reproducible,
];

/** Raised whenever a gate is added, taken away, or judges otherwise: verdicts of an older set are made again. */
export const gateSetVersion = 4;
