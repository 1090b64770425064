import type { Logger } from '../log.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { Objects } from '../ports/objects.ts';
import type { QueueRequests, QueueView } from '../ports/queue.ts';
import type { ReportSettings } from '../report/stage.ts';

/** The slice of the configuration that the api reads. */
export interface ApiSettings extends ReportSettings {
  /** Shown on the page. */
  readonly title: string;
  /** Which state directory this is, a name that no other one has; commands compare it with theirs. */
  readonly instance?: string;
  /** Where set, POST needs it as a bearer token; where not, POST is for this machine only. */
  readonly token?: string;
  /** What GitHub's webhooks are signed with; without one there are none. */
  readonly webhookSecret?: string;
}

/** What the api reads and asks. It writes nothing; all that it can make happen is that the daemon looks sooner. */
export interface ApiPorts {
  readonly ledger: Ledger;
  readonly objects: Objects;
  readonly queue: QueueView;
  readonly requests: QueueRequests;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ApiSettings;
  /** When the conductor last finished a round, ISO 8601; undefined where that is not known. */
  readonly conductor: () => Promise<string | undefined>;
}
