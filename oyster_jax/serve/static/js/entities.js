/** Where the world believes its things to be, drawn over its picture. */

/** Ticks of movement that an arrow shows. */
const AHEAD = 4;
/** What is less likely is not drawn. */
const LIKELY = 0.5;
/** The agent, then the others by their type. */
const COLOURS = ["#ffd166", "#ff5d73", "#4cc9f0", "#8be28b", "#c77dff", "#ff9f5a"];

/** @typedef {import("./messages.js").Entity} Entity */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {readonly Entity[]} entities
 * @param {number} view tiles across the frame.
 * @param {number} width of the drawing, in pixels.
 * @param {number} height
 */
export function drawEntities(context, entities, view, width, height) {
  if (!(view > 0)) return;
  const tile = width / view;
  context.save();
  context.lineWidth = Math.max(1.5, tile / 16);
  context.lineCap = "round";
  context.shadowColor = "rgb(0 0 0 / 60%)";
  context.shadowBlur = tile / 10;
  for (const [type, x, y, vx, vy, probability] of entities.filter((entity) => entity[5] >= LIKELY)) {
    const colour = type === 0 ? COLOURS[0] : COLOURS[1 + (type % (COLOURS.length - 1))];
    context.globalAlpha = 0.35 + 0.65 * Math.min(1, probability);
    context.strokeStyle = context.fillStyle = colour;
    const [left, top] = [width / 2 + x * tile, height / 2 - y * tile];
    context.beginPath();
    context.roundRect(left - tile / 2, top - tile / 2, tile, tile, tile / 5);
    context.stroke();
    arrow(context, left, top, vx * tile * AHEAD, -vy * tile * AHEAD, tile / 4);
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x where it begins.
 * @param {number} y
 * @param {number} dx how far it reaches.
 * @param {number} dy
 * @param {number} head length of its head.
 */
function arrow(context, x, y, dx, dy, head) {
  const length = Math.hypot(dx, dy);
  if (length < head) return;
  const [ux, uy] = [dx / length, dy / length];
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
  context.stroke();
  context.beginPath();
  context.moveTo(x + dx + ux * head, y + dy + uy * head);
  context.lineTo(x + dx - uy * head * 0.6, y + dy + ux * head * 0.6);
  context.lineTo(x + dx + uy * head * 0.6, y + dy - ux * head * 0.6);
  context.fill();
}
