import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCES = new URL('../../src/', import.meta.url).href;

/** What was compiled before, by the hash of its source: loading the compiler takes long. */
const CACHE = new URL('../../node_modules/.cache/typescript-threads/', import.meta.url);

/** In the sources, `x.js` means `x.ts`. */
export async function resolve(specifier, context, next) {
  if (/^(\.|file:)/.test(specifier)) {
    const url = new URL(specifier, context.parentURL).href;
    const source = url.replace(/\.js$/, '.ts');
    if (source.startsWith(SOURCES) && url !== source && existsSync(fileURLToPath(source))) {
      return { url: source, format: 'module', shortCircuit: true };
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith(SOURCES) || !url.endsWith('.ts')) return next(url, context);
  const text = readFileSync(fileURLToPath(url), 'utf8');
  const cached = new URL(`${createHash('sha256').update(text).digest('hex')}.mjs`, CACHE);
  if (!existsSync(cached)) {
    const { default: typescript } = await import('typescript');
    const { outputText } = typescript.transpileModule(text, {
      compilerOptions: { module: 'esnext', target: 'es2022', verbatimModuleSyntax: true },
    });
    mkdirSync(CACHE, { recursive: true });
    const half = new URL(`${cached.href}.${process.pid}.${performance.now()}`);
    writeFileSync(half, outputText);
    renameSync(half, cached);
  }
  return { format: 'module', source: readFileSync(cached, 'utf8'), shortCircuit: true };
}
