import { duration, size } from "./format.ts";
import type { Kind } from "./repository/layout.ts";

/** Told how a mirror gets on. */
export interface Progress {
  /** So much is to be sent to the target. */
  expect(target: string, files: number, bytes: number): void;
  /** Files of this kind are sent now. */
  phase(target: string, kind: Kind): void;
  /** So many more bytes have been handed over. */
  bytes(target: string, count: number): void;
  /** One more file is done with, sent or not. */
  file(target: string): void;
  /** Takes the line away, so that something else can be written. */
  clear(): void;
}

/** Shows nothing. */
export const noProgress: Progress = {
  expect: () => undefined,
  phase: () => undefined,
  bytes: () => undefined,
  file: () => undefined,
  clear: () => undefined,
};

interface State {
  files: number;
  filesDone: number;
  bytes: number;
  bytesDone: number;
  phase: string;
  since: number;
}

const REDRAW_MS = 200;

/** One line on a terminal, drawn anew a few times a second: what, how much, rate and time left. */
export class TerminalProgress implements Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #targets = new Map<string, State>();
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  expect(target: string, files: number, bytes: number): void {
    const state = this.#state(target);
    state.files = files;
    state.bytes = bytes;
  }

  phase(target: string, kind: Kind): void {
    this.#state(target).phase = kind;
    this.#draw();
  }

  bytes(target: string, count: number): void {
    this.#state(target).bytesDone += count;
    this.#draw();
  }

  file(target: string): void {
    this.#state(target).filesDone += 1;
    this.#draw();
  }

  clear(): void {
    if (this.#drawn > 0) this.#out.write("\r\u001b[K");
    this.#drawn = 0;
  }

  #state(target: string): State {
    let state = this.#targets.get(target);
    if (state === undefined) {
      state = {
        files: 0,
        filesDone: 0,
        bytes: 0,
        bytesDone: 0,
        phase: "",
        since: performance.now(),
      };
      this.#targets.set(target, state);
    }
    return state;
  }

  #draw(): void {
    const now = performance.now();
    if (now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    const parts = [...this.#targets]
      .filter(([, state]) => state.filesDone < state.files)
      .map(([target, state]) => describe(target, state, now));
    const line = parts.join(" · ").slice(0, Math.max(20, this.#out.columns - 1));
    this.#out.write(`\r\u001b[K${line}`);
  }
}

function describe(target: string, state: State, now: number): string {
  const seconds = (now - state.since) / 1000;
  const rate = seconds > 0 ? state.bytesDone / seconds : 0;
  const left = Math.max(0, state.bytes - state.bytesDone);
  const eta = rate > 0 ? `, ${duration(left / rate)} left` : "";
  const done = `${size(Math.min(state.bytesDone, state.bytes))} of ${size(state.bytes)}`;
  return `${target}: ${state.phase} ${state.filesDone}/${state.files} files, ${done}, ${size(rate)}/s${eta}`;
}
