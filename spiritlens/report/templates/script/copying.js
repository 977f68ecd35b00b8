// Lines that would run what was not run, with a button that copies them.

/** Lines under what they make, ready to copy. */
function commandBlock(what, code) {
  const block = make("pre", { class: "command" }, make("code", {}, code));
  return make("div", { class: "to-run" }, make("p", {}, what), block, copyButton(block, what));
}

function copyButton(block, what) {
  return make("button", { type: "button", class: "copy", "data-focus": `copy ${what}`, "aria-label": `Copy the lines: ${what}`, onclick: () => copyText(block) }, "Copy");
}

/** Copies a text by selecting it, which needs no permission; where that fails it stays selected. */
function copyText(block) {
  const range = document.createRange();
  range.selectNodeContents(block);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  const copied = document.execCommand("copy");
  if (copied) selection.removeAllRanges();
  say(copied ? "The lines are copied." : "The lines are selected; the browser did not copy them.");
}

function offerCopies() {
  document.querySelectorAll("section > pre.command").forEach((block) => block.after(copyButton(block, block.previousElementSibling?.textContent ?? "")));
}
