/** The page on which a world is played: its parts, and what each does when another changes. */

import { Branches } from "./branches.js";
import { Controls } from "./controls.js";
import { Directing } from "./directing.js";
import { element } from "./element.js";
import { Forecast } from "./forecast.js";
import { Hud } from "./hud.js";
import { hashOf } from "./link.js";
import { complain } from "./notice.js";
import { obey } from "./orders.js";
import { Pictures } from "./picture.js";
import { Recorder } from "./recorder.js";
import { Scrubber } from "./scrubber.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Story } from "./story.js";
import { recall, remember } from "./storage.js";
import { Timeline } from "./timeline.js";
import { Transport } from "./transport.js";
import { doneBefore } from "./tree.js";
import { pausedHint, showCondition } from "./veils.js";

/** @typedef {import("./link.js").Place} Place */
/** @typedef {import("./messages.js").WorldCard} WorldCard */
/** @typedef {import("./transport.js").Command} Command */
/**
 * @typedef {object} Parts
 * @property {WorldCard} world
 * @property {Stage} stage
 * @property {Transport} transport
 * @property {Timeline} timeline
 * @property {Branches} branches
 * @property {Controls} controls
 * @property {Directing} directing
 * @property {Story} story
 * @property {Scrubber} scrubber
 * @property {Hud} hud
 * @property {Forecast} forecast
 * @property {Recorder} recorder
 */

export class Player {
  /**
   * @param {Place} place where to go.
   * @param {{leave: () => void, again: () => void, titled: (world: WorldCard) => void}} about `leave` goes back to the
   *   worlds, `again` comes back to this session, `titled` is told what is played.
   */
  constructor(place, about) {
    this.leave = about.leave;
    this.again = about.again;
    this._titled = about.titled;
    this._start = place;
    this.element = element(
      "main.player",
      { "aria-label": "Player" },
      element("div.loading", {}, element("div.spinner", {})),
    );
    this.session = new Session(place.session, place.watch ? "spectator" : "player");
    this.showsEntities = this.showsFigures = false;
    /** @type {Parts | null} */
    this.built = null;
    this._stops = [
      this.session.began.listen((hello) => this._begin(hello)),
      this.session.connection.condition.listen((now) => this._condition(now)),
      this.session.trouble.listen(complain),
    ];
  }

  /** Leaves the session. */
  close() {
    for (const stop of this._stops) stop();
    this.session.close();
    this.built?.controls.close();
    this.built?.stage.close();
    this.built?.timeline.close();
  }

  /** The parts, once the server has said which world this is. */
  get parts() {
    if (!this.built) throw new Error("The world is not there yet.");
    return this.built;
  }

  /** Whether both server and browser know H.264. */
  get canVideo() {
    return this.session.codecs.includes("h264") && Pictures.decodesVideo;
  }

  /** @param {Command} command */
  do(command) {
    if (!this.built || this.session.connection.phase !== "open") return;
    obey(this, command).catch(complain);
  }

  /** @param {import("./messages.js").Hello} hello */
  _begin(hello) {
    if (!this.built) this._build(hello);
    const { branch, tick } = this._start;
    if (branch !== null && tick !== null && this.session.role === "player")
      this.session.seek(branch, tick).catch(complain);
    this._start = { ...this._start, branch: null, tick: null };
    // A page that is loaded anew goes on; it does not go back to where the link led.
    history.replaceState(null, "", hashOf(this._start));
    // Keys that are still down count on; a server that is new to us holds none.
    if (this.built) this.session.input({ held: this.built.controls.held.input.held, at: performance.now() });
    if (this.showsEntities) this.session.sayReadouts(true).catch(complain);
    if (recall("video", false) && this.canVideo) this.session.codec("h264").catch(complain);
  }

  /** @param {import("./messages.js").Hello} hello */
  _build(hello) {
    const { session } = this;
    const { world } = hello;
    const spectator = session.role === "spectator";
    const rate = world.rate;
    const stage = new Stage(world);
    const transport = new Transport({
      rate,
      spectator,
      do: (command) => this.do(command),
      speed: (factor) => session.rate(factor).catch(complain),
    });
    const timeline = new Timeline({ rate, picture: ({ branch, tick }) => session.seen(branch, tick) });
    const branches = new Branches({ rate });
    const controls = new Controls(world, (command) => this.do(command));
    const scrubber = new Scrubber(
      session,
      (picture) => stage.draw(0, picture),
      () => this._point(),
      complain,
    );
    this.built = {
      world,
      stage,
      transport,
      timeline,
      branches,
      controls,
      directing: new Directing({ events: spectator ? [] : world.events, rate, undo: () => this.do("undo") }),
      story: new Story({ world, spectator }),
      scrubber,
      hud: new Hud({ rate }),
      forecast: new Forecast(),
      recorder: new Recorder(session),
    };
    this._lay(spectator);
    this._wire();
    this._titled(world);
    this.showEntities(recall("entities", false) && Boolean(world.view));
    this.showFigures(recall("figures", true));
    this._show();
    stage.screen.element.focus({ preventScroll: true });
  }

  /** @param {boolean} spectator */
  _lay(spectator) {
    const { stage, transport, timeline, branches, controls, directing, story, hud, forecast } = this.parts;
    this.element.replaceChildren(
      element(
        "div.main-column",
        {},
        stage.element,
        spectator ? "" : controls.pad.element,
        transport.element,
        timeline.element,
      ),
      element(
        "aside.panel",
        { "aria-label": "About this session" },
        directing.element,
        hud.element,
        forecast.element,
        branches.element,
        story.element,
      ),
    );
    this.element.toggleAttribute("data-spectator", spectator);
  }

  _wire() {
    const { session } = this;
    const { stage, timeline, branches, controls, directing, story, scrubber } = this.parts;
    const player = session.role === "player";
    this._stops.push(
      session.frames.listen(({ frame, picture }) => this._draw(frame, picture)),
      session.changed.listen(() => this._show()),
      session.timeline.listen(() => this._show()),
      session.readouts.listen((said) => this._read(said)),
      session.story.listen((told) => story.show(told)),
      controls.held.changed.listen((input) => session.input(input)),
    );
    if (!player) return;
    timeline.scrubbed.listen((place) => scrubber.glance(place));
    timeline.chosen.listen((place) => scrubber.drop(place));
    directing.told.listen((name) => session.event(name).catch(complain));
    story.wanted.listen((text) => session.tell(text).catch((error) => story.refuse(error)));
    directing.chosen.listen((tick) => scrubber.go({ branch: session.place.branch, tick }));
    branches.hop.listen((branch) => session.hop(branch).catch(complain));
    branches.compare.listen((branch) => session.compare(branch).catch(complain));
    stage.element.addEventListener("pointerdown", () => stage.screen.element.focus({ preventScroll: true }));
  }

  /**
   * @param {import("./frame.js").Frame} frame
   * @param {CanvasImageSource} picture
   */
  _draw(frame, picture) {
    const { stage, hud, forecast, timeline, transport, branches, scrubber, recorder } = this.parts;
    if (frame.lane === 0 && scrubber.dragging && frame.tick !== timeline.place.tick) return;
    stage.draw(frame.lane, picture);
    const now = performance.now();
    if (frame.lane !== 0) return;
    // For whoever measures the page from outside; nothing here listens.
    stage.screen.canvas.dispatchEvent(
      new CustomEvent("oyster:frame", { bubbles: true, detail: { ...frame, drawn: now } }),
    );
    hud.take(frame, now);
    forecast.take(frame, now);
    transport.time(frame.tick);
    if (recorder.tape) timeline.tape(recorder.shown);
    this._point();
    if (frame.tick % Math.round(this.session.tickRate) === 0) branches.refresh();
  }

  /** Moves the handle of the timeline to what is shown, unless somebody has just chosen another place. */
  _point() {
    const { timeline, scrubber } = this.parts;
    if (!scrubber.pending) timeline.moveTo(this.session.place);
  }

  /** @param {import("./messages.js").Readouts} said */
  _read(said) {
    const screen = said.lane === 0 ? this.parts.stage.screen : this.parts.stage.beside;
    screen?.overlay(this.showsEntities ? said.entities : null);
  }

  /** Shows what the server last said. */
  _show() {
    const { status } = this.session;
    if (!status || !this.built) return;
    const { stage, transport, timeline, branches, directing } = this.built;
    transport.show(status);
    directing.show(doneBefore(this.session.branches, status.branch, status.tick));
    timeline.show(this.session.branches);
    this._point();
    branches.show(this.session.branches, status.branch, status.compared);
    stage.compare(status.branch, status.compared);
    stage.badge(pausedHint(this.session));
    this._condition({ phase: this.session.connection.phase, sentence: "" });
  }

  /** @param {import("./connection.js").Condition} now */
  _condition(now) {
    showCondition(this, now);
  }

  /** @param {boolean} on */
  showEntities(on) {
    this.showsEntities = on;
    remember("entities", on);
    this.parts.transport.entities(on);
    if (!on) for (const screen of [this.parts.stage.screen, this.parts.stage.beside]) screen?.overlay(null);
  }

  /** @param {boolean} on */
  showFigures(on) {
    this.showsFigures = on;
    remember("figures", on);
    this.parts.transport.figures(on);
    this.parts.hud.element.hidden = !on;
  }
}
