'use strict';
// `awslambda.InvokeStore` of Node.js 24 and later: what SDKs and libraries ask for the running invocation. Loaded when
// somebody does.

const REQUEST_ID = Symbol.for('_AWS_LAMBDA_REQUEST_ID');
const X_RAY_TRACE_ID = Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID');
const TENANT_ID = Symbol.for('_AWS_LAMBDA_TENANT_ID');

// Returns the store; `current` tells which invocation is running.
function invokeStore(current) {
  const own = new WeakMap();
  const context = () => {
    const invocation = current();
    if (!invocation) return undefined;
    let members = own.get(invocation);
    if (!members) {
      members = { [REQUEST_ID]: invocation.id, [X_RAY_TRACE_ID]: invocation.traceId };
      own.set(invocation, members);
    }
    return members;
  };
  return {
    getContext: context,
    hasContext: () => context() !== undefined,
    get: (key) => context()?.[key],
    set(key, value) {
      if ([REQUEST_ID, X_RAY_TRACE_ID, TENANT_ID].includes(key)) {
        throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
      }
      const members = context();
      if (members) members[key] = value;
    },
    run(members, work) {
      const invocation = current();
      if (invocation) own.set(invocation, members);
      return work();
    },
    getRequestId: () => context()?.[REQUEST_ID] ?? '-',
    getXRayTraceId: () => context()?.[X_RAY_TRACE_ID],
    getTenantId: () => context()?.[TENANT_ID],
  };
}

module.exports = { invokeStore };
