import { afterEach, expect, test } from 'vitest';
import { readApk } from '../../../src/formats/apk.ts';
import { createEngineFixture, type EngineFixture, hostArch, hostPackages } from '../../support/host-engine.ts';

const usual = process.umask();
let fixture: EngineFixture | undefined;
afterEach(() => {
  process.umask(usual);
  fixture?.close();
});

/** Takes sources over as they were unpacked and checked out, and makes files and folders without saying their modes. */
const recipe = ({ libtallySha256, tallyCommit }: EngineFixture) => `package:
  name: modes
  version: "1.0"
  epoch: 0
  copyright:
    - license: MIT

environment:
  contents:
    packages:
      - busybox

pipeline:
  - uses: fetch
    with:
      uri: https://upstream.example.org/libtally-1.2.0.tar.gz
      expected-sha256: ${libtallySha256}
  - uses: git-checkout
    with:
      repository: https://git.example.org/tally
      tag: v0.4.0
      expected-commit: ${tallyCommit}
      destination: checked-out
  - runs: |
      share="\${{targets.destdir}}/usr/share/modes"
      mkdir -p "$share/made"
      cp -a tally.h tally.pc checked-out/tally.c "$share/"
      echo made > "$share/made/file"
      printf '#!/bin/sh\\n' > "$share/made/script"
      chmod +x "$share/made/script"
`;

/** What a daemon of a umask makes: every path with its mode, and the checksum of the package. */
async function made(umask: number) {
  fixture = await createEngineFixture();
  const request = fixture.request(recipe(fixture), `${hostArch}-gnu`, {
    environment: { host: hostPackages, packages: [] },
  });
  process.umask(umask);
  const result = await fixture.build(request);
  process.umask(usual);
  expect(result.failure).toBeUndefined();
  const entries = readApk(await fixture.file(result, 'modes-1.0-r0.apk')).entries();
  const modes = entries.map(({ path, mode }) => [path.replace('usr/share/modes/', ''), mode.toString(8)]);
  fixture.close();
  fixture = undefined;
  return { modes: Object.fromEntries(modes), checksum: result.artifacts[0]?.checksum };
}

test.each([0o077, 0o027, 0o002])('a package is the same whatever the umask of the daemon: %i', async (umask) => {
  const [ours, usually] = [await made(umask), await made(0o022)];
  expect(usually.modes).toMatchObject({
    made: '755',
    'made/file': '644',
    'made/script': '755',
    'tally.h': '644',
    'tally.c': '644',
  });
  expect(ours).toEqual(usually);
});
