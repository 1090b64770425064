import { type ErrorWhere, RegrowError } from '../../errors.ts';
import { type Scope, substitute } from './substitute.ts';

const token =
  /\s*(?:(==|!=|&&|\|\||[()])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|((?:\$\{\{[^}]*\}\}|[^\s()=!&|"'])+))/sy;

type Token = { readonly operator: string } | { readonly value: string };

/**
 * Whether an `if:` holds. It compares values with `==` and `!=`, joined by `&&` and `||`, which count alike and go from left
 * to right, and parentheses. A value is a quoted text or a bare word, with variables in either (melange `pkg/cond`).
 * Variables are put in after the text is read, so that no value can change what the condition means. Throws
 * recipe.condition-invalid and recipe.variable-unknown.
 */
export function evaluateCondition(condition: string, scope: Scope, where: ErrorWhere = {}): boolean {
  const reader = new ConditionReader(
    condition,
    tokenize(condition, where),
    (text) => substitute(text, scope, where),
    where,
  );
  return reader.read();
}

function tokenize(condition: string, where: ErrorWhere): Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const end = condition.trimEnd().length;
  while (token.lastIndex < end) {
    const at = token.lastIndex;
    const match = token.exec(condition);
    if (match === null) invalid(condition, `cannot be read from character ${at + 1} on`, where);
    const [, operator, double, single, bare] = match;
    const quoted = double ?? single;
    const value = quoted === undefined ? (bare ?? '') : unescape(quoted);
    tokens.push(operator === undefined ? { value } : { operator });
  }
  return tokens;
}

/** In quotes `\\`, `\"`, `\'`, `\n` and `\t` stand for one character; a backslash before another stays. */
function unescape(quoted: string): string {
  return quoted.replaceAll(/\\([\\'"nt])/g, (_, one: string) => (one === 'n' ? '\n' : one === 't' ? '\t' : one));
}

function invalid(condition: string, why: string, where: ErrorWhere): never {
  throw new RegrowError('recipe.condition-invalid', `the condition ${JSON.stringify(condition)} ${why}`, {
    ...where,
    remedy: 'compare two values with == or !=, and join comparisons with && and ||',
  });
}

/** Reads and evaluates at once. Both sides of `&&` and `||` are always read. */
class ConditionReader {
  private readonly condition: string;
  private readonly tokens: readonly Token[];
  private readonly value: (text: string) => string;
  private readonly where: ErrorWhere;
  private at = 0;

  constructor(condition: string, tokens: readonly Token[], value: (text: string) => string, where: ErrorWhere) {
    this.condition = condition;
    this.tokens = tokens;
    this.value = value;
    this.where = where;
  }

  read(): boolean {
    const result = this.joined();
    if (this.at < this.tokens.length) invalid(this.condition, 'goes on where it should end', this.where);
    return result;
  }

  private joined(): boolean {
    let result = this.comparison();
    for (;;) {
      if (this.take('&&')) result = this.comparison() && result;
      else if (this.take('||')) result = this.comparison() || result;
      else return result;
    }
  }

  private comparison(): boolean {
    if (this.take('(')) {
      const result = this.joined();
      if (!this.take(')')) invalid(this.condition, 'lacks a )', this.where);
      return result;
    }
    const left = this.operand();
    if (this.take('==')) return left === this.operand();
    if (this.take('!=')) return left !== this.operand();
    return invalid(this.condition, 'has a value that is not compared with anything', this.where);
  }

  private operand(): string {
    const next = this.tokens[this.at];
    if (next === undefined || 'operator' in next) return invalid(this.condition, 'lacks a value', this.where);
    this.at++;
    return this.value(next.value);
  }

  private take(operator: string): boolean {
    const next = this.tokens[this.at];
    if (next === undefined || !('operator' in next) || next.operator !== operator) return false;
    this.at++;
    return true;
  }
}
