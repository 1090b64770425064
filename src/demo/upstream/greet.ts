import { licence, type UpstreamProject } from './upstream.ts';

function source(version: string, greeting: string): string {
  return `#include <stdio.h>
#include <string.h>

#include <tally.h>

#define GREET_VERSION "${version}"

static int greet(tally *t, const char *name) {
  printf("${greeting}, %s!\\n", name);
  return tally_add(t, name);
}

/* A script has one instruction on each line: say TEXT, greet NAME; # begins a comment, as the first line does. */
static int run(tally *t, const char *path) {
  char line[512];
  FILE *in = fopen(path, "r");
  if (in == NULL) {
    perror(path);
    return 1;
  }
  for (int number = 1; fgets(line, sizeof line, in) != NULL; number++) {
    line[strcspn(line, "\\n")] = 0;
    if (line[0] == 0 || line[0] == '#') continue;
    if (strncmp(line, "say ", 4) == 0) puts(line + 4);
    else if (strncmp(line, "greet ", 6) == 0) greet(t, line + 6);
    else {
      fprintf(stderr, "%s:%d: neither say nor greet\\n", path, number);
      fclose(in);
      return 1;
    }
  }
  fclose(in);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("greet %s (libtally %s)\\n", GREET_VERSION, tally_version());
    return 0;
  }
  tally *t = tally_new();
  int failed = t == NULL;
  if (!failed && argc == 3 && strcmp(argv[1], "-f") == 0) failed = run(t, argv[2]);
  else
    for (int i = 1; i < argc && !failed; i++) failed = greet(t, argv[i]) != 0;
  if (!failed && tally_total(t) > 0) printf("(%lu greeted)\\n", (unsigned long)tally_distinct(t));
  tally_free(t);
  return failed;
}
`;
}

const makefile = `PREFIX ?= /usr
CC ?= cc
CFLAGS ?= -O2

greet: greet.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $(LDFLAGS) -o $@ greet.c -ltally

install: greet
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 greet $(DESTDIR)$(PREFIX)/bin/

.PHONY: install
`;

function tree(version: string, greeting: string): Record<string, string> {
  return { LICENSE: licence, Makefile: makefile, 'greet.c': source(version, greeting) };
}

export const greet: UpstreamProject = {
  name: 'greet',
  description: 'Greets, and runs scripts of greetings',
  releases: [
    {
      version: '1.0.0',
      tag: 'greet-1.0.0',
      at: '2026-03-16T11:00:00Z',
      message: 'Release 1.0.0',
      files: tree('1.0.0', 'Hello'),
      notes: 'The first release.',
    },
    {
      version: '1.1.0',
      tag: 'greet-1.1.0',
      at: '2026-06-01T11:00:00Z',
      message: 'Greet warmly',
      files: tree('1.1.0', 'A warm hello'),
      notes: 'Greets warmly.',
    },
  ],
};
