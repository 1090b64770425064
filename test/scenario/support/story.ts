import { createHash } from 'node:crypto';
import { feedEcosystem, owner, type SmallDistribution } from './small-distribution.ts';

/** Three recipes and an image: a library from an archive, a program that is linked to it, and a static program. */
const word = (sha256: string) => `package:
  name: word
  version: "1.0.0"
  epoch: 0
  description: "A library that knows a word"
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox

pipeline:
  - uses: fetch
    with:
      uri: https://github.com/${owner}/word/archive/refs/tags/v\${{package.version}}.tar.gz
      expected-sha256: ${sha256}

  - runs: |
      soname="libword.so.$(echo "\${{package.version}}" | cut -d. -f1)"
      install -d "\${{targets.destdir}}/usr/lib"
      cc -shared -fPIC -nostdlib -Wl,-soname,"$soname" -o "\${{targets.destdir}}/usr/lib/$soname" word.c
      ln -s "$soname" "\${{targets.destdir}}/usr/lib/libword.so"

update:
  enabled: true
  github:
    identifier: ${owner}/word
    strip-prefix: v
    use-tag: true
`;

/**
 * Without the C library, which would be one more package to build; so it has no loader of its own, and its test names the
 * one of the machine.
 */
const tell = `package:
  name: tell
  version: "1.0.0"
  epoch: 0
  description: "A program that asks the library for the word"
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox
      - word

pipeline:
  - runs: |
      cat > tell.c <<'EOF'
      extern int word(void);
      void _start(void) {
        long code = word() == 42 ? 0 : 1;
      #ifdef __x86_64__
        __asm__ volatile("and $-16, %%rsp\\n syscall" : : "a"(60L), "D"(code));
      #else
        register long x0 __asm__("x0") = code;
        register long x8 __asm__("x8") = 93;
        __asm__ volatile("svc 0" : : "r"(x0), "r"(x8));
      #endif
        for (;;) {}
      }
      EOF
      install -d "\${{targets.destdir}}/usr/bin"
      cc -fPIE -pie -nostdlib -Wl,--no-dynamic-linker -o "\${{targets.destdir}}/usr/bin/tell" tell.c -lword

update:
  enabled: true
  github:
    identifier: ${owner}/tell
    strip-prefix: v

test:
  pipeline:
    - runs: |
        for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
          test ! -e "$loader" || exec "$loader" /usr/bin/tell
        done
        exit 1
`;

const lamp = `package:
  name: lamp
  version: "1.0.0"
  epoch: 0
  description: "A program that stands alone"
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox

pipeline:
  - runs: |
      printf '#include <stdio.h>\\nint main(void) { puts("lamp \${{package.version}} is lit"); return 0; }\\n' > lamp.c
      install -d "\${{targets.destdir}}/usr/bin"
      cc -static -o "\${{targets.destdir}}/usr/bin/lamp" lamp.c

update:
  enabled: true
  github:
    identifier: ${owner}/lamp
    strip-prefix: v
`;

const image = `contents:
  packages:
    - lamp
    - tell
entrypoint:
  command: /usr/bin/lamp
`;

export const imageRef = 'lamp:latest';
const advisory = 'SMALL-2026-0001';

/** Releases have fixed times: archives, and with them commits and packages, are the same in every run. */
async function release(small: SmallDistribution, name: string, version: string, at: string): Promise<void> {
  const project = small.github.repository(owner, name);
  const files = { 'word.c': `int word(void) { return 42; } /* ${name} ${version} */\n` };
  await project.commit({ files, message: `${name} ${version}`, at: new Date(at) });
  await project.tag(`v${version}`);
  await project.publishRelease({ tag: `v${version}` });
}

/** The upstream projects with their first releases, and the files of the repository of recipes. */
export async function beginning(small: SmallDistribution): Promise<Readonly<Record<string, string>>> {
  for (const name of ['word', 'tell', 'lamp']) {
    await small.github.createRepository(owner, name);
    await release(small, name, '1.0.0', '2026-03-01T09:00:00Z');
  }
  const archive = await small.github.repository(owner, 'word').archive('v1.0.0');
  const sha256 = createHash('sha256').update(archive).digest('hex');
  return { 'word.yaml': word(sha256), 'tell.yaml': tell, 'lamp.yaml': lamp, 'images/lamp.yaml': image };
}

/** One thing that happens to the distribution, and what the newest published versions are when it is through. */
export interface Chapter {
  readonly name: string;
  happens(small: SmallDistribution): Promise<void>;
  readonly newest: Readonly<Record<string, string>>;
  /** Pull requests there are by then. */
  readonly titles: readonly string[];
  /** Known of what is published, and of the image. */
  readonly vulnerabilities: readonly string[];
}

const tellTitle = 'tell/1.1.0 package update';
const lampTitle = 'lamp/1.0.1 package update';

export const story: readonly Chapter[] = [
  {
    name: 'the first publication',
    happens: async () => undefined,
    newest: { word: '1.0.0-r0', tell: '1.0.0-r0', lamp: '1.0.0-r0' },
    titles: [],
    vulnerabilities: [],
  },
  {
    name: 'a release',
    happens: (small) => release(small, 'tell', '1.1.0', '2026-05-01T09:00:00Z'),
    newest: { word: '1.0.0-r0', tell: '1.1.0-r0', lamp: '1.0.0-r0' },
    titles: [tellTitle],
    vulnerabilities: [],
  },
  {
    // Seen before the release that fixes it: otherwise chance decides which of the two is the reason of the proposal, which
    // is in its commit, which is in the package.
    name: 'an advisory',
    async happens(small) {
      small.osv.publish(feedEcosystem, {
        id: advisory,
        summary: 'The lamp is too bright',
        affected: [
          {
            package: { ecosystem: feedEcosystem, name: 'lamp', purl: `pkg:github/${owner}/lamp` },
            ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.0.1' }] }],
          },
        ],
      });
    },
    newest: { word: '1.0.0-r0', tell: '1.1.0-r0', lamp: '1.0.0-r0' },
    titles: [tellTitle],
    vulnerabilities: [advisory],
  },
  {
    name: 'the release that fixes it',
    happens: (small) => release(small, 'lamp', '1.0.1', '2026-05-02T09:00:00Z'),
    newest: { word: '1.0.0-r0', tell: '1.1.0-r0', lamp: '1.0.1-r0' },
    titles: [tellTitle, lampTitle],
    vulnerabilities: [],
  },
  {
    name: 'a new soname',
    happens: (small) => release(small, 'word', '2.0.0', '2026-05-03T09:00:00Z'),
    newest: { word: '2.0.0-r0', tell: '1.1.0-r1', lamp: '1.0.1-r0' },
    titles: [tellTitle, lampTitle, 'word/2.0.0 package update'],
    vulnerabilities: [],
  },
];
