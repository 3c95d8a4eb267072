import { writableStore } from '../daemon/open-source.js';
import { withPace } from '../migrate/run/pace.js';
import type { RegistryArea } from '../registry/registry.js';
import type { WritableObjectStore } from '../store/object-store.js';
import { type ActingOptions, rateOf } from './acting-options.js';

/** The store of an area with its writing verbs, as fast as the operator allows. @throws UsageError */
export function actingStore(
  area: RegistryArea,
  options: ActingOptions,
  signal: AbortSignal,
): WritableObjectStore {
  const store = writableStore(area.store);
  const rate = rateOf(options);
  return rate === undefined ? store : withPace(store, rate, signal);
}
