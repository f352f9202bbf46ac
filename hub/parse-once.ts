/**
 * Import this before any schema: zod writes code for each of them at its first use, which pays for
 * itself at thousands of uses, and the agent has few.
 */
import { config } from "zod";

config({ jitless: true });
