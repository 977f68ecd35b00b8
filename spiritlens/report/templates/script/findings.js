// Numbers of the findings: a click outlines what they speak of, and goes there.

function followFindings() {
  document.querySelectorAll("a[data-goal]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(JSON.parse(link.dataset.goal));
    goTo(chosen.view);
  }));
  follow(["view", "mark"], markRows);
  follow(["view"], () => goTo(chosen.view));
  markRows();
}

/** Outlines the rows of tables that are spoken of, as `report/page/row_marks.py` names them, and unfolds their table. */
function markRows() {
  document.querySelectorAll("tr[data-mark]").forEach((row) => {
    const meant = chosen.mark !== "" && row.closest("section").id === chosen.view && `${row.dataset.mark}|`.startsWith(`${chosen.mark}|`);
    row.classList.toggle("marked", meant);
    const folded = row.closest("details");
    if (meant && folded) folded.open = true;
  });
}

/** Scrolls to a part of the page, or to the first of its rows that are outlined. */
function goTo(view) {
  const part = view && document.getElementById(view);
  const row = part && part.querySelector("tr.marked");
  if (row) row.scrollIntoView({ block: "center" });
  else if (part) part.scrollIntoView({ block: "start" });
}

function followLinks() {
  document.querySelectorAll("a[data-view]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    choose({ view: link.dataset.view });
    goTo(link.dataset.view);
  }));
}
