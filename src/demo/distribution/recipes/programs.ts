import type { BoxRecipe } from './recipe.ts';

/** A program that is linked against libtally, from the archive of a tag. */
export const countRecipe: BoxRecipe = {
  name: 'count',
  project: 'count',
  text: ({ version, sha256 }) => `package:
  name: count
  version: "${version}"
  epoch: 0
  description: "Counts the words of files"
  url: https://github.com/regrow-box/count
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox
      - host-libc
      - libtally-dev

pipeline:
  - uses: fetch
    with:
      uri: https://github.com/regrow-box/count/archive/refs/tags/v\${{package.version}}.tar.gz
      expected-sha256: ${sha256}

  - uses: autoconf/make

  - uses: autoconf/make-install

  - uses: strip

update:
  enabled: true
  github:
    identifier: regrow-box/count
    strip-prefix: v

test:
  environment:
    contents:
      packages:
        - words-english
  pipeline:
    - uses: box/version-check
      with:
        command: count
    - name: "it counts"
      runs: |
        test "$(echo 'one two One' | count | sed 's/.*: //')" = "3 words, 2 different"
        count /usr/share/words/english.txt | grep -q '31 words, 21 different'
`,
};

/** A program that is linked against libtally and runs scripts, with a variable and a prefix in its tags. */
export const greetRecipe: BoxRecipe = {
  name: 'greet',
  project: 'greet',
  text: ({ version, sha256 }) => `package:
  name: greet
  version: "${version}"
  epoch: 0
  description: "Greets, and runs scripts of greetings"
  url: https://github.com/regrow-box/greet
  copyright:
    - license: 0BSD

vars:
  tag: greet-\${{package.version}}

environment:
  contents:
    packages:
      - build-base
      - busybox
      - host-libc
      - libtally-dev

pipeline:
  - uses: fetch
    with:
      uri: https://github.com/regrow-box/greet/archive/refs/tags/\${{vars.tag}}.tar.gz
      expected-sha256: ${sha256}

  - uses: autoconf/make

  - uses: autoconf/make-install

  - uses: strip

update:
  enabled: true
  github:
    identifier: regrow-box/greet
    tag-filter-prefix: greet-
    strip-prefix: greet-

test:
  pipeline:
    - uses: box/version-check
      with:
        command: greet
    - name: "it greets"
      runs: |
        greet you | grep -qi 'hello, you!'
        printf 'say all good\\n' > script
        test "$(greet -f script)" = "all good"
`,
};

/** A static program, with a transform that makes the tag of the version. */
export const beaconRecipe: BoxRecipe = {
  name: 'beacon',
  project: 'beacon',
  text: ({ version, sha256 }) => `package:
  name: beacon
  version: "${version}"
  epoch: 0
  description: "Says that it is there"
  url: https://github.com/regrow-box/beacon
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox

var-transforms:
  - from: \${{package.version}}
    match: \\.
    replace: _
    to: mangled-version

pipeline:
  - uses: fetch
    with:
      uri: https://github.com/regrow-box/beacon/archive/refs/tags/beacon_\${{vars.mangled-version}}.tar.gz
      expected-sha256: ${sha256}

  - uses: autoconf/make
    with:
      opts: LDFLAGS=-static

  - uses: autoconf/make-install

  - uses: strip

update:
  enabled: true
  version-separator: _
  github:
    identifier: regrow-box/beacon
    use-tag: true
    tag-filter-prefix: beacon_
    strip-prefix: beacon_

test:
  pipeline:
    - uses: box/version-check
      with:
        command: beacon
    - runs: test "$(beacon harbour)" = "beacon \${{package.version}} is lit at the harbour"
`,
};
