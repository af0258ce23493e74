// SPDX-License-Identifier: Apache-2.0
// What this browser keeps: files, and the prompts that were typed in it.

export function download(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

export function moment() { return new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "_"); }

export function remembered() { // what was typed before, newest first
  try { return JSON.parse(localStorage.getItem("prompts")) ?? []; } catch { return []; }
}

export function remember(text) {
  try {
    localStorage.setItem("prompts", JSON.stringify([...new Set([text, ...remembered()])].slice(0, 40)));
  } catch { /* a private window keeps nothing */ }
}
