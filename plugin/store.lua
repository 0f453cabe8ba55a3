-- corr.ann: opening it, and its tables. backend/annotate/doc.go describes the layout.

local word, int, stamp = corr.word, corr.int, corr.stamp

local VERSION = 5
local HEADER = 64
local CACHED = 4096 -- entries kept of each table before a cache starts anew

-- Order of the sections in the directory and of those of a point.
local SECTIONS = { "strings", "text", "flows", "flow_ats", "findings", "logs", "steps", "points" }
local POINT_SECTIONS = { "records", "pages", "classes", "lists", "heap" }
local WIDTHS = { strings = 8, text = 1, flows = 20, flow_ats = 44, findings = 12, logs = 8, steps = 12, points = 132,
  records = 32, pages = 36, classes = 68, lists = 4, heap = 4 }

local Store = {}
Store.__index = Store

-- A problem that the analyst should read; told once, as an expert note.
local function problem(text)
  error({ corr = text .. ": run corr correlate again" }, 0)
end
corr.problem = problem

local function new_cache()
  return { n = 0, of = {} }
end

local function keep(cache, key, value)
  if cache.n >= CACHED then cache.n, cache.of = 0, {} end
  cache.n = cache.n + 1
  cache.of[key] = value
  return value
end

-- Reads n bytes at offset off.
function Store:read(off, n)
  if n == 0 then return "" end
  if off + n > self.size then problem(self.path .. " is damaged") end
  self.file:seek("set", off)
  local s = self.file:read(n)
  if not s or #s < n then problem(self.path .. " can't be read") end
  return s
end

-- Row i (from 0) of a section.
function Store:row(section, i)
  if i < 0 or i >= section.count then problem(self.path .. " is damaged") end
  return self:read(section.off + i * section.width, section.width)
end

function Store:section(s, i, name)
  local lo, hi = word(s, i), word(s, i + 4)
  local sec = { off = lo + hi * 4294967296, count = word(s, i + 8), width = word(s, i + 12) }
  if sec.width ~= WIDTHS[name] or sec.off + sec.count * sec.width > self.size then
    problem(self.path .. " is damaged")
  end
  return sec
end

-- Text of captures and logs without control characters, of ASCII or (C1) in UTF-8: tshark writes what it is given to a
-- terminal.
function corr.plain(s)
  if not string.find(s, "[%c\194]") then return s end
  s = string.gsub(s, "%c", function(c) return string.format("\\x%02x", string.byte(c)) end)
  return (string.gsub(s, "\194([\128-\159])", function(c) return string.format("\\x%02x", string.byte(c)) end))
end

-- A text by its reference, each read once.
function Store:text(ref)
  if ref == 0 then return nil end
  local known = self.texts.of[ref]
  if known then return known end
  local r = self:row(self.strings, ref)
  local off, n = word(r, 1), word(r, 5)
  if off + n > self.text_bytes.count then problem(self.path .. " is damaged") end
  return keep(self.texts, ref, corr.plain(self:read(self.text_bytes.off + off, n)))
end

function Store:list(point, first, n)
  if n == 0 then return nil end
  local all = {}
  for i = 1, n do
    all[i] = self:text(word(self:row(point.lists, first + i - 1), 1))
  end
  return all
end

local function known_int(s, i)
  local v = int(s, i)
  if v < 0 then return nil end
  return v
end

-- A class: what many frames have in common.
function Store:class(point, id)
  local known = point.known.of[id]
  if known then return known end
  local r = self:row(point.classes, id)
  local flags = word(r, 41)
  local c = {
    match = self:text(word(r, 1)), fate = self:text(word(r, 5)), fate_where = self:text(word(r, 9)),
    origin = self:text(word(r, 13)), middlebox = self:text(word(r, 17)),
    hops = known_int(r, 21), hops_peer = known_int(r, 25), ttl_initial = known_int(r, 29), confidence = known_int(r, 33),
    reverse = flags % 2 == 1, peer_down = flags % 4 >= 2,
    kinds = self:list(point, word(r, 53), word(r, 57)), changed = self:list(point, word(r, 61), word(r, 65)),
  }
  local peer = known_int(r, 37)
  if peer then
    c.peer = self.points[peer + 1]
    c.peer_point = peer
  end
  local sec, ns = stamp(r, 45)
  if sec then c.delay_error = corr.duration(sec, ns) end
  return keep(point.known, id, c)
end

-- A conversation by its number. Numbers ascend, mostly without gaps.
function Store:flow(id)
  local known = self.known_flows.of[id]
  if known then return known end
  local lo, hi = 0, self.flows.count - 1
  local mid = hi >= 0 and id - self.first_flow or 0
  while lo <= hi do
    if mid < lo or mid > hi then mid = (lo + hi - (lo + hi) % 2) / 2 end
    local r = self:row(self.flows, mid)
    local found = word(r, 1)
    if found == id then return keep(self.known_flows, id, self:make_flow(r)) end
    if found < id then lo = mid + 1 else hi = mid - 1 end
    mid = (lo + hi - (lo + hi) % 2) / 2
  end
  return keep(self.known_flows, id, { at = {} })
end

function Store:make_flow(r)
  local f = { path = self:text(word(r, 5)), path_reverse = self:text(word(r, 9)), at = {} }
  local first = word(r, 13)
  for i = first, first + word(r, 17) - 1 do
    local a = self:row(self.flow_ats, i)
    local at = { stream = word(a, 5) }
    if at.stream == 4294967295 then at.stream = nil end
    for k, name in ipairs({ "rtt", "rtt_client", "rtt_server" }) do
      local sec, ns = stamp(a, 1 + 8 * k)
      if sec then at[name] = corr.duration(sec, ns) end
    end
    at.src, at.dst = self:text(word(a, 33)), self:text(word(a, 37))
    local ports = word(a, 41)
    at.sport = ports % 65536
    at.dport = (ports - at.sport) / 65536
    f.at[word(a, 1)] = at
  end
  return f
end

function Store:finding(i)
  local known = self.known_findings.of[i]
  if known then return known end
  local r = self:row(self.findings, i)
  return keep(self.known_findings, i,
    { id = self:text(word(r, 1)), severity = self:text(word(r, 5)), title = self:text(word(r, 9)) })
end

function Store:log(i)
  local r = self:row(self.logs, i)
  return { text = self:text(word(r, 1)), action = self:text(word(r, 5)) }
end

function Store:make_point(i)
  local r = self:row(self.point_table, i)
  local flags = word(r, 17)
  local p = { index = i, store = self, name = self:text(word(r, 1)), path = self:text(word(r, 9)), frames = word(r, 13),
    clock_known = flags % 2 == 1, sub_micro = flags % 4 >= 2, known = new_cache(), texts = new_cache() }
  p.at_sec, p.at_ns = stamp(r, 21)
  p.offset_sec, p.offset_ns = stamp(r, 29)
  p.drift = corr.long(r, 37)
  p.steps = {}
  local first = word(r, 45)
  for k = 1, word(r, 49) do
    local s = self:row(self.steps, first + k - 1)
    local step = { from = word(s, 1) }
    step.offset_sec, step.offset_ns = stamp(s, 5)
    p.steps[k] = step
  end
  for k, name in ipairs(POINT_SECTIONS) do p[name] = self:section(r, 53 + 16 * (k - 1), name) end
  return p
end

-- Checks the header and gives the directory.
function Store:directory()
  local h = self.file:read(HEADER) or ""
  if string.sub(h, 1, 8) ~= "corr.ann" then
    if h ~= "" and not string.find(h, "[^%z]") then problem(self.path .. " was not finished") end
    problem(self.path .. " is not a corr.ann")
  end
  if #h < HEADER then problem(self.path .. " is cut short") end
  if word(h, 9) ~= VERSION then problem(self.path .. " was made by another version of corr than corr.lua") end
  if word(h, 17) + word(h, 21) * 4294967296 ~= self.size then problem(self.path .. " is cut short") end
  return self:read(word(h, 25) + word(h, 29) * 4294967296, word(h, 33))
end

-- Opens corr.ann. Costs a few reads, whatever the size.
function corr.open(path)
  local file = io.open(path, "rb")
  if not file then problem(path .. " is missing or can't be read") end
  local self = setmetatable({ path = path, file = file, size = file:seek("end"), texts = new_cache(),
    known_flows = new_cache(), known_findings = new_cache(), points = {} }, Store)
  file:seek("set", 0)
  local dir = self:directory()
  if #dir < 16 * #SECTIONS then problem(path .. " is damaged") end
  local s = {}
  for i, name in ipairs(SECTIONS) do s[name] = self:section(dir, 16 * i - 15, name) end
  self.strings, self.text_bytes, self.flows, self.flow_ats = s.strings, s.text, s.flows, s.flow_ats
  self.findings, self.logs, self.steps, self.point_table = s.findings, s.logs, s.steps, s.points
  if self.flows.count > 0 then self.first_flow = word(self:row(self.flows, 0), 1) end
  for i = 0, s.points.count - 1 do self.points[i + 1] = self:make_point(i) end
  return self
end
