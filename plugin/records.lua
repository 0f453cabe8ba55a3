-- The records of one capture: by frame number, and by time.

local byte = string.byte
local word, stamp, before = corr.word, corr.stamp, corr.time_before

local PAGE = 1024 -- records a page
local RECORD = 32
local PAGE_ENTRY = 36

-- Loads page no (from 0) of a point, unless it is there.
local function load_page(p, no)
  if p.page_no == no then return end
  local first = no * PAGE
  local n = p.frames - first
  if n > PAGE then n = PAGE end
  p.page = p.store:read(p.records.off + first * RECORD, n * RECORD)
  p.page_no = no
end

-- Seconds' low word, nanoseconds' word and length of record i (from 0).
local function key(p, i)
  local o = i % PAGE
  local no = (i - o) / PAGE
  if no ~= p.page_no then load_page(p, no) end
  o = o * RECORD
  local a, b, c, d, e, f, g, h, k, l, m, n = byte(p.page, o + 1, o + 12)
  return a + b * 256 + c * 65536 + d * 16777216, e + f * 256 + g * 65536 + h * 16777216,
    k + l * 256 + m * 65536 + n * 16777216
end
corr.record_key = key

-- What record i says beside its key: flow, class, peer, delay, extra.
function corr.record_body(p, i)
  local o = i % PAGE
  local no = (i - o) / PAGE
  if no ~= p.page_no then load_page(p, no) end
  o = o * RECORD
  local a1, a2, a3, a4, b1, b2, b3, b4, c1, c2, c3, c4, d1, d2, d3, d4, e1, e2, e3, e4 = byte(p.page, o + 13, o + 32)
  return a1 + a2 * 256 + a3 * 65536 + a4 * 16777216, b1 + b2 * 256 + b3 * 65536 + b4 * 16777216,
    c1 + c2 * 256 + c3 * 65536 + c4 * 16777216, d1 + d2 * 256 + d3 * 65536 + d4 * 16777216,
    e1 + e2 * 256 + e3 * 65536 + e4 * 16777216
end

-- Whether record n-1 has a time, as Wireshark's double has it, and a length: the quick test of a frame that is in step.
-- Then flow, class, peer, delay and extra of the record, and the exact time, follow.
function corr.record_if(p, i, abs, len)
  local o = i % PAGE
  local no = (i - o) / PAGE
  if no ~= p.page_no then load_page(p, no) end
  o = o * RECORD
  local a1, a2, a3, a4, b1, b2, b3, b4, l1, l2, l3, l4, f1, f2, f3, f4, c1, c2, c3, c4, p1, p2, p3, p4, d1, d2, d3, d4,
    e1, e2, e3, e4 = byte(p.page, o + 1, o + 32)
  local ns = b1 + b2 * 256 + b3 * 65536 + b4 * 16777216
  if ns >= 1000000000 or l1 + l2 * 256 + l3 * 65536 + l4 * 16777216 ~= len then return nil end
  local sec = a1 + a2 * 256 + a3 * 65536 + a4 * 16777216
  local off = abs - sec - ns / 1e9
  if off > 3e-7 or off < -3e-7 then return nil end
  return f1 + f2 * 256 + f3 * 65536 + f4 * 16777216, c1 + c2 * 256 + c3 * 65536 + c4 * 16777216,
    p1 + p2 * 256 + p3 * 65536 + p4 * 16777216, d1 + d2 * 256 + d3 * 65536 + d4 * 16777216,
    e1 + e2 * 256 + e3 * 65536 + e4 * 16777216, sec, ns
end

-- The by-time index, read when it is first needed.
local function index(p)
  if not p.index_bytes then p.index_bytes = p.store:read(p.pages.off, p.pages.count * PAGE_ENTRY) end
  return p.index_bytes
end

-- First and last instant of a capture.
function corr.span(p)
  if p.frames == 0 then return nil end
  if not p.first_sec then
    local pages = index(p)
    p.first_sec, p.first_ns = stamp(pages, 1)
    p.last_sec, p.last_ns = stamp(pages, (p.pages.count - 1) * PAGE_ENTRY + 9)
  end
  return p.first_sec, p.first_ns, p.last_sec, p.last_ns
end

-- The first number from lo on, below hi, for which ok holds; ok stays true once it is.
local function first_where(lo, hi, ok)
  while lo < hi do
    local mid = (lo + hi - (lo + hi) % 2) / 2
    if ok(mid) then hi = mid else lo = mid + 1 end
  end
  return lo
end

local MANY = 8 -- records of one time and length that are looked at

-- Appends the records with a length and a time from (sec, ns) to (sec, ns + width) to found, MANY at most.
local function find_in_page(p, no, ordered, sec, ns, width, len, found)
  local first = no * PAGE
  local last = first + PAGE
  if last > p.frames then last = p.frames end
  local i = first
  if ordered then
    i = first_where(first, last, function(k)
      local s, n = corr.unpack_stamp(key(p, k))
      return not before(s, n, sec, ns)
    end)
  end
  while i < last do
    local lo, hi, l = key(p, i)
    local s, n = corr.unpack_stamp(lo, hi)
    if s == sec and n >= ns and n <= ns + width then
      if l == len then
        found[#found + 1] = i + 1
        if #found >= MANY then return end
      end
    elseif ordered then
      break
    end
    i = i + 1
  end
end

-- Frame numbers of the records with this time and length, MANY at most.
function corr.find(p, sec, ns, width, len)
  local s1, n1, s2, n2 = corr.span(p)
  local found = {}
  if not s1 or before(sec, ns + width, s1, n1) or before(s2, n2, sec, ns) then return found end
  local pages = index(p)
  local no = first_where(0, p.pages.count, function(k)
    local s, n = stamp(pages, k * PAGE_ENTRY + 9)
    return not before(s, n, sec, ns)
  end)
  while no < p.pages.count do
    local at = no * PAGE_ENTRY
    local s, n = stamp(pages, at + 1)
    if before(sec, ns + width, s, n) then break end -- this and all later pages begin after it
    local min_s, min_n = stamp(pages, at + 17)
    local max_s, max_n = stamp(pages, at + 25)
    if not before(sec, ns + width, min_s, min_n) and not before(max_s, max_n, sec, ns) then
      find_in_page(p, no, word(pages, at + 33) == 1, sec, ns, width, len, found)
      if #found >= MANY then return found end
    end
    no = no + 1
  end
  return found
end
