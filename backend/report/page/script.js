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

  var data = JSON.parse(document.getElementById("data").textContent);
  function cell(tr, text, kind) { var td = document.createElement("td"); td.textContent = text; if (kind) { td.className = kind; } tr.appendChild(td); return td; }
  // A long table: the rows in sight are drawn first, more as one scrolls.
  function table(box, rows, make) {
    var list = [], drawn = 0;
    function more(n) { for (var end = Math.min(list.length, drawn + n); drawn < end; drawn++) { rows.appendChild(make(list[drawn])); } }
    addEventListener("beforeprint", function () { more(1000); }); // paper does not scroll
    box.addEventListener("scroll", function () { if (box.scrollTop + box.clientHeight > box.scrollHeight - 200) { more(100); } });
    return function (l) { list = l; rows.textContent = ""; drawn = 0; box.scrollTop = 0; more(100); };
  }

  // The conversations: filtered and sorted here.
  var all = data.flows, key = "", down = false;
  var fill = table(document.getElementById("flows"), document.getElementById("rows"), function (f) {
    var tr = document.createElement("tr"), first = cell(tr, "", "tinted tint" + f.t);
    if (f.l) {
      var b = document.createElement("button");
      b.type = "button"; b.className = "flowlink"; b.textContent = f.i; b.setAttribute("aria-label", "show the ladder of conversation " + f.i);
      b.addEventListener("click", open.bind(null, f.i));
      first.appendChild(b);
    } else { first.textContent = f.i; }
    cell(tr, f.p); cell(tr, f.e.join("  |  ")); cell(tr, f.o); cell(tr, f.b === "unknown" ? "" : f.b); cell(tr, f.n); cell(tr, f.a);
    return tr;
  });
  function draw() {
    var words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    var list = all.filter(function (f) {
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
    document.getElementById("shown").textContent = list.length + " of " + all.length;
    fill(list);
  }
  function open(id) {
    var d = document.getElementById("flow-" + id);
    if (d) { d.open = true; d.scrollIntoView(); d.querySelector("summary").focus(); }
  }
  document.getElementById("filter").addEventListener("input", draw);
  document.querySelectorAll("[data-sort]").forEach(function (b) {
    b.addEventListener("click", function () { var k = b.getAttribute("data-sort"); down = k === key && !down; key = k; draw(); });
  });
  draw();

  // Packet lists of two points: a row a packet, both sides of it in the conversation's colour, gaps where it is missing.
  var lists = document.getElementById("lists");
  if (lists) {
    var left = document.getElementById("list-left"), right = document.getElementById("list-right"), only = document.getElementById("list-flow");
    var point = function (i) { return left.options[i].textContent; };
    var seen = function (p, select) { return p.s.filter(function (s) { return s[0] === Number(select.value); })[0]; };
    var side = function (tr, p, s, kind) {
      if (!s) { var gap = cell(tr, "", "gap"); gap.colSpan = 5; return; }
      var f = data.listed[p.f], ends = f.e[s[0]];
      cell(tr, s[1], kind); cell(tr, s[2], kind); cell(tr, ends[p.r ? 1 : 0], kind); cell(tr, ends[p.r ? 0 : 1], kind); cell(tr, f.p + " " + p.l, kind);
    };
    var fillLists = table(lists, document.getElementById("listrows"), function (p) {
      var tr = document.createElement("tr"), kind = "tint" + data.listed[p.f].t;
      tr.className = p.o;
      tr.title = "conversation " + data.listed[p.f].i + ": " + p.s.map(function (s) { return point(s[0]) + ":" + s[1]; }).join(" = ") + ", " + p.l;
      var l = seen(p, left), r = seen(p, right), elsewhere = l && r ? [] : p.s.filter(function (s) { return s !== l && s !== r; });
      side(tr, p, l, kind);
      cell(tr, elsewhere.length ? "at " + elsewhere.map(function (s) { return point(s[0]); }).join(", ") : p.o, "what");
      side(tr, p, r, kind);
      return tr;
    });
    var list = function () {
      var l = data.packets.filter(function (p) { return (!only.value || String(data.listed[p.f].i) === only.value) && (seen(p, left) || seen(p, right)); });
      document.getElementById("list-left-name").textContent = point(left.value);
      document.getElementById("list-right-name").textContent = point(right.value);
      document.getElementById("listed").textContent = l.length + " of " + data.packets.length + " packets";
      fillLists(l);
    };
    [left, right, only].forEach(function (s) { s.addEventListener("change", list); });
    document.querySelectorAll("[data-list]").forEach(function (b) {
      b.addEventListener("click", function () { only.value = b.getAttribute("data-list"); list(); document.getElementById("h-lists").scrollIntoView(); only.focus({preventScroll: true}); });
    });
    list();
  }

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
