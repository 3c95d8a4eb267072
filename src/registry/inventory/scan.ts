import type { RegistryScan } from '../registry.js';
import type { Inventory } from './inventory.js';

/** A fresh inventory as `ls` and `status` want it. */
export function toScan({ survey }: Inventory): RegistryScan {
  if (survey === undefined) throw new Error('An inventory read back from disk has no survey.');
  const { repositories, placeholders, lost, incomplete, keys, ignored } = survey;
  return {
    repositories: repositories.map((name) => ({ name, placeholders: placeholders.get(name) ?? 0 })),
    lost,
    incomplete,
    keys,
    ignored,
  };
}
