import { afterAll, beforeAll, describe } from 'vitest';
import { openStore } from '../../../src/store/open.js';
import type { WritableObjectStore } from '../../../src/store/object-store.js';
import type { RunningTarget, Target } from '../targets.js';
import { conditions } from './conditions.js';
import type { Context } from './context.js';
import { keys } from './keys.js';
import { listing } from './listing.js';
import { memory } from './memory.js';
import { ranges } from './ranges.js';
import { refusals } from './refusals.js';
import { transfer } from './transfer.js';
import { verbs } from './verbs.js';
import { writing } from './writing.js';

/** The one suite that every store driver passes over every server at hand. */
export function conformance(target: Target): void {
  describe(`the store over ${target.name}`, () => {
    let running: RunningTarget | undefined;
    let store: WritableObjectStore | undefined;
    const present = <T>(value: T | undefined): T => {
      if (value === undefined) throw new Error(`${target.name} did not start.`);
      return value;
    };
    const context: Context = {
      get store() {
        return present(store);
      },
      get target() {
        return present(running);
      },
      differences: target.differences,
    };

    beforeAll(async () => {
      running = await target.start();
      store = await openStore(running.source);
    });
    afterAll(async () => {
      await store?.close();
      await running?.stop();
    });

    describe('verbs', () => verbs(context));
    describe('writing', () => writing(context));
    describe('ranges', () => ranges(context));
    describe('conditions', () => conditions(context));
    describe('listing', () => listing(context));
    describe('keys', () => keys(context));
    describe('transfer', () => transfer(context));
    describe('memory', () => memory(context));
    if (target.hasServer) describe('refusals', () => refusals(context));
  });
}
