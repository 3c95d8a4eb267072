/** Largest `index.json` that is read, in bytes (100,000 tags are about 22 MB). */
export const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/** Manifests larger than this are leaves, in bytes. Registries refuse far smaller ones (4 MiB is common). */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
