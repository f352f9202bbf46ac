/**
 * Where the hub's agent tries at a target what must be refused, beside the hosts' repositories; no
 * host may be called so. In a file of its own, so that the agent does not load the config's rules.
 */
export const CANARY = "offsite-canary";
