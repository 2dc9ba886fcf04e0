/** A list of the example operations, for when their tabs have been closed or written over. */

const { createElement, useEffect, useState } = React;

/** @param {{title: string, query: string, variables: string | null}[]} examples */
export function examplesPlugin(examples) {
  return { title: "Examples", icon: Icon, content: () => createElement(Examples, { examples }) };
}

function Examples({ examples }) {
  const { stop } = GraphiQL.React.useExecutionContext();
  const { addTab, queryEditor, variableEditor } = GraphiQL.React.useEditorContext();
  const [chosen, setChosen] = useState(null);
  // The new tab fills the editors while it renders; the example replaces that afterwards.
  useEffect(() => {
    if (!chosen) return;
    queryEditor.setValue(chosen.query);
    variableEditor.setValue(chosen.variables ?? "");
    setChosen(null);
  }, [chosen]);

  const open = (example) => {
    // A subscription would go on, and write into the new tab's response.
    stop();
    addTab();
    setChosen(example);
  };
  return createElement(
    "div",
    { className: "darkroom-examples" },
    createElement("h2", null, "Examples"),
    createElement(
      "ul",
      null,
      examples.map((example) =>
        createElement(
          "li",
          { key: example.title },
          createElement("button", { type: "button", onClick: () => open(example) }, example.title),
        ),
      ),
    ),
    createElement(
      "p",
      null,
      "If the server asks who you are, paste a token behind ",
      createElement("code", null, "Bearer"),
      " in the Headers editor of any tab, run an operation, and reload the schema (",
      createElement("span", { "aria-hidden": "true" }, "⟳"),
      " at the bottom left). It stays until this browser tab is closed.",
    ),
  );
}

function Icon(props) {
  return createElement(
    "svg",
    { ...props, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", strokeWidth: 1.5 },
    createElement("rect", { x: 4, y: 3, width: 16, height: 18, rx: 2 }),
    createElement("path", { d: "M8 8h8M8 12h8M8 16h5", strokeLinecap: "round" }),
  );
}
