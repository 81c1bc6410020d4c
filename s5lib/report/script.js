"use strict";
// All of this is a convenience: without it the page shows and plays the same.

// Tables are sorted by buttons in their heads; cells without a value stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, index) => {
    const cell = row.cells[index];
    return (cell.dataset.sort ?? cell.textContent).trim().replace("\u2212", "-");
  };
  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "descending" || !head.classList.contains("number") && !head.hasAttribute("aria-sort");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "ascending" : "descending");
      const compare = (a, b) => {
        const [x, y] = [value(a, index), value(b, index)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const [p, q] = [Number.parseFloat(x), Number.parseFloat(y)];
        const order = Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
        return down ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}

// The hint that a table scrolls sideways is for tables that do.
const hints = [...document.querySelectorAll(".hint")];
const check = () => hints.forEach((hint) => {
  hint.hidden = hint.nextElementSibling.scrollWidth <= hint.nextElementSibling.clientWidth;
});
addEventListener("resize", check);
check();

// One clip at a time; another one of the same scene goes on where the first one was.
let playing = null;
for (const audio of document.querySelectorAll("audio")) {
  const picture = audio.parentElement.querySelector(".spectrogram");
  const head = picture.querySelector(".playhead");
  const image = picture.querySelector("image");
  const draw = () => {
    const x = `${audio.duration ? 100 * audio.currentTime / audio.duration : 0}%`;
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    head.classList.toggle("shown", audio.currentTime > 0);
    if (!audio.paused) requestAnimationFrame(draw);
  };
  audio.addEventListener("play", () => {
    if (playing && playing !== audio && !playing.paused) {
      const sameScene = playing.closest(".scene") === audio.closest(".scene");
      playing.pause();
      if (sameScene) audio.currentTime = playing.currentTime;
    }
    playing = audio;
    draw();
  });
  for (const event of ["seeked", "timeupdate"]) audio.addEventListener(event, draw);
  picture.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    if (audio.duration && share >= 0 && share <= 1) audio.currentTime = share * audio.duration;
  });
}
