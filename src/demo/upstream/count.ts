import { licence, type UpstreamProject } from './upstream.ts';

function source(version: string, extra: string): string {
  return `#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <tally.h>
${extra}
#define COUNT_VERSION "${version}"

static int count(FILE *in, tally *t) {
  char word[256];
  size_t length = 0;
  for (int c = fgetc(in);; c = fgetc(in)) {
    if (c != EOF && !isspace(c)) {
      if (length < sizeof word - 1) word[length++] = (char)tolower(c);
      continue;
    }
    word[length] = 0;
    if (length > 0 && tally_add(t, word) != 0) return -1;
    length = 0;
    if (c == EOF) return ferror(in) ? -1 : 0;
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("count %s (libtally %s)\\n", COUNT_VERSION, tally_version());
    return 0;
  }
  tally *t = tally_new();
  if (t == NULL) return 1;
  for (int i = 1; i < argc; i++) {
    FILE *in = fopen(argv[i], "r");
    if (in == NULL || count(in, t) != 0) {
      perror(argv[i]);
      return 1;
    }
    fclose(in);
  }
  if (argc < 2 && count(stdin, t) != 0) return 1;
  printf("count %s with libtally %s: %lu words, %lu different\\n", COUNT_VERSION, tally_version(),
         (unsigned long)tally_total(t), (unsigned long)tally_distinct(t));
  tally_free(t);
  return 0;
}
`;
}

const makefile = `PREFIX ?= /usr
CC ?= cc
CFLAGS ?= -O2

count: count.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $(LDFLAGS) -o $@ count.c -ltally

install: count
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 count $(DESTDIR)$(PREFIX)/bin/

.PHONY: install
`;

function tree(version: string, extra = ''): Record<string, string> {
  return { LICENSE: licence, Makefile: makefile, 'count.c': source(version, extra) };
}

/** Version 1.3.0 is the release that breaks: it includes a header that no libtally has yet. */
export const count: UpstreamProject = {
  name: 'count',
  description: 'Counts the words of files',
  releases: [
    {
      version: '1.2.0',
      tag: 'v1.2.0',
      at: '2026-03-09T10:00:00Z',
      message: 'Release 1.2.0',
      files: tree('1.2.0'),
      notes: 'Counts different words, too.',
    },
    {
      version: '1.3.0',
      tag: 'v1.3.0',
      at: '2026-06-02T10:00:00Z',
      message: 'Use the histogram of the next libtally',
      files: tree('1.3.0', '#include <tally/histogram.h>\n'),
      notes: 'Prepares histograms.',
    },
  ],
};
