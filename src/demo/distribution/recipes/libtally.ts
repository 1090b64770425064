import type { BoxRecipe } from './recipe.ts';

/** A library from a git checkout, with development and static subpackages. */
export const libtallyRecipe: BoxRecipe = {
  name: 'libtally',
  project: 'libtally',
  text: ({ version, commit }) => `package:
  name: libtally
  version: "${version}"
  epoch: 0
  description: "A library that counts words"
  url: https://github.com/regrow-box/libtally
  copyright:
    - license: 0BSD

environment:
  contents:
    packages:
      - build-base
      - busybox
      - host-libc

pipeline:
  - uses: git-checkout
    with:
      repository: https://github.com/regrow-box/libtally
      tag: v\${{package.version}}
      expected-commit: ${commit}

  - uses: autoconf/make

  - uses: autoconf/make-install

  - uses: strip

subpackages:
  # before -dev, which would take the archive with it
  - name: \${{package.name}}-static
    description: "libtally to be linked into programs"
    pipeline:
      - uses: split/static
    test:
      pipeline:
        - runs: test -s /usr/lib/libtally.a

  - name: \${{package.name}}-dev
    description: "Header, link and pkg-config file of libtally"
    pipeline:
      - uses: split/dev
    dependencies:
      runtime:
        - libtally=\${{package.full-version}}
    test:
      environment:
        contents:
          packages:
            - build-base
            - busybox
      pipeline:
        - name: "a program compiles against it"
          runs: |
            cat > words.c <<'EOF'
            #include <tally.h>
            int main(void) {
              tally *t = tally_new();
              return tally_add(t, "a") || tally_add(t, "a") || tally_distinct(t) != 1 || tally_total(t) != 2;
            }
            EOF
            \${CC:-cc} -o words words.c -ltally
            ./words

update:
  enabled: true
  github:
    identifier: regrow-box/libtally
    strip-prefix: v
    use-tag: true

test:
  pipeline:
    - name: "the library is there under its soname"
      runs: |
        major=$(echo "\${{package.version}}" | cut -d. -f1)
        test -e "/usr/lib/libtally.so.$major"
        test ! -e /usr/include/tally.h
`,
};
