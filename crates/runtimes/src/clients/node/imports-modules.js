'use strict';
// What the hooks of a profile do with ES modules, in whichever thread they run: tells who imports whom, and marks where
// the code of a module begins and ends.

const crypto = require('crypto');

const TEXT_MAX = 400;

// Makes the name of the property that marked modules call.
function marker() {
  return `_${crypto.randomBytes(12).toString('hex')}`;
}

class Marking {
  constructor(key, send) {
    this.key = key;
    this.send = send;
    // The sources of modules whose imports are still to be resolved.
    this.sources = new Map();
  }

  // Tells what was imported from where.
  resolved(specifier, context, found) {
    if (isRequired(context) || !found.url.startsWith('file:')) return found;
    this.send(['i', text(context.parentURL ?? ''), text(found.url), this.line(context.parentURL, specifier)]);
    return found;
  }

  unresolved(specifier, context, error) {
    if (isRequired(context)) return;
    const message = `${error?.code ?? error?.name}: ${String(error?.message).split('\n')[0]}`;
    const { parentURL } = context;
    this.send(['u', text(parentURL ?? ''), text(specifier), this.line(parentURL, specifier), text(message)]);
  }

  // Returns a module with its marks. CommonJS is left to what `require` would do.
  loaded(url, found) {
    if (found.format !== 'module' || !url.startsWith('file:') || found.source == null) return found;
    const source = typeof found.source === 'string' ? found.source : new TextDecoder().decode(found.source);
    this.sources.set(url, source);
    return { ...found, source: this.marked(source, url) };
  }

  // On the same lines as before, so that positions in errors stay right.
  marked(source, url) {
    const call = (what) => `globalThis.${this.key}?.${what}(${JSON.stringify(text(url))});`;
    const shebang = /^#!.*\n/.exec(source)?.[0] ?? '';
    const rest = source.slice(shebang.length).replace(/^\ufeff/, '');
    return `${shebang}${call('begin')}${rest}\n;${call('end')}`;
  }

  // The line of an import, if it can be told.
  line(parentURL, specifier) {
    const source = this.sources.get(parentURL);
    if (source === undefined) return null;
    for (const quote of ['"', "'"]) {
      const at = source.indexOf(quote + specifier + quote);
      if (at < 0) continue;
      const before = source.slice(0, at).split('\n');
      if (/\b(import|from)\b/.test(before[before.length - 1])) return before.length;
    }
    return null;
  }
}

function isRequired(context) {
  const { conditions = [] } = context;
  return conditions.includes('require') && !conditions.includes('import');
}

// A text that has its limit, and is well-formed.
function text(value) {
  return String(value).slice(0, TEXT_MAX).replace(/[\ud800-\udfff]/gu, '\ufffd');
}

module.exports = { Marking, marker };
