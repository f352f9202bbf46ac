import { size } from "../../hub/format.ts";

/** A value as a dashboard shows it, by Grafana's name of its unit. */
export function formatted(value: number, unit: string): string {
  switch (unit) {
    case "bytes":
      return value === 0 ? "0" : size(value);
    case "s":
      return time(value);
    case "percentunit":
      return `${Math.round(value * 100)} %`;
    default:
      return String(Math.round(value * 100) / 100);
  }
}

function time(seconds: number): string {
  const [amount, name] =
    seconds >= 2 * 86_400
      ? [seconds / 86_400, "d"]
      : seconds >= 7200
        ? [seconds / 3600, "h"]
        : seconds >= 120
          ? [seconds / 60, "min"]
          : [seconds, "s"];
  return `${amount >= 10 ? Math.round(amount) : Math.round(amount * 10) / 10} ${name}`;
}
