import { reportError } from '../../errors.ts';
import { comparePackages } from '../../formats/package-difference.ts';
import { type Difference, differenceText } from '../../model/difference.ts';
import { countOf, type Gate, type GateAnswer, type GateSubject, type SecondBuild } from '../subject.ts';

const sides = { first: 'the first build', second: 'the second build' };
/** How many differences a verdict carries, and how many its sentence names. */
const kept = 20;
const named = 3;

interface Comparison {
  /** What cannot be compared: a package that only one of them made, a file that is gone or is no package. */
  readonly problems: readonly string[];
  readonly differences: readonly Difference[];
}

function compare({ packages }: GateSubject, { result, files }: SecondBuild): Comparison {
  if (result.outcome === 'failed') {
    return {
      problems: [`the second build failed: ${result.failure?.message ?? 'it left no reason'}`],
      differences: [],
    };
  }
  const problems: string[] = [];
  const differences: Difference[] = [];
  const again = new Set(result.artifacts.map(({ info }) => info.name));
  for (const { artifact, file, bytes } of packages) {
    const { name } = artifact.info;
    if (!again.delete(name)) {
      problems.push(`${name} is only in ${sides.first}`);
      continue;
    }
    const other = files.get(file);
    if (bytes === undefined || other === undefined) {
      problems.push(`${file} of ${bytes === undefined ? sides.first : sides.second} is not in staging`);
      continue;
    }
    try {
      differences.push(...comparePackages(name, bytes, other, sides));
    } catch (error) {
      problems.push(`${file} cannot be compared: ${reportError(error).message}`);
    }
  }
  return { problems: [...problems, ...[...again].map((name) => `${name} is only in ${sides.second}`)], differences };
}

/** Who built: two builds of one builder can agree where two machines would not. */
function builders({ result }: GateSubject, second: SecondBuild): string {
  const [one, other] = [result.builder, second.result.builder];
  const { secondsAhead } = second.result;
  const days =
    secondsAhead === undefined ? '' : `, the second time on a clock ${Math.floor(secondsAhead / 86_400)} days ahead`;
  return `${one === other ? `both times by ${one}` : `by ${one} and by ${other}`}${days}`;
}

function saidOf({ problems, differences }: Comparison): string {
  const said = [...problems, ...differences.map(differenceText)];
  const more = said.length > named ? `; and ${said.length - named} more` : '';
  return `${said.slice(0, named).join('; ')}${more}`;
}

/**
 * Built a second time from the same recorded inputs, every package has the same control and data, byte for byte. Waived where it
 * was built once, and, with the policy `report`, where it differs: then the verdict only tells of it.
 */
export const reproducible: Gate = {
  name: 'reproducible',
  check(subject): GateAnswer {
    const { second, packages } = subject;
    if (second === undefined) return { outcome: 'waived', because: 'it was built once' };
    const comparison = compare(subject, second);
    const { problems, differences } = comparison;
    if (problems.length === 0 && differences.length === 0) {
      const count = countOf(packages.length, 'package');
      return { outcome: 'passed', because: `${count} the same, byte for byte; built ${builders(subject, second)}` };
    }
    return {
      outcome: second.difference === 'fail' ? 'failed' : 'waived',
      because: `it is not reproducible (built ${builders(subject, second)}): ${saidOf(comparison)}`,
      ...(differences.length === 0 ? {} : { differences: differences.slice(0, kept) }),
    };
  },
};
