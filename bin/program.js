'use strict';
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { constants, Script } = require('node:vm');

/** What Node puts around a file, too. */
const HEAD = '(function (exports, require, module, __filename, __dirname) { ';
const TAIL = '\n})';

/**
 * Loads the files of dist/program as require() does, but with the code that V8 had made of them when
 * the program was built, if that is there: to make it again takes longer than anything else at the
 * start. It is never needed. V8 takes code of its own version and flags only, but asks no more of the
 * source than its length, so a digest of both stands in front of it.
 */
class Program {
  #directory;
  #code;
  #require;
  #modules = new Map();
  #scripts = new Map();

  /** @param {string} directory of the files */
  constructor(directory) {
    this.#directory = directory;
    this.#code = join(directory, 'code', `${process.versions.v8}-${process.arch}`);
    const other = createRequire(join(directory, 'main.js'));
    const own = (id) => (id.startsWith('./') ? this.load(id) : other(id));
    this.#require = Object.assign(own, other);
  }

  /** The exports of a file, such as `./main.js`. */
  load(id) {
    const known = this.#modules.get(id);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    this.#modules.set(id, module);
    try {
      const filename = join(this.#directory, id);
      const run = this.#compile(id, filename).runInThisContext();
      run.call(module.exports, module.exports, this.#require, module, filename, this.#directory);
      return module.exports;
    } catch (error) {
      this.#modules.delete(id);
      throw error;
    }
  }

  /** Keep the code of all that was loaded, as far as it was compiled, for the next time. */
  keepCode() {
    mkdirSync(this.#code, { recursive: true });
    for (const [id, { source, script }] of this.#scripts) {
      const code = script.createCachedData();
      writeFileSync(this.#codeFile(id), Buffer.concat([digestOf(source, code), code]));
    }
  }

  #compile(id, filename) {
    const source = HEAD + readFileSync(filename, 'utf8') + TAIL;
    const script = new Script(source, {
      filename,
      // As if the head were not there.
      columnOffset: -HEAD.length,
      cachedData: this.#keptCode(id, source),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    this.#scripts.set(id, { source, script });
    return script;
  }

  #keptCode(id, source) {
    try {
      const kept = readFileSync(this.#codeFile(id));
      const code = kept.subarray(DIGEST);
      return kept.subarray(0, DIGEST).equals(digestOf(source, code)) ? code : undefined;
    } catch {
      return undefined;
    }
  }

  #codeFile(id) {
    return join(this.#code, `${id}.code`);
  }
}

/** Length of a SHA-256 in bytes. */
const DIGEST = 32;

function digestOf(source, code) {
  return createHash('sha256').update(source).update(code).digest();
}

module.exports = { Program };
