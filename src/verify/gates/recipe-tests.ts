import { answer, type Gate } from '../subject.ts';

/**
 * The recipe's own `test:` pipelines passed, with the built packages installed: each that the recipe has, not only those that
 * the builder tells of. Waived where the recipe has none.
 */
export const recipeTests: Gate = {
  name: 'recipe-tests',
  check({ result, makes }) {
    const known = new Set(result.artifacts.map((artifact) => artifact.info.name));
    const strangers = result.tests.filter((test) => !known.has(test.package));
    const failed = result.tests.filter((test) => test.outcome === 'failed');
    const passed = result.tests.filter((test) => test.outcome === 'passed').map((test) => test.package);
    const silent = makes.filter(
      ({ name, tested }) => tested && !passed.includes(name) && !failed.some((test) => test.package === name),
    );
    const problems = [
      ...strangers.map((test) => `${test.package} was tested and is not in the build`),
      ...failed.map(({ package: name, failure }) => `${name}: ${failure?.message ?? 'its test failed'}`),
      ...silent.map(({ name }) => `${name} has a test in the recipe, and the builder says nothing of it`),
    ];
    if (result.outcome !== 'passed') problems.push(result.failure?.message ?? 'the build failed');
    if (problems.length === 0 && passed.length === 0) return { outcome: 'waived', because: 'the recipe has no tests' };
    return answer(problems, `the tests of ${passed.join(', ')} passed`);
  },
};
