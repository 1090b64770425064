import { licence, type UpstreamProject } from './upstream.ts';

/**
 * A hash set that counts words. Version 2 counts in `unsigned long`, which is another binary interface, so the soname
 * goes from libtally.so.1 to libtally.so.2; programs compile against both.
 */
function header(version: string, count: string): string {
  return `#ifndef TALLY_H
#define TALLY_H

#define TALLY_VERSION "${version}"

typedef ${count} tally_count;
typedef struct tally tally;

/* A new, empty tally; NULL when there is no memory. */
tally *tally_new(void);

/* Counts a word. 0, or -1 when there is no memory. */
int tally_add(tally *t, const char *word);

/* How many words were added, and how many of them were different. */
tally_count tally_total(const tally *t);
tally_count tally_distinct(const tally *t);

void tally_free(tally *t);

/* Version of the library that is loaded, which may be newer than TALLY_VERSION. */
const char *tally_version(void);

#endif
`;
}

const source = `#include "tally.h"

#include <stdlib.h>
#include <string.h>

struct tally {
  char **slots;
  size_t capacity;
  tally_count total;
  tally_count distinct;
};

static size_t place(char *const *slots, size_t capacity, const char *word) {
  size_t hash = 5381;
  for (const char *c = word; *c != 0; c++) hash = hash * 33 + (unsigned char)*c;
  size_t at = hash % capacity;
  while (slots[at] != NULL && strcmp(slots[at], word) != 0) at = (at + 1) % capacity;
  return at;
}

static int grow(tally *t) {
  size_t capacity = t->capacity * 2;
  char **slots = calloc(capacity, sizeof *slots);
  if (slots == NULL) return -1;
  for (size_t i = 0; i < t->capacity; i++)
    if (t->slots[i] != NULL) slots[place(slots, capacity, t->slots[i])] = t->slots[i];
  free(t->slots);
  t->slots = slots;
  t->capacity = capacity;
  return 0;
}

tally *tally_new(void) {
  tally *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->capacity = 64;
  t->slots = calloc(t->capacity, sizeof *t->slots);
  if (t->slots == NULL) {
    free(t);
    return NULL;
  }
  return t;
}

int tally_add(tally *t, const char *word) {
  if ((size_t)t->distinct * 2 >= t->capacity && grow(t) != 0) return -1;
  size_t at = place(t->slots, t->capacity, word);
  if (t->slots[at] == NULL) {
    size_t length = strlen(word) + 1;
    char *copy = malloc(length);
    if (copy == NULL) return -1;
    memcpy(copy, word, length);
    t->slots[at] = copy;
    t->distinct++;
  }
  t->total++;
  return 0;
}

tally_count tally_total(const tally *t) { return t->total; }

tally_count tally_distinct(const tally *t) { return t->distinct; }

void tally_free(tally *t) {
  if (t == NULL) return;
  for (size_t i = 0; i < t->capacity; i++) free(t->slots[i]);
  free(t->slots);
  free(t);
}

const char *tally_version(void) { return TALLY_VERSION; }
`;

function makefile(version: string): string {
  const major = version.split('.')[0] ?? '1';
  return `VERSION = ${version}
SONAME = libtally.so.${major}
PREFIX ?= /usr
CC ?= cc
CFLAGS ?= -O2

all: libtally.so.$(VERSION) libtally.a tally.pc

tally.o: tally.c tally.h
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra -fPIC -c -o $@ tally.c

libtally.so.$(VERSION): tally.o
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -o $@ tally.o

libtally.a: tally.o
	ar rcsD $@ tally.o

tally.pc: tally.pc.in
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tally.pc.in > $@

install: all
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 libtally.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libtally.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libtally.so
	install -m 644 libtally.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 tally.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 tally.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/

.PHONY: all install
`;
}

const pkgConfig = `prefix=@PREFIX@

Name: tally
Description: Counts words
Version: @VERSION@
Libs: -L\${prefix}/lib -ltally
Cflags: -I\${prefix}/include
`;

function tree(version: string, count: string): Record<string, string> {
  return {
    LICENSE: licence,
    Makefile: makefile(version),
    'tally.c': source,
    'tally.h': header(version, count),
    'tally.pc.in': pkgConfig,
  };
}

export const libtally: UpstreamProject = {
  name: 'libtally',
  description: 'A library that counts words',
  releases: [
    {
      version: '1.4.0',
      tag: 'v1.4.0',
      tagMessage: 'libtally 1.4.0',
      at: '2026-03-02T09:00:00Z',
      message: 'Release 1.4.0',
      files: tree('1.4.0', 'int'),
    },
    {
      version: '2.0.0',
      tag: 'v2.0.0',
      tagMessage: 'libtally 2.0.0',
      at: '2026-06-03T09:00:00Z',
      message: 'Count in unsigned long: a new binary interface, libtally.so.2',
      files: tree('2.0.0', 'unsigned long'),
    },
  ],
};
