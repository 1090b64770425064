/** Text that is HTML already. Only `html` and `raw` make it. */
export interface Html {
  readonly html: string;
}

export type HtmlValue = Html | string | number | undefined | false | readonly HtmlValue[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an element or a quoted attribute. Control characters that a log may carry are shown, not sent. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? '')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

function print(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return 'html' in value ? value.html : value.map(print).join('');
}

/** A template whose values are escaped, unless they are HTML of this kind themselves. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { html: strings.reduce((text, string, index) => text + print(values[index - 1]) + string) };
}

/** An address that may stand in `href`: http, https or a path of this server; anything else leads nowhere. */
export function safeHref(address: string): string {
  return /^(https?:\/\/|\/(?!\/))/.test(address) ? address : '#';
}
