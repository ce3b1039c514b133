/** All that presses the world's buttons: keyboard, gamepad, and buttons on the screen. */

import { loadBindings } from "./bindings.js";
import { GamepadInput } from "./gamepad.js";
import { Held, releaseOnLeave } from "./held.js";
import { openHelp } from "./help.js";
import { Keyboard } from "./keyboard.js";
import { Pad } from "./pad.js";
import { COMMANDS } from "./transport.js";

/** @typedef {import("./transport.js").Command} Command */

export class Controls {
  /**
   * @param {import("./messages.js").WorldCard} world
   * @param {(command: Command) => void} command called for keys that press no button.
   */
  constructor(world, command) {
    this._world = world;
    this.held = new Held();
    const bindings = loadBindings(world.name, world.buttons);
    this._keyboard = new Keyboard(this.held, bindings);
    this._gamepad = new GamepadInput(this.held, world.buttons);
    this.pad = new Pad(this.held, world.buttons, bindings);
    this._end = releaseOnLeave(this.held, [() => this._keyboard.forget(), () => this.pad.forget()]);
    this._keyboard.command = (event) => {
      const found = COMMANDS.find(([code]) => code === event.code);
      if (found && !event.shiftKey) command(found[3]);
      return found !== undefined && !event.shiftKey;
    };
  }

  /** Lets go of everything, as a dialog that opens needs it. */
  release() {
    this._keyboard.forget();
    this.pad.forget();
    this.held.clear();
  }

  /** Opens the dialog of keys. */
  help() {
    this.release();
    openHelp({
      world: this._world.name,
      buttons: this._world.buttons,
      bindings: this._keyboard.bindings,
      commands: COMMANDS.map(([, key, meaning]) => /** @type {const} */ ([key, meaning])),
      change: (bindings) => {
        this._keyboard.bindings = bindings;
        this.pad.relabel(bindings);
      },
    });
  }

  close() {
    this._end();
    this._keyboard.close();
    this._gamepad.close();
    this.pad.close();
  }
}
