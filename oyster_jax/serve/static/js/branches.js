/** The list of branches: where each left, and buttons to hop to it or to run it beside the present one. */

import { element, icon } from "./element.js";
import { Signal } from "./signal.js";
import { clock, layOut } from "./tree.js";

/** @typedef {import("./tree.js").Branch} Branch */

export class Branches {
  /** @param {{rate: number}} about ticks a second. */
  constructor(about) {
    this._rate = about.rate;
    /** @type {Signal<string>} */
    this.hop = new Signal();
    /** @type {Signal<string | null>} */
    this.compare = new Signal();
    this._list = element("ul.branches", {});
    /** @type {readonly Branch[]} */
    this._branches = [];
    this._here = "";
    /** @type {string | null} */
    this._compared = null;
    this.element = element(
      "section.group",
      { "aria-label": "Branches" },
      element("h2", {}, "Branches"),
      this._list,
      element("p.hint", {}, "Rewind and play on: what you do then becomes a branch, and what came later stays."),
    );
  }

  /**
   * @param {readonly Branch[]} branches
   * @param {string} here the branch that is played.
   * @param {string | null} compared the one beside it.
   */
  show(branches, here, compared) {
    this._branches = branches;
    this._here = here;
    this._compared = compared;
    this._list.replaceChildren(...layOut(branches).map(({ branch }) => this._item(branch)));
    this.element.toggleAttribute("data-single", branches.length < 2);
  }

  /** Brings lengths up to date. */
  refresh() {
    for (const branch of this._branches) {
      const end = this._list.querySelector(`[data-branch="${branch.name}"] .branch-end`);
      const text = clock(branch.end, this._rate);
      if (end && end.textContent !== text) end.textContent = text;
    }
  }

  /**
   * @param {Branch} branch
   * @returns {HTMLElement}
   */
  _item(branch) {
    const here = branch.name === this._here;
    const beside = branch.name === this._compared;
    const origin =
      branch.parent === null ? "from the start" : `from ${branch.parent} at ${clock(branch.at, this._rate)}`;
    return element(
      "li",
      { "data-branch": branch.name, "aria-current": here ? "true" : null },
      element(
        "button.branch-hop",
        {
          type: "button",
          title: here ? "You are here" : `Hop to the end of ${branch.name}`,
          onclick: () => !here && this.hop.tell(branch.name),
        },
        element("span.branch-dot", {}),
        element("span.branch-name", {}, branch.name),
        element("span.branch-origin.dim", {}, origin),
        element("span.branch-end.dim", {}, clock(branch.end, this._rate)),
      ),
      !here &&
        element(
          "button.tool.small",
          {
            type: "button",
            "aria-pressed": String(beside),
            "aria-label": beside
              ? `Stop running ${branch.name} beside`
              : `Run ${branch.name} beside, under the same keys`,
            title: beside ? "Stop running it beside" : "Run it beside, under the same keys",
            onclick: () => this.compare.tell(beside ? null : branch.name),
          },
          icon("compare"),
        ),
    );
  }
}
