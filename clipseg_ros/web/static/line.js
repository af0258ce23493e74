// SPDX-License-Identifier: Apache-2.0
// The line to the server, which is taken up again whenever it breaks.
let socket, nextId = 1, delay = 250;
let decided; // once the line that is being taken up is there, or cannot be had
const waiting = new Map(); // number of a request -> what to do with its reply

// on: {link(live), state(message), view(message, payload)}
export function connect(on) {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  decided = new Promise((resolve) => ["open", "close"].forEach((what) => socket.addEventListener(what, resolve)));
  socket.onopen = () => { delay = 250; on.link(true); };
  socket.onmessage = ({data}) => receive(on, ...(typeof data === "string" ? [JSON.parse(data)] : unpack(data)));
  socket.onclose = () => {
    on.link(false);
    waiting.forEach((done) => done({ok: false, message: "the page's server has gone; it is tried again"}));
    waiting.clear();
    setTimeout(connect, delay, on);
    delay = Math.min(2 * delay, 4000);
  };
}

function unpack(data) {
  const length = new DataView(data).getUint32(0);
  return [JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))), new Uint8Array(data, 4 + length)];
}

function receive(on, message, payload) {
  if (message.type !== "reply") return on[message.type](message, payload);
  waiting.get(message.id)?.({...message, payload});
  waiting.delete(message.id);
}

export const isOpen = () => socket?.readyState === WebSocket.OPEN;

export function tell(what) {
  if (isOpen()) socket.send(JSON.stringify(what));
}

export async function request(what) { // becomes the reply
  if (socket.readyState === WebSocket.CONNECTING) await decided;
  if (!isOpen()) return {ok: false, message: "the page's server cannot be reached; it is tried again"};
  return new Promise((resolve) => {
    waiting.set(nextId, resolve);
    tell({...what, id: nextId++});
  });
}
