"use strict";
(function () {
  var body = document.body, root = document.documentElement;
  function depth(name) {
    body.classList.remove("engineer", "everyone");
    body.classList.add(name);
    ["engineer", "everyone"].forEach(function (d) {
      document.getElementById("depth-" + d).setAttribute("aria-pressed", String(d === name));
    });
  }
  ["engineer", "everyone"].forEach(function (d) {
    document.getElementById("depth-" + d).addEventListener("click", function () { depth(d); });
  });
  document.getElementById("theme").addEventListener("click", function () {
    var dark = root.classList.contains("dark") || !root.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches;
    root.classList.remove("dark", "light");
    root.classList.add(dark ? "light" : "dark");
  });

  // The conversations: filtered and sorted here, the rows in sight drawn first, more as one scrolls.
  var all = JSON.parse(document.getElementById("data").textContent), list = all, key = "", down = false, drawn = 0;
  var rows = document.getElementById("rows"), shown = document.getElementById("shown"), box = document.getElementById("flows");
  function cell(tr, text) { var td = document.createElement("td"); td.textContent = text; tr.appendChild(td); return td; }
  function more() {
    for (var end = Math.min(list.length, drawn + 100); drawn < end; drawn++) {
      var f = list[drawn], tr = document.createElement("tr"), first = cell(tr, "");
      if (f.l) {
        var b = document.createElement("button");
        b.type = "button"; b.className = "flowlink"; b.textContent = f.i; b.setAttribute("aria-label", "show the ladder of conversation " + f.i);
        b.addEventListener("click", open.bind(null, f.i));
        first.appendChild(b);
      } else { first.textContent = f.i; }
      cell(tr, f.p); cell(tr, f.e.join("  |  ")); cell(tr, f.o); cell(tr, f.b === "unknown" ? "" : f.b); cell(tr, f.n); cell(tr, f.a);
      rows.appendChild(tr);
    }
  }
  function draw() {
    var words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    list = all.filter(function (f) {
      var text = [f.i, f.p, f.e.join(" "), f.o, f.b, f.a].join(" ").toLowerCase();
      return words.every(function (w) { return text.indexOf(w) >= 0; });
    });
    if (key) {
      list = list.slice().sort(function (a, b) {
        var x = a[key], y = b[key];
        if (Array.isArray(x)) { x = x.join(" "); y = y.join(" "); }
        return (x < y ? -1 : x > y ? 1 : a.i - b.i) * (down ? -1 : 1);
      });
    }
    rows.textContent = ""; drawn = 0; box.scrollTop = 0;
    shown.textContent = list.length + " of " + all.length;
    more();
  }
  function open(id) {
    var d = document.getElementById("flow-" + id);
    if (d) { d.open = true; d.scrollIntoView(); d.querySelector("summary").focus(); }
  }
  document.getElementById("filter").addEventListener("input", draw);
  box.addEventListener("scroll", function () { if (box.scrollTop + box.clientHeight > box.scrollHeight - 200) { more(); } });
  document.querySelectorAll("[data-sort]").forEach(function (b) {
    b.addEventListener("click", function () { var k = b.getAttribute("data-sort"); down = k === key && !down; key = k; draw(); });
  });
  draw();

  // Ladders: larger, smaller, moved by dragging.
  document.querySelectorAll("[data-zoom]").forEach(function (b) {
    b.addEventListener("click", function () {
      var svg = b.closest(".ladderbox").querySelector("svg.ladder"), by = Number(b.getAttribute("data-zoom"));
      if (svg) { svg.setAttribute("width", svg.getAttribute("width") * by); svg.setAttribute("height", svg.getAttribute("height") * by); }
    });
  });
  document.querySelectorAll(".ladderscroll").forEach(function (s) {
    var from = null;
    s.addEventListener("pointerdown", function (e) { from = [e.clientX + s.scrollLeft, e.clientY + s.scrollTop]; });
    s.addEventListener("pointermove", function (e) { if (from && e.buttons) { s.scrollLeft = from[0] - e.clientX; s.scrollTop = from[1] - e.clientY; } });
    s.addEventListener("pointerup", function () { from = null; });
  });

  document.querySelectorAll("[data-copy]").forEach(function (b) {
    b.addEventListener("click", function () {
      var text = b.getAttribute("data-copy"), old = b.textContent;
      function done() { b.textContent = "Copied"; setTimeout(function () { b.textContent = old; }, 1500); }
      if (navigator.clipboard && isSecureContext) { navigator.clipboard.writeText(text).then(done); return; }
      var t = document.createElement("textarea");
      t.value = text; body.appendChild(t); t.select(); document.execCommand("copy"); t.remove(); done();
    });
  });
  var want = body.getAttribute("data-open");
  if (want && want !== "0") { open(want); }
})();
