import type { InventoryRules } from '../inventory/take-inventory.js';
import { isRegistryComponent } from '../names.js';
import { BLOB_ROOTS } from './blob-roots.js';

/** How the keys of a zot registry are read, whatever state it is in. */
export const ZOT_RULES: InventoryRules = {
  isComponent: isRegistryComponent,
  ociLayoutOptional: false,
  blobRoots: new Set(BLOB_ROOTS),
};
