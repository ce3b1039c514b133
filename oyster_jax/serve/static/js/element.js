/**
 * Elements of the page, made without markup in strings, so that nothing a server or a person wrote is ever parsed.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 *
 * @param {string} tag such as `button`; classes may follow, as in `div.card.wide`.
 * @param {Record<string, any>} [properties] `on…` are listeners, `aria-…`, `data-…` and the like attributes, others
 *   properties of the element; what is null, undefined or false is left out.
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any} the element.
 */
export function element(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  apply(made, properties);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/**
 * Makes an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 * @returns {any}
 */
export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * A picture of the sprite `icons.svg`; it says nothing to screen readers, the button around it has the name.
 *
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const use = drawing("use", { href: `./icons.svg#${name}` });
  return drawing("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, use);
}

/**
 * Changes the picture of an element that `icon` made.
 *
 * @param {Element} parent that holds it.
 * @param {string} name
 */
export function changeIcon(parent, name) {
  parent.querySelector("use")?.setAttribute("href", `./icons.svg#${name}`);
}

/**
 * A button with a picture, a name that is read out, and a tip that shows the key that does the same.
 *
 * @param {{icon: string, name: string, key?: string, text?: string, class?: string, onclick: (event: Event) => void}}
 *   about
 * @returns {HTMLButtonElement}
 */
export function iconButton(about) {
  const tip = about.key ? `${about.name} (${about.key})` : about.name;
  const label = about.text ? element("span", {}, about.text) : null;
  return element(
    `button.${about.class ?? "tool"}`,
    { type: "button", title: tip, "aria-label": about.name, onclick: about.onclick },
    icon(about.icon),
    label,
  );
}

/**
 * @param {HTMLElement} made
 * @param {Record<string, any>} properties
 */
function apply(made, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, String(value));
    else Object.assign(made, { [name]: value });
  }
}
