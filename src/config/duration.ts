/** Milliseconds in one of each unit a duration may be written in. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/**
 * The milliseconds in a duration such as `500ms`, `5s`, `2m` or `1h`; `0` needs no unit.
 * Undefined when `text` is none.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = DURATION.exec(text.trim());
  const scale = UNITS[match?.[2] ?? ''];
  if (match?.[1] === undefined || scale === undefined) return undefined;
  return Math.round(Number(match[1]) * scale);
}

/** A duration in its shortest exact form, e.g. 5000 ms as `5s`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    const scale = UNITS[unit];
    if (scale !== undefined && milliseconds > 0 && milliseconds % scale === 0) {
      return `${milliseconds / scale}${unit}`;
    }
  }
  return `${milliseconds}ms`;
}
