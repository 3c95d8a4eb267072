import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Corpus, StoredDescriptor } from './corpus.js';
import { INDEX, MANIFEST, REF_NAME, repository, sha256 } from './corpus.js';
import type { Layer, LayerFile } from './umoci.js';
import { UmociLayout } from './umoci.js';

const run = promisify(execFile);
const BUSYBOX = '/bin/busybox';

/**
 * Build the corpus of real images, offline, in about a second, from Debian's busybox-static:
 * - `library/busybox`: two layers, three tags of one digest;
 * - `team/app`: busybox and one more layer, two tags, and an SBOM that refers to it;
 * - `team/app/tools`: a repository nested in another, one layer of busybox and one of its own;
 * - `library/multi`: an image index over linux/amd64 and linux/arm64/v8.
 * @throws Error when busybox, umoci or tar is missing.
 */
export async function buildCorpus(): Promise<Corpus> {
  const scratch = await mkdtemp(join(tmpdir(), 'layoutfs-images-'));
  try {
    return await build(await UmociLayout.create(scratch));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function build(layout: UmociLayout): Promise<Corpus> {
  await layout.build('busybox', undefined, [await busyboxLayer(), ETC_LAYER], { cmd: ['/bin/sh'] });
  await layout.build('app', 'busybox', [APP_LAYER], { cmd: ['/usr/bin/app'] });
  await layout.build('tools', 'busybox', [TOOLS_LAYER], { cmd: ['/usr/bin/tools'] });
  await layout.build('amd64', 'busybox', [platformLayer('amd64')]);
  await layout.build('arm64', undefined, [ETC_LAYER, platformLayer('arm64')], {
    architecture: 'arm64',
  });

  const blobs = await readBlobs(join(layout.path, 'blobs', 'sha256'));
  const put = (mediaType: string, text: string): StoredDescriptor => {
    const bytes = Buffer.from(text);
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };

  const busybox = await layout.descriptor('busybox');
  const app = await layout.descriptor('app');
  const amd64 = await layout.descriptor('amd64');
  const arm64 = await layout.descriptor('arm64');
  const multi = put(
    INDEX,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { ...amd64, platform: { architecture: 'amd64', os: 'linux' } },
        { ...arm64, platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
      ],
    }),
  );
  const sbom = put(
    MANIFEST,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: 'application/spdx+json',
      config: put('application/vnd.oci.empty.v1+json', '{}'),
      layers: [put('application/spdx+json', JSON.stringify(SBOM))],
      subject: app,
    }),
  );

  // Order is push order: children before the index that names them, a referrer after its subject.
  const repositories = [
    repository(
      'library/busybox',
      ['1.35.0', '1.35', 'latest'].map((tag) => tagged(busybox, tag)),
      blobs,
    ),
    repository('library/multi', [amd64, arm64, tagged(multi, '1.0')], blobs),
    repository('team/app', [tagged(app, '1.0'), tagged(app, 'stable'), sbom], blobs),
    repository('team/app/tools', [tagged(await layout.descriptor('tools'), 'v1')], blobs),
  ];
  // umoci leaves the manifests of its intermediate steps behind; no registry ever saw those.
  const used = new Set(repositories.flatMap(({ closure }) => closure));
  return { blobs: new Map([...blobs].filter(([digest]) => used.has(digest))), repositories };
}

function tagged(descriptor: StoredDescriptor, tag: string): StoredDescriptor {
  return { ...descriptor, annotations: { [REF_NAME]: tag } };
}

async function readBlobs(directory: string): Promise<Map<string, Buffer>> {
  const blobs = new Map<string, Buffer>();
  for (const name of await readdir(directory)) {
    blobs.set(`sha256:${name}`, await readFile(join(directory, name)));
  }
  return blobs;
}

/** busybox and a link for each of its applets, as `busybox --install -s` would make them. */
async function busyboxLayer(): Promise<Layer> {
  const { stdout } = await run(BUSYBOX, ['--list']);
  const files: Record<string, LayerFile> = { 'bin/busybox': { from: BUSYBOX, mode: 0o755 } };
  for (const applet of stdout.split('\n')) {
    if (applet !== '' && applet !== 'busybox') files[`bin/${applet}`] = { link: 'busybox' };
  }
  return files;
}

const ETC_LAYER: Layer = {
  'etc/group': { text: 'root:x:0:\n' },
  'etc/os-release': { text: 'ID=busybox\nNAME=busybox\nPRETTY_NAME="busybox, built by umoci"\n' },
  'etc/passwd': { text: 'root:x:0:0:root:/root:/bin/sh\n' },
};

const APP_LAYER: Layer = {
  'usr/bin/app': {
    text: '#!/bin/sh\n. /etc/os-release\necho "Hello from $PRETTY_NAME"\n',
    mode: 0o755,
  },
};

const TOOLS_LAYER: Layer = {
  'usr/bin/tools': { text: '#!/bin/sh\nexec /bin/busybox "$@"\n', mode: 0o755 },
};

function platformLayer(architecture: string): Layer {
  return { 'etc/architecture': { text: `${architecture}\n` } };
}

/** https://spdx.github.io/spdx-spec/v2.3/, the smallest document that says something. */
const SBOM = {
  spdxVersion: 'SPDX-2.3',
  dataLicense: 'CC0-1.0',
  SPDXID: 'SPDXRef-DOCUMENT',
  name: 'team/app',
  documentNamespace: 'https://example.invalid/team/app',
  creationInfo: { created: '2024-01-01T00:00:00Z', creators: ['Tool: layoutfs-test-images'] },
  packages: [
    {
      SPDXID: 'SPDXRef-busybox',
      name: 'busybox',
      versionInfo: '1.35.0',
      downloadLocation: 'NOASSERTION',
      filesAnalyzed: false,
    },
  ],
};
