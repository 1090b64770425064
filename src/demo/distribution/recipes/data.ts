import type { BoxRecipe } from './recipe.ts';

/** Data, from a file of a release; one subpackage for each language. */
export const wordsRecipe: BoxRecipe = {
  name: 'words',
  project: 'words',
  text: ({ version, sha256 }) => `package:
  name: words
  version: "${version}"
  epoch: 0
  description: "Texts to count"
  url: https://github.com/regrow-box/words
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - busybox

var-transforms:
  - from: \${{package.version}}
    match: ^(\\d+)\\.(\\d+)$
    replace: \${1}_$2
    to: month

data:
  - name: languages
    items:
      english: "English"
      german: "German"

pipeline:
  - uses: fetch
    with:
      uri: https://github.com/regrow-box/words/releases/download/\${{package.version}}/words-\${{vars.month}}.tar.gz
      expected-sha256: ${sha256}

  - runs: |
      install -d "\${{targets.destdir}}/usr/share/words"
      install -m 644 LICENSE "\${{targets.destdir}}/usr/share/words/"

subpackages:
  - range: languages
    name: words-\${{range.key}}
    description: "Texts to count, in \${{range.value}}"
    pipeline:
      - runs: |
          install -d "\${{targets.subpkgdir}}/usr/share/words"
          install -m 644 \${{range.key}}.txt "\${{targets.subpkgdir}}/usr/share/words/"
    test:
      pipeline:
        - runs: test -s /usr/share/words/\${{range.key}}.txt

update:
  enabled: true
  github:
    identifier: regrow-box/words

test:
  pipeline:
    - runs: test -s /usr/share/words/LICENSE
`,
};

/** A script, for the interpreter that greet is. */
export const notesRecipe: BoxRecipe = {
  name: 'notes',
  project: 'notes',
  text: ({ version, commit }) => `package:
  name: notes
  version: "${version}"
  epoch: 0
  description: "Notes to the reader, as a script"
  url: https://github.com/regrow-box/notes
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - busybox
      - greet

pipeline:
  - uses: git-checkout
    with:
      repository: https://github.com/regrow-box/notes.git
      tag: v\${{package.version}}
      expected-commit: ${commit}

  - runs: install -D -m 755 notes "\${{targets.destdir}}/usr/bin/notes"

update:
  enabled: true
  github:
    identifier: regrow-box/notes
    strip-prefix: v
    use-tag: true

test:
  pipeline:
    - runs: notes | grep -q 'Notes \${{package.version}}'
`,
};
