/**
 * What melange's built-in pipelines need in the build environment (`needs.packages` of melange `pkg/build/pipelines`): for
 * recipes whose distribution does not ship the pipeline itself. A function where it depends on an input.
 */
type Needs = readonly string[] | ((inputs: Readonly<Record<string, string>>) => readonly string[]);

const autotools = ['autoconf', 'automake'];
const cmake = ['cmake', 'ninja'];
const meson = ['meson', 'ninja'];

const table: Readonly<Record<string, Needs>> = {
  fetch: ['wget'],
  'git-checkout': ['busybox', 'git'],
  patch: ['patch'],
  strip: ['binutils', 'scanelf'],
  'R/build': [],
  'autoconf/configure': autotools,
  'autoconf/make': ['make'],
  'autoconf/make-install': ['make'],
  'cargo/build': ['build-base', 'busybox', 'cargo-auditable', 'rust'],
  'cmake/build': cmake,
  'cmake/configure': cmake,
  'cmake/install': cmake,
  'go/build': ({ 'go-package': goPackage = '' }) => [
    goPackage === '' ? 'go' : goPackage,
    'busybox',
    'ca-certificates-bundle',
  ],
  'go/build/v2': ['busybox', 'ca-certificates-bundle'],
  'meson/compile': meson,
  'meson/configure': meson,
  'meson/install': meson,
  'npm/install': ['npm'],
  'pecl/install': [],
  'pecl/phpize': [],
  'perl/cleanup': [],
  'perl/make': ['perl'],
  'python/build': [],
  'python/install': [],
  'ruby/build': [],
  'ruby/clean': [],
  'ruby/install': [],
  'split/alldocs': [],
  'split/bin': [],
  'split/debug': ['binutils', 'scanelf'],
  'split/dev': [],
  'split/infodir': [],
  'split/lib': [],
  'split/locales': [],
  'split/manpages': [],
  'split/static': [],
};

/** Packages that a built-in pipeline needs; undefined for one that the table does not know. */
export function builtinNeeds(name: string, inputs: Readonly<Record<string, string>>): readonly string[] | undefined {
  const needs = Object.hasOwn(table, name) ? table[name] : undefined;
  return typeof needs === 'function' ? needs(inputs) : needs;
}
