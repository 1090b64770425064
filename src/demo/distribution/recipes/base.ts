import type { BoxRecipe } from './recipe.ts';

/** Folders, links and the few files that say what system this is. Everything else stands on it. */
export const baselayout: BoxRecipe = {
  name: 'box-baselayout',
  text: () => `package:
  name: box-baselayout
  version: "1.0.0"
  epoch: 0
  description: "Folders and files that every system of the box has"
  copyright:
    - license: Apache-2.0

environment:
  contents:
    packages:
      - busybox

pipeline:
  - runs: |
      cd "\${{targets.destdir}}"
      mkdir -p etc root usr/bin usr/lib usr/lib64 usr/sbin usr/share var/lib
      ln -s usr/bin bin
      ln -s usr/sbin sbin
      ln -s usr/lib lib
      ln -s usr/lib64 lib64
      cat > etc/os-release <<EOF
      ID=regrow-box
      NAME="Distribution in a box"
      VERSION_ID=\${{package.version}}
      PRETTY_NAME="Distribution in a box \${{package.version}}"
      HOME_URL="https://github.com/regrow-box/os"
      EOF
      printf 'root:x:0:0:root:/root:/usr/bin/nologin\\nnonroot:x:65532:65532:nonroot:/:/usr/bin/nologin\\n' > etc/passwd
      printf 'root:x:0:\\nnonroot:x:65532:\\n' > etc/group

update:
  enabled: false
  exclude-reason: "The box is its own upstream"

test:
  pipeline:
    - name: "the links lead where they should"
      runs: |
        grep -q '^ID=regrow-box$' /etc/os-release
        test "$(readlink /lib)" = usr/lib
`,
};

/**
 * The C library of the host, so that what is linked against it has a provider. It is the one package that differs
 * between machines; its version is the host's.
 */
export const hostLibc: BoxRecipe = {
  name: 'host-libc',
  text: ({ version }) => `package:
  name: host-libc
  version: "${version}"
  epoch: 0
  description: "The C library and the loader of the machine that builds, as a package"
  copyright:
    - license: LGPL-2.1-or-later AND MIT
  dependencies:
    runtime:
      - box-baselayout

environment:
  contents:
    packages:
      - box-baselayout
      - build-base
      - busybox

pipeline:
  - name: "find the loader that programs ask for, and copy it"
    runs: |
      printf 'int main(void) { return 0; }\\n' > probe.c
      \${CC:-cc} -o probe probe.c
      loader=$(readelf -l probe | sed -n 's/.*program interpreter: \\(.*\\)\\].*/\\1/p')
      install -d "\${{targets.destdir}}/usr$(dirname "$loader")"
      install -m 755 "$loader" "\${{targets.destdir}}/usr$loader"
      case "\${{host.triplet.gnu}}" in
        # musl's loader is its library, and all of it
        *-musl*) exit 0 ;;
      esac
      install -d "\${{targets.destdir}}/usr/lib"
      for library in libc.so.6 libm.so.6; do
        install -m 755 "$(\${CC:-cc} -print-file-name=$library)" "\${{targets.destdir}}/usr/lib/$library"
      done

update:
  enabled: false
  exclude-reason: "Comes from the machine that builds"

test:
  environment:
    contents:
      packages:
        - build-base
        - busybox
  pipeline:
    - name: "a program runs on it"
      runs: |
        printf '#include <stdio.h>\\nint main(void) { puts("it runs"); return 0; }\\n' > runs.c
        \${CC:-cc} -o runs runs.c
        test "$(./runs)" = "it runs"
`,
};
