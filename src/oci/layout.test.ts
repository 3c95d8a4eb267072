import { expect, test } from 'vitest';
import { inspectOciLayout, OCI_LAYOUT_BYTES } from './layout.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test.each([
  ['what we synthesise', OCI_LAYOUT_BYTES],
  ['extra fields', text('{"imageLayoutVersion": "1.0.0", "note": 1}\n')],
])('an oci-layout is right: %s', (_, bytes) => {
  expect(inspectOciLayout(bytes)).toBeUndefined();
});

test('the synthesised oci-layout is the one registries write', () => {
  expect(new TextDecoder().decode(OCI_LAYOUT_BYTES)).toBe('{"imageLayoutVersion":"1.0.0"}');
});

test.each([
  ['', 'is empty'],
  ['{', 'is not JSON'],
  ['[]', 'is not a JSON object'],
  ['null', 'is not a JSON object'],
  ['{}', 'names no imageLayoutVersion'],
  ['{"imageLayoutVersion":"1.1.0"}', '"1.1.0"; 1.0.0 was expected'],
  ['{"imageLayoutVersion":1}', '1; 1.0.0 was expected'],
])('an oci-layout is odd: %j', (content, complaint) => {
  expect(inspectOciLayout(text(content))).toContain(complaint);
});
