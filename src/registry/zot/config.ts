import { resolve } from 'node:path';
import { parse } from 'yaml';
import type { FileSource, S3Source } from '../../store/source.js';
import { ZotConfigError } from '../errors.js';
import { ConfigSection } from './config-value.js';

/**
 * The storage part of a zot configuration
 * (https://zotregistry.dev/latest/articles/storage/), and the parameters of the S3 driver it passes
 * on (https://distribution.github.io/distribution/storage-drivers/s3/).
 */

/** Secrets that a configuration holds itself. Never log them. */
export interface StoreCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** One store of a zot registry. */
export interface ZotStore {
  /** First component of the names that are kept here; empty for all others. */
  readonly route: string;
  readonly source: S3Source | FileSource;
  /** Key prefix of the registry's root in it, without trailing slash. */
  readonly root: string;
  readonly credentials?: StoreCredentials;
  /** Do not check the server's certificate. */
  readonly skipVerify?: boolean;
}

export interface ZotConfig {
  /** The default store first. */
  readonly stores: readonly ZotStore[];
  /** Full sentences: what zot would not use either. */
  readonly warnings: readonly string[];
}

/**
 * The stores that a zot configuration names. `text` is JSON or YAML; `path` is for messages only.
 * Relative directories are resolved against the working directory, as zot does.
 * @throws ZotConfigError when it is no zot configuration or names a storage we cannot read.
 */
export function readZotConfig(text: string, path: string): ZotConfig {
  const storage = parseFile(text, path).section('storage');
  if (storage === undefined) {
    throw new ZotConfigError(
      `${path} has no "storage" section, so it is no zot configuration: name the file that zot is started with.`,
    );
  }
  const stores = [readStore(storage, '', path)];
  const warnings: string[] = [];
  const subPaths = storage.section('subPaths');
  for (const name of subPaths?.names() ?? []) {
    const section = subPaths?.section(name);
    const route = name.replace(/^\/+|\/+$/g, '');
    if (section === undefined || route === '') continue;
    if (route.includes('/')) {
      warnings.push(
        `The sub-path ${name} of ${path} is left out: zot chooses a store by the first component of a name, so it never uses this one.`,
      );
      continue;
    }
    stores.push(readStore(section, route, path));
  }
  return { stores, warnings };
}

function parseFile(text: string, path: string): ConfigSection {
  let value: unknown;
  try {
    // JSON first: YAML's reader refuses tabs, which JSON may be indented with.
    value = /^\s*\{/.test(text) ? JSON.parse(text) : parse(text);
  } catch {
    // The parser's message quotes the text, and with it perhaps a secret.
    throw new ZotConfigError(`${path} is neither JSON nor YAML that can be read.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ZotConfigError(`${path} is no zot configuration: it holds no object.`);
  }
  return new ConfigSection(value, '', path);
}

function readStore(section: ConfigSection, route: string, path: string): ZotStore {
  const driver = section.section('storageDriver');
  // zot takes an empty driver section for none.
  if (driver !== undefined && driver.names().length > 0) return readDriver(driver, route, path);
  const directory = section.text('rootDirectory');
  if (directory === undefined) {
    throw section.error('rootDirectory', 'is missing: it names the directory of a local store');
  }
  return { route, source: { kind: 'file', root: resolve(directory), prefix: '' }, root: '' };
}

function readDriver(driver: ConfigSection, route: string, path: string): ZotStore {
  const name = driver.text('name');
  if (name === 'gcs' || name === 'azure') {
    throw new ZotConfigError(
      `${path} keeps its registry in ${name === 'gcs' ? 'Google Cloud Storage' : 'Azure Blob Storage'}, which is not supported yet: S3 and local directories are.`,
    );
  }
  if (name !== 's3' && name !== 's3aws') {
    throw driver.error('name', 'is no storage driver we know: s3 is supported');
  }
  if (driver.flag('v4auth') === false) {
    throw driver.error('v4auth', 'asks for signatures of version 2, which are not supported');
  }
  const bucket = driver.text('bucket');
  if (bucket === undefined) throw driver.error('bucket', 'is missing');
  const region = driver.text('region');
  const endpoint = readEndpoint(driver);
  const credentials = readCredentials(driver);
  const skipVerify = driver.flag('skipverify') === true;
  const source: S3Source = {
    kind: 's3',
    bucket,
    prefix: '',
    // Buckets of other servers are rarely host names, whatever the driver's default.
    pathStyle: driver.flag('forcepathstyle') ?? endpoint !== undefined,
    anonymous: false,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  };
  return {
    route,
    source,
    root: doubledRoot(driver.text('rootdirectory') ?? ''),
    ...(credentials === undefined ? {} : { credentials }),
    ...(skipVerify ? { skipVerify } : {}),
  };
}

/** zot's S3 driver puts its root directory in front of paths that begin with it already. */
function doubledRoot(rootDirectory: string): string {
  const root = rootDirectory.replace(/^\/+|\/+$/g, '');
  return root === '' ? '' : `${root}/${root}`;
}

function readEndpoint(driver: ConfigSection): string | undefined {
  const given = driver.text('regionendpoint');
  if (given === undefined) return undefined;
  const scheme = driver.flag('secure') === false ? 'http' : 'https';
  const endpoint = /^https?:\/\//i.test(given) ? given : `${scheme}://${given}`;
  if (!URL.canParse(endpoint) || endpoint.includes('@')) {
    throw driver.error('regionendpoint', 'is not the address of a server');
  }
  return endpoint;
}

function readCredentials(driver: ConfigSection): StoreCredentials | undefined {
  const accessKeyId = driver.text('accesskey');
  const secretAccessKey = driver.text('secretkey');
  // The driver uses them only together, and else the machine's own credentials.
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = driver.text('sessiontoken');
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}
