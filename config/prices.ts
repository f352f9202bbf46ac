/** What of the price table a stack's config may say anew: prices change, and contracts differ. */
import { z } from "zod";

const amount = z.number().min(0).max(1_000_000);

const calls = z.strictObject({
  perMillion: amount.describe("USD for a million calls."),
  freeMillions: amount.describe("Millions of calls a month that cost nothing."),
});

/** One provider's prices in USD, a month of 30 days. */
export const priceSchema = z.strictObject({
  date: z.iso.date({ error: 'a date such as "2026-11-01"' }).describe("When the prices were read."),
  source: z.string().min(1).max(200).describe("Where they were read."),
  units: z
    .enum(["decimal", "binary"])
    .describe("How the provider counts: a TB is 10^12 bytes (decimal) or 2^40 (binary)."),
  storagePerTB: amount.describe("USD for storing a TB for a month."),
  freeGB: amount.describe("GB that cost nothing."),
  minimumGB: amount.describe("GB that are charged even where less is stored."),
  minimumDays: z
    .int()
    .min(0)
    .max(3_650)
    .describe("Days that a file is charged for, however soon it is deleted."),
  egressPerGB: amount.describe("USD for a GB that is read, beyond what is free."),
  egressFree: z
    .union([amount, z.literal("all")], { error: 'a number of at least 0, or "all"' })
    .describe("How many times what is stored can be read each month for nothing."),
  uploads: calls.describe("Calls that write, hide or list."),
  downloads: calls.describe("Calls that read."),
});

/** The providers whose prices are known. */
export const PROVIDERS = ["b2", "r2", "wasabi"] as const;

export type Provider = (typeof PROVIDERS)[number];
export type Price = z.infer<typeof priceSchema>;

const override = priceSchema.partial().required({ date: true });

/** What goes before the table of `offsite cost`. */
export const pricesSchema = z.strictObject({
  b2: override.optional(),
  r2: override.optional(),
  wasabi: override.optional(),
});

export type PriceOverrides = z.infer<typeof pricesSchema>;
