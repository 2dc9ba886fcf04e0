/** How operations travel: HTTP for queries and mutations, graphql-transport-ws for subscriptions. */

const TOKEN = "darkroom:authorization";

/**
 * A GraphiQL fetcher for `endpoint` that shows the log lines it receives in `buildLog`.
 *
 * @param {URL} endpoint
 * @param {import("./log.js").BuildLog} buildLog
 */
export function darkroomFetcher(endpoint, buildLog) {
  const socket = new URL(endpoint);
  socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";
  const send = GraphiQL.createFetcher({
    url: endpoint.href,
    subscriptionUrl: socket.href,
    enableIncrementalDelivery: false,
    fetch: fetchJson,
  });
  return async (params, options) => {
    const result = await send(params, { ...options, headers: effectiveHeaders(options?.headers) });
    if (params.operationName === "IntrospectionQuery") return result;
    buildLog.clear();
    return isStream(result) ? watched(result, buildLog) : buildLog.seen(result);
  };
}

/**
 * What the headers editor says, with the token of this browser session where its own is blank:
 * pasting it into one tab is enough. Without the Authorization key, nothing is sent.
 * For a subscription GraphiQL sends the same object as the payload of `connection_init`.
 */
function effectiveHeaders(headers = {}) {
  const effective = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() !== "authorization") effective[name] = value;
    else Object.assign(effective, authorization(value));
  }
  return effective;
}

function authorization(value) {
  const blank = /^\s*(bearer)?\s*$/i.test(value);
  if (!blank) sessionStorage.setItem(TOKEN, value);
  const token = blank ? sessionStorage.getItem(TOKEN) : value;
  return token ? { Authorization: token } : {};
}

/** fetch, with the header that an HTML form of another site cannot send, and readable failures. */
async function fetchJson(url, init) {
  const headers = { ...init.headers, "X-Requested-With": "GraphiQL" };
  const response = await fetch(url, { ...init, headers });
  if (!/\bjson\b/.test(response.headers.get("Content-Type") ?? "")) {
    throw new Error(`${response.status} ${response.statusText}: ${await response.text()}`);
  }
  return response;
}

function isStream(result) {
  return typeof result?.[Symbol.asyncIterator] === "function";
}

/** The same stream; ending it ends the original, which ends the subscription at the server. */
function watched(stream, buildLog) {
  const source = stream[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const step = await source.next();
      if (!step.done) buildLog.seen(step.value);
      return step;
    },
    return: (value) => source.return?.(value) ?? Promise.resolve({ done: true, value }),
  };
}
