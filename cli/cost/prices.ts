/** What providers charge. Prices change: each has the date at which it was read. */
import type { Price, PriceOverrides, Provider } from "../../config/prices.ts";

const FREE_CALLS = { perMillion: 0, freeMillions: 0 } as const;

/** The prices for pay-as-you-go, without taxes. The config's `prices` goes before them. */
export const PRICES: Readonly<Record<Provider, Price>> = {
  b2: {
    date: "2026-09-30",
    // Read by third parties; the page itself could not be asked.
    source: "www.backblaze.com/cloud-storage/pricing",
    units: "decimal",
    storagePerTB: 6.95,
    freeGB: 10,
    minimumGB: 0,
    minimumDays: 0,
    egressPerGB: 0.01,
    egressFree: 3,
    uploads: FREE_CALLS,
    downloads: FREE_CALLS,
  },
  r2: {
    date: "2026-09-30",
    source: "developers.cloudflare.com/r2/pricing",
    units: "decimal",
    storagePerTB: 15,
    freeGB: 10,
    minimumGB: 0,
    minimumDays: 0,
    egressPerGB: 0,
    egressFree: "all",
    uploads: { perMillion: 4.5, freeMillions: 1 },
    downloads: { perMillion: 0.36, freeMillions: 10 },
  },
  wasabi: {
    date: "2026-09-30",
    source: "wasabi.com/pricing",
    // "1 TB (1024 GB)", in the provider's own words on its minimum.
    units: "binary",
    storagePerTB: 6.99,
    freeGB: 0,
    minimumGB: 1024,
    minimumDays: 90,
    egressPerGB: 0,
    // More than once what is stored is against its policy, and costs nothing.
    egressFree: "all",
    uploads: FREE_CALLS,
    downloads: FREE_CALLS,
  },
};

/** The price table with what the config says anew. */
export function priceTable(overrides: PriceOverrides = {}): Record<Provider, Price> {
  const entries = Object.entries(PRICES).map(([provider, price]) => {
    const given = overrides[provider as Provider] ?? {};
    // Where a price comes from is no longer known once another was given.
    const source = Object.keys(given).length > 0 ? { source: "the stack's settings" } : {};
    return [provider, { ...price, ...source, ...withoutUndefined(given) }] as const;
  });
  return Object.fromEntries(entries) as Record<Provider, Price>;
}

function withoutUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, each]) => each !== undefined),
  ) as Partial<T>;
}
