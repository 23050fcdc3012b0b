'use strict';
// Finds and loads what the Handler setting names: `dir/file.export`, where the export may be nested.
//
// CommonJS is loaded without a detour through promises, so that the first `/next` follows at once.

const fs = require('fs');
const path = require('path');

const errors = () => require('./errors.js');
// `import`, which a client that V8 has compiled before does not have itself.
const importer = require('./importer.js');

// Calls `loaded` with the handler, or `failed` with the reason why there is none. `profile`, if there is one, wants to know
// what is imported.
function load(taskRoot, name, withRequire, loaded, failed, profile) {
  let found;
  try {
    found = find(taskRoot, name, withRequire, profile);
    if (!found.promise) return loaded(member(found.module, found.member, name, withRequire));
  } catch (error) {
    return failed(explained(error, withRequire));
  }
  loadImported(found, name, withRequire, loaded, failed);
}

async function loadImported(found, name, withRequire, loaded, failed) {
  try {
    loaded(member(await found.promise, found.member, name, withRequire));
  } catch (error) {
    failed(explained(error, withRequire));
  }
}

function find(taskRoot, name, withRequire, profile) {
  if (name.includes('..')) {
    throw new (errors().MalformedHandlerName)(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.indexOf(base));
  const dot = base.indexOf('.');
  if (dot < 0) throw new (errors().MalformedHandlerName)('Bad handler');
  const file = path.resolve(taskRoot, folder, base.slice(0, dot));
  const found = withRequire ? findByKind(file, profile) : findByImport(file, profile);
  if (found) return { ...found, member: base.slice(dot + 1) };
  // Not a file of the function: a module of a layer, found as `require` finds it.
  const resolved = require.resolve(base.slice(0, dot), { paths: [taskRoot, path.resolve(taskRoot, folder)] });
  return { module: require(resolved), member: base.slice(dot + 1) };
}

// Up to Node.js 22: what a file is decides how it is loaded.
function findByKind(file, profile) {
  if (fs.existsSync(file)) return { module: require(file) };
  if (fs.existsSync(`${file}.js`)) {
    return isModuleFolder(path.dirname(file)) ? imported(`${file}.js`, profile) : { module: require(`${file}.js`) };
  }
  if (fs.existsSync(`${file}.mjs`)) return imported(`${file}.mjs`, profile);
  if (fs.existsSync(`${file}.cjs`)) return { module: require(`${file}.cjs`) };
  return null;
}

// From Node.js 24 on: everything is imported.
function findByImport(file, profile) {
  const extension = ['', '.js', '.mjs', '.cjs'].find((candidate) => fs.existsSync(file + candidate));
  return extension === undefined ? null : imported(file + extension, profile);
}

// Unlike Node.js alone, Lambda looks for what is imported along NODE_PATH, too: there are the SDK and layers. Where
// there is neither, nothing is done about it: a hook makes loading hundreds of modules some 5 % slower.
function imported(file, profile) {
  const url = require('url');
  const { href } = url.pathToFileURL(file);
  const { folders, parents } = alongNodePath();
  if (folders.length === 0) {
    profile?.importing();
    return { promise: importer(href) };
  }
  const modules = require('module');
  if (!modules.registerHooks) {
    profile?.importing();
    return { promise: importer(href).catch((error) => importedAgain(href, error, folders, parents)) };
  }
  modules.registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (error?.code !== 'ERR_MODULE_NOT_FOUND' || /^([./]|[a-z]+:)/i.test(specifier)) throw error;
        for (const parentURL of parents) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch {
            // It is not there either.
          }
        }
        throw error;
      }
    },
  });
  profile?.hookModules();
  profile?.importing();
  return { promise: importer(href) };
}

// Returns the folders of packages in NODE_PATH that are there, and modules that could stand next to them: what those import
// is found in them.
function alongNodePath() {
  const folders = (process.env.NODE_PATH || '').split(':').filter((folder) => {
    return folder.endsWith('/node_modules') && fs.existsSync(folder);
  });
  const { pathToFileURL } = require('url');
  const parents = folders.map((folder) => pathToFileURL(path.join(path.dirname(folder), 'index.mjs')).href);
  return { folders, parents };
}

// Before Node.js 22.15 such a hook costs a thread, some 30 ms: only for a function that could not be loaded without.
function importedAgain(href, error, folders, parents) {
  const name = error?.code === 'ERR_MODULE_NOT_FOUND' && /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  const { register } = require('module');
  if (!name || !register || !folders.some((folder) => fs.existsSync(path.join(folder, name)))) throw error;
  const hook = require('url').pathToFileURL(path.join(__dirname, 'import-hook.mjs')).href;
  // Node.js remembers what could not be loaded; under another name it tries again.
  const mark = '#';
  register(hook, { data: { parents, mark } });
  return importer(href + mark);
}

// The nearest package.json decides whether `.js` means an ES module.
function isModuleFolder(folder) {
  for (let at = folder; !at.endsWith('/node_modules'); at = path.dirname(at)) {
    let text;
    try {
      text = fs.readFileSync(path.join(at, 'package.json'), 'utf8');
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') return false;
    }
    if (text !== undefined) {
      try {
        return JSON.parse(text).type === 'module';
      } catch (error) {
        console.warn(`${path.join(at, 'package.json')} cannot be read and does not count as a sign of an ES module.`, error);
        return false;
      }
    }
    if (at === path.dirname(at)) return false;
  }
  return false;
}

function member(module, names, name, withRequire) {
  const walk = (from) => names.split('.').reduce((at, key) => at?.[key], from);
  let handler = walk(module);
  if (!handler && !withRequire) handler = walk(module?.default);
  if (!handler) throw new (errors().HandlerNotFound)(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new (errors().HandlerNotFound)(`${name} is not a function`);
  return handler;
}

// Gives an error of loading the type under which Lambda reports it.
function explained(error, withRequire) {
  if (error instanceof SyntaxError) {
    const explanation = new (errors().UserCodeSyntaxError)(error);
    if (!withRequire) explanation.stack = error.stack;
    return explanation;
  }
  try {
    if (error.code === 'MODULE_NOT_FOUND') return new (errors().ImportModuleError)(asOnLambda(String(error)));
  } catch (other) {
    // Nothing has no code; up to Node.js 22 that is the error that AWS reports.
    if (withRequire) return other;
  }
  return error;
}

// Names this client's files as AWS's in the list of who required a missing module.
function asOnLambda(message) {
  const lines = message.split('\n');
  const others = lines.filter((line) => !line.startsWith(`- ${__dirname}`));
  return others.length === lines.length ? message : [...others, '- /var/runtime/index.mjs'].join('\n');
}

module.exports = { alongNodePath, load };
