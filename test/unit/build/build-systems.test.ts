import { afterAll, beforeAll, expect, test } from 'vitest';
import { readApk } from '../../../src/formats/apk.ts';
import { hasCommands } from '../../support/host-commands.ts';
import { createEngineFixture, type EngineFixture, hostArch, hostPackages } from '../../support/host-engine.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await createEngineFixture();
});
afterAll(() => fixture.close());

const sources = `  - runs: |
      printf 'int answer(void);\\n' > answer.h
      printf 'int answer(void) { return 42; }\\n' > answer.c
      printf '#include <stdio.h>\\n#include "answer.h"\\nint main(void) { printf("%%d %%s\\\\n", answer(), MODE); }\\n' > main.c
`;

function recipe(name: string, files: string, steps: string): string {
  return `package:
  name: ${name}
  version: 1.0
  epoch: 0
environment:
  contents:
    packages: [build-base, busybox]
pipeline:
${sources}${files}
${steps}
  - uses: strip
subpackages:
  - name: ${name}-dev
    pipeline:
      - uses: split/dev
      - uses: split/static
`;
}

async function build(text: string, tools: readonly string[]) {
  const environment = { host: [...hostPackages, ...tools].toSorted(), packages: [] };
  const result = await fixture.build(fixture.request(text, `${hostArch}-gnu`, { environment }));
  expect(result.outcome, await fixture.log(result)).toBe('passed');
  const files = async (name: string) =>
    readApk(await fixture.file(result, `${name}-1.0-r0.apk`))
      .entries()
      .filter(({ type, path }) => type !== 'directory' && !path.startsWith('var'))
      .map(({ path }) => path);
  return { files, log: await fixture.log(result) };
}

test.skipIf(!hasCommands(['cmake', 'ninja'], 'cmake ninja-build'))(
  'cmake configures, builds and installs',
  { timeout: 120_000 },
  async () => {
    const files = `  - runs: |
      cat > CMakeLists.txt <<'END'
      cmake_minimum_required(VERSION 3.18)
      project(answer C)
      add_library(answer STATIC answer.c)
      add_executable(ask main.c)
      target_compile_definitions(ask PRIVATE MODE="\${MODE}")
      target_link_libraries(ask answer)
      install(TARGETS ask answer)
      install(FILES answer.h DESTINATION include)
      END
`;
    const steps = `  - uses: cmake/configure
    with:
      opts: |
        -DMODE=told
  - uses: cmake/build
    with:
      opts: --target all
  - uses: cmake/install
  - runs: test "$(\${{targets.destdir}}/usr/bin/ask)" = "42 told"`;
    const { files: of } = await build(recipe('with-cmake', files, steps), ['cmake', 'ninja']);
    expect(await of('with-cmake')).toEqual(['usr/bin/ask']);
    expect(await of('with-cmake-dev')).toEqual(['usr/include/answer.h', 'usr/lib/libanswer.a']);
  },
);

test.skipIf(!hasCommands(['meson', 'ninja'], 'meson ninja-build'))(
  'meson configures, compiles and installs',
  { timeout: 120_000 },
  async () => {
    const files = `  - runs: |
      cat > meson_options.txt <<'END'
      option('mode', type : 'string', value : 'none')
      END
      cat > meson.build <<'END'
      project('answer', 'c')
      answer = static_library('answer', 'answer.c', install : true)
      executable('ask', 'main.c', link_with : answer, install : true,
        c_args : '-DMODE="' + get_option('mode') + '"')
      install_headers('answer.h')
      END
`;
    const steps = `  - uses: meson/configure
    with:
      opts: -Dmode=told
  - uses: meson/compile
  - uses: meson/install
  - runs: test "$(\${{targets.destdir}}/usr/bin/ask)" = "42 told"`;
    const { files: of } = await build(recipe('with-meson', files, steps), ['meson']);
    expect(await of('with-meson')).toEqual(['usr/bin/ask']);
    expect(await of('with-meson-dev')).toEqual(['usr/include/answer.h', 'usr/lib/libanswer.a']);
  },
);
