/** One entry of `errors` in a 422 answer. */
export interface FieldProblem {
  readonly resource: string;
  readonly field?: string;
  readonly code: 'missing' | 'missing_field' | 'invalid' | 'already_exists' | 'unprocessable' | 'custom';
  readonly message?: string;
}

/** An answer with an error status, thrown by a handler and turned into GitHub's JSON by the server. */
export class Refusal extends Error {
  readonly status: number;
  readonly errors: readonly FieldProblem[] | undefined;

  constructor(status: number, message: string, errors?: readonly FieldProblem[]) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.errors = errors;
  }

  /** Status and documentation_url as GitHub puts them in the body. */
  body(): Record<string, unknown> {
    return {
      message: this.message,
      ...(this.errors === undefined ? {} : { errors: this.errors }),
      documentation_url: 'https://docs.github.com/rest',
      status: String(this.status),
    };
  }
}

export function notFound(): Refusal {
  return new Refusal(404, 'Not Found');
}

export function invalid(...errors: readonly FieldProblem[]): Refusal {
  return new Refusal(422, 'Validation Failed', errors);
}
