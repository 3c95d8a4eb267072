import { expect, it } from 'vitest';
import { renderConfiguration } from './documentation.js';

it('docs/configuration.md says what the options are now', async () => {
  await expect(renderConfiguration()).toMatchFileSnapshot('../../docs/configuration.md');
});
