import { licence, type UpstreamProject } from './upstream.ts';

const unbounded = '  strcpy(name, argc > 1 ? argv[1] : "sea");';
const bounded = '  snprintf(name, sizeof name, "%s", argc > 1 ? argv[1] : "sea");';

function source(version: string, copy: string): string {
  return `#include <stdio.h>
#include <string.h>

#define BEACON_VERSION "${version}"

int main(int argc, char **argv) {
  char name[32];
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts("beacon " BEACON_VERSION);
    return 0;
  }
${copy}
  printf("beacon %s is lit at the %s\\n", BEACON_VERSION, name);
  return 0;
}
`;
}

const makefile = `PREFIX ?= /usr
CC ?= cc
CFLAGS ?= -O2

beacon: beacon.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $(LDFLAGS) -o $@ beacon.c

install: beacon
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 beacon $(DESTDIR)$(PREFIX)/bin/

.PHONY: install
`;

function tree(version: string, copy: string): Record<string, string> {
  return { LICENSE: licence, Makefile: makefile, 'beacon.c': source(version, copy) };
}

/** A program that stands alone. 1.2.0 copies its argument into 32 bytes whatever its length: the advisory is about that. */
export const beacon: UpstreamProject = {
  name: 'beacon',
  description: 'Says that it is there',
  releases: [
    {
      version: '1.2.0',
      tag: 'beacon_1_2_0',
      at: '2026-03-23T12:00:00Z',
      message: 'Release 1.2.0',
      files: tree('1.2.0', unbounded),
    },
    {
      version: '1.2.1',
      tag: 'beacon_1_2_1',
      at: '2026-06-04T12:00:00Z',
      message: 'Copy no more of a name than there is room for',
      files: tree('1.2.1', bounded),
    },
  ],
};
