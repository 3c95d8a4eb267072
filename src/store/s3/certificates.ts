import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as tls from 'node:tls';
import { SourceError } from '../source-error.js';

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates to trust: those of `file` besides what Node trusts anyway. A list given to Node
 * replaces its defaults, `NODE_EXTRA_CA_CERTS` included, so the defaults are added here.
 * @throws SourceError when the file cannot be read or holds no certificate.
 */
export async function trustedCertificates(file: string): Promise<string[]> {
  const own = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SourceError(
      `The certificate file "${file}" (ca) cannot be read: check its path and mode.`,
      {
        cause,
      },
    );
  });
  const blocks = own.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0 || !blocks.every(isCertificate)) {
    throw new SourceError(
      `The file "${file}" (ca) is not a list of PEM certificates ("-----BEGIN CERTIFICATE-----").`,
    );
  }
  return [...(await defaultCertificates()), ...blocks];
}

async function defaultCertificates(): Promise<string[]> {
  // From Node 22.15 on; before, the bundled list is all that can be asked for.
  const modern = tls as typeof tls & { getCACertificates?: (type: 'default') => string[] };
  if (modern.getCACertificates !== undefined) return modern.getCACertificates('default');
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  // Node itself only warns (at its start) when that file cannot be read.
  const more = extra === undefined ? '' : await readFile(extra, 'utf8').catch(() => '');
  return [...tls.rootCertificates, ...(more.match(PEM_BLOCK) ?? [])];
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).fingerprint256 !== '';
  } catch {
    return false;
  }
}
