import type { RegistryScan } from '../registry.js';
import type { Inventory } from './inventory.js';
import { findShadowed } from './shadowed.js';

/** A fresh inventory as `ls` and `status` want it. */
export function toScan({ survey }: Inventory): RegistryScan {
  if (survey === undefined) throw new Error('An inventory read back from disk has no survey.');
  const { repositories, placeholders, lost, incomplete, keys, ignored } = survey;
  const shadowed = findShadowed(repositories);
  return {
    repositories: repositories
      .filter((name) => !shadowed.has(name))
      .map((name) => ({ name, placeholders: placeholders.get(name) ?? 0 })),
    shadowed: [...shadowed],
    lost,
    incomplete,
    keys,
    ignored,
  };
}
