// SPDX-License-Identifier: Apache-2.0
// How a view is drawn: the picture, masks and outlines in the prompts' colours, a tag on each thing.

export function pathOf(thing) {
  if (!thing.path) {
    thing.path = new Path2D();
    for (const line of thing.outlines) {
      thing.path.moveTo(line[0], line[1]);
      for (let i = 2; i < line.length; i += 2) thing.path.lineTo(line[i], line[i + 1]);
      thing.path.closePath();
    }
  }
  return thing.path;
}

export function paint(context, {bitmap, view, line, things}, colourOf, factor, unit) {
  const [width, height] = view.size;
  context.drawImage(bitmap, 0, 0, width * factor, height * factor);
  context.lineJoin = "round";
  for (const thing of things) {
    const colour = colourOf(thing.prompt);
    context.setTransform(factor, 0, 0, factor, 0, 0);
    context.fillStyle = `${colour}73`;
    context.fill(pathOf(thing), "evenodd");
    for (const [style, wide] of [["#000000aa", 4], [colour, 2]]) {
      context.strokeStyle = style;
      context.lineWidth = wide * unit / factor;
      context.stroke(pathOf(thing));
    }
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  const taken = []; // places of tags
  for (const thing of things) tag(context, thing, colourOf(thing.prompt), factor, unit, taken);
  if (line) trace(context, line, factor, unit);
}

export function words(thing) {
  return [thing.prompt, thing.id ? `#${thing.id}` : "", thing.metres === null ? "" : `${thing.metres.toFixed(2)} m`,
          thing.score.toFixed(2)].filter(Boolean);
}

function tag(context, thing, colour, factor, unit, taken) {
  const text = words(thing).join("  "), high = 20 * unit, [x, y, width] = thing.box;
  context.font = `600 ${13 * unit}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 14 * unit;
  const left = Math.max(0, Math.min((x + width / 2) * factor - wide / 2, context.canvas.width - wide));
  let top = Math.max(0, y * factor - high - 3 * unit);
  const covers = (other) => Math.abs(other.top - top) < high && left < other.left + other.wide && other.left < left + wide;
  for (let tries = 0; tries < 8 && taken.some(covers); tries++) top += high + unit;
  taken.push({top, left, wide});
  context.fillStyle = "#000000b8";
  context.beginPath();
  context.roundRect(left, top, wide, high, 5 * unit);
  context.fill();
  context.fillStyle = colour;
  context.fillRect(left, top + 4 * unit, 3 * unit, high - 8 * unit);
  context.fillStyle = "#fff";
  context.textBaseline = "middle";
  context.fillText(text, left + 8 * unit, top + high / 2 + unit);
}

function trace(context, line, factor, unit) {
  context.beginPath();
  for (let i = 0; i < line.length; i += 2) context.lineTo(line[i] * factor, line[i + 1] * factor);
  context.closePath();
  context.setLineDash([6 * unit, 4 * unit]);
  context.strokeStyle = "#fff";
  context.lineWidth = 2 * unit;
  context.stroke();
  context.setLineDash([]);
}

export function preview(canvas, bitmap, size, outline) { // a part of the picture, large
  const xs = outline.filter((_, i) => i % 2 === 0), ys = outline.filter((_, i) => i % 2);
  const context = canvas.getContext("2d");
  const {width, height} = canvas, scale = bitmap.width / size[0];
  const left = Math.min(...xs), top = Math.min(...ys), wide = Math.max(...xs) - left, high = Math.max(...ys) - top;
  const zoom = 0.85 * Math.min(width / Math.max(wide, 1), height / Math.max(high, 1));
  context.clearRect(0, 0, width, height);
  context.drawImage(bitmap, (left + wide / 2) * scale - width / zoom / 2 * scale,
                    (top + high / 2) * scale - height / zoom / 2 * scale, width / zoom * scale, height / zoom * scale,
                    0, 0, width, height);
}
