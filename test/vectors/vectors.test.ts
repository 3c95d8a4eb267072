import { afterEach, describe, expect, it } from 'vitest';
import { checkLs, checkScan } from './check-ls.js';
import type { Order } from './check-view.js';
import type { Row } from './row.js';
import { ROWS } from './rows.js';
import { Stage } from './stage.js';

/** The vectors of the layouts that registries write, as a mount and as `layoutfs ls` show them. */

let stage: Stage;

afterEach(() => stage.close());

const titled = ROWS.map((row): [string, Row] => [`${row.vector}: ${row.title}`, row]);

describe.each(titled)('vector %s', (_, row) => {
  const { refused } = row.expect;
  const ofDirectory = row.store !== 'memory' && row.faults === undefined;
  const isStatic = row.expect.repositories !== undefined || row.expect.ls !== undefined;
  if (isStatic && ofDirectory && row.prefix === undefined && row.zotConfig === undefined) {
    it('is listed by ls', async () => {
      stage = await Stage.set(row);
      await checkLs(stage.source, row, stage.directory);
    });
  }

  if (refused !== undefined) {
    it('is refused', async () => {
      stage = await Stage.set(row);
      await expect(stage.open()).rejects.toThrow(refused);
    });
    return;
  }

  it.each<Order>(['listing first', 'lookups first'])('is shown, %s', async (order) => {
    stage = await Stage.set(row);
    const view = await stage.open();
    await stage.check(row.expect, order);
    expect(stage.store.heads, 'HEAD requests').toEqual([]);
    if (!stage.hasPlaceholders) expect(view.counters.get('registry.flatList')).toBe(0);
  });

  if (isStatic) {
    it('is scanned', async () => {
      stage = await Stage.set(row);
      await checkScan((await stage.open()).wired.registry, row);
    });
  }

  if (row.then === undefined) return;
  it('changes', async () => {
    stage = await Stage.set(row);
    await stage.open();
    for (const { title, run } of row.then ?? []) {
      try {
        await run(stage);
      } catch (error) {
        (error as Error).message = `${title}: ${(error as Error).message}`;
        throw error;
      }
    }
  });
});
