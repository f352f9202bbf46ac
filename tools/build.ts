/** Builds what runs outside this repository's toolchain. Runs after `npm ci` (npm's `prepare`). */
export {};
