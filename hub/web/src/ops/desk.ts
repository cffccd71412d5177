/** The desk behind the door: what one key is shown. The next key gets a desk of its own. */

import { byId, tell } from "../shared/dom";
import type { Api, Failure, Letters, Queue, Worker } from "./api";
import { FailuresView } from "./failures-view";
import { HealthView } from "./health-view";
import { LettersView } from "./letters-view";
import { QueueView } from "./queue-view";
import { TextsView } from "./texts-view";

/** Dead letters that are shown at first, and more with each "Show older". */
const LETTERS = 10;
const NO_LETTERS: Letters = { letters: [], total: 0, next_cursor: null };
const AWAY = "The hub does not answer. What stands here is from before; it goes on by itself.";

export class Desk {
  private readonly health = new HealthView();
  private readonly queue = new QueueView();
  private readonly failures = new FailuresView();
  private readonly letters: LettersView;
  private readonly texts: TextsView;
  private readonly problem = byId("problem");
  private wanted = LETTERS;
  private asked = 0;

  constructor(
    private readonly api: Api,
    private readonly onProblem: (problem: unknown) => void,
  ) {
    this.letters = new LettersView({ act: (what, ids) => this.act(what, ids), older: () => this.older() });
    this.texts = new TextsView(api);
  }

  /** Ask for everything; only the answers to the last question are shown. */
  async refresh(): Promise<void> {
    const question = ++this.asked;
    const { api } = this;
    try {
      const answers = await Promise.all([api.channels, api.queue, api.failures, api.letters(this.wanted)]);
      if (question !== this.asked) return;
      this.show(...answers);
      await this.texts.refresh();
      if (question === this.asked) tell(this.problem, "");
    } catch (problem) {
      if (question !== this.asked) return;
      tell(this.problem, AWAY);
      this.onProblem(problem);
    }
  }

  /** Clear the desk. What is still under way is not shown. */
  close(): void {
    this.asked += 1;
    this.show({ workers: [] }, { now_ms: 0, lanes: [] }, { failures: [] }, NO_LETTERS);
    this.letters.close();
    this.texts.close();
    tell(this.problem, "");
  }

  private show(
    { workers }: { readonly workers: readonly Worker[] },
    queue: Queue,
    { failures }: { readonly failures: readonly Failure[] },
    letters: Letters,
  ): void {
    this.health.show(workers);
    this.queue.show(queue);
    this.failures.show(failures);
    this.letters.show(letters);
  }

  private async act(what: "retry" | "drop", ids: readonly string[]): ReturnType<Api["act"]> {
    const results = await this.api.act(what, ids);
    await this.refresh();
    return results;
  }

  private older(): void {
    this.wanted += LETTERS;
    void this.refresh();
  }
}
