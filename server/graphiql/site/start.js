/** Puts GraphiQL on the page. React, ReactDOM, GraphiQL and its explorer are globals of their own scripts. */

import { examplesPlugin } from "./examples.js";
import { darkroomFetcher } from "./fetcher.js";
import { BuildLog, LogPane } from "./log.js";
import { darkUnlessChosen } from "./theme.js";

const { createElement } = React;

// A blank token: what is pasted behind "Bearer " goes for every tab (see fetcher.js).
const HEADERS = '{\n  "Authorization": "Bearer "\n}';

const examples = JSON.parse(document.getElementById("examples").textContent);
// Relative to the page's own address, so a path prefix needs no configuration.
const endpoint = new URL("graphql", document.baseURI);
const buildLog = new BuildLog();

function Logo() {
  const src = new URL("favicon.svg", import.meta.url).href;
  return createElement(
    "a",
    { className: "darkroom-logo", href: "graphiql" },
    createElement("img", { src, alt: "", width: 22, height: 22 }),
    "Darkroom",
  );
}

darkUnlessChosen();

const page = createElement(
  GraphiQL,
  {
    fetcher: darkroomFetcher(endpoint, buildLog),
    plugins: [examplesPlugin(examples), GraphiQLPluginExplorer.explorerPlugin()],
    defaultTabs: examples.map(({ query, variables }) => ({ query, variables, headers: HEADERS })),
    defaultQuery: "# A new operation. Ctrl-Space completes, Ctrl-Enter runs.\n\n",
    defaultHeaders: HEADERS,
    defaultEditorToolsVisibility: "variables",
    inputValueDeprecation: true,
    // A token does not belong in storage that outlives the browser's session.
    shouldPersistHeaders: false,
  },
  createElement(GraphiQL.Logo, null, createElement(Logo)),
  createElement(GraphiQL.Footer, null, createElement(LogPane, { log: buildLog })),
);

ReactDOM.createRoot(document.getElementById("darkroom")).render(page);
