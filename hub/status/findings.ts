import { printable } from "../format.ts";

/** Collects what is to be told, so that what concerns many hosts alike is one line. */
export class Findings {
  readonly #groups = new Map<string, { place: string; hosts: string[]; message: string }>();

  /**
   * @param place - a target's name; "" for the hub.
   * @param host - a host's name; "" where it concerns none of them.
   */
  add(place: string, host: string, message: string): void {
    const key = `${place}\n${message}`;
    const group = this.#groups.get(key) ?? { place, hosts: [], message };
    if (host !== "") group.hosts.push(host);
    this.#groups.set(key, group);
  }

  /** One line each: `peer: joker, q: …`. */
  lines(): string[] {
    return [...this.#groups.values()].map(({ place, hosts, message }) =>
      printable([place, hosts.join(", "), message].filter((part) => part !== "").join(": ")),
    );
  }
}

/** A time as people read it, in UTC: `2026-08-30 02:00 UTC`. */
export function when(time: number | string): string {
  return `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** An age as people read it: `5 min`, `3 h`, `12 d`. */
export function age(seconds: number): string {
  if (seconds < 3600) return `${Math.max(0, Math.floor(seconds / 60))} min`;
  if (seconds < 72 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** The first of several, and how many there are beside it. */
export function firstOf(lines: readonly string[]): string {
  const [first = "it left no reason"] = lines;
  return lines.length > 1 ? `${first} (and ${lines.length - 1} more)` : first;
}
