/** A darkroom is dark, until somebody turns on the light. */

const VISITED = "darkroom:visited";
const THEME = "graphiql:theme";

/**
 * Start dark on the first visit. GraphiQL stores "system" as no theme at all, so its own
 * `defaultTheme` would undo that choice at the next visit; hence the mark of our own.
 */
export function darkUnlessChosen() {
  if (localStorage.getItem(VISITED)) return;
  localStorage.setItem(VISITED, "1");
  if (!localStorage.getItem(THEME)) localStorage.setItem(THEME, "dark");
}
