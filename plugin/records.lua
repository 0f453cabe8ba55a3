-- The records of one capture: by frame number, and by time.

local word, stamp, before = corr.word, corr.stamp, corr.time_before

local PAGE = 1024 -- records a page
local RECORD = 32
local PAGE_ENTRY = 36

-- The page that record i (from 0) of a point lies on: its bytes, its first record, and how many it has.
function corr.page(p, i)
  local first = i - i % PAGE
  if p.page_first ~= first then
    local n = p.frames - first
    if n > PAGE then n = PAGE end
    p.page = p.store:read(p.records.off + first * RECORD, n * RECORD)
    p.page_first, p.page_size = first, n
  end
  return p.page, first, p.page_size
end

-- The words of a format at 1-based position i: all eight, or the first ones. Lua 5.3 and later, and Wireshark for those
-- before, have it in C; I is C's unsigned int, and takes them less time to read than I4.
local FULL = "<IIIIIIII"
local unpack = ("").unpack or Struct and Struct.unpack or function(format, bytes, i)
  if format ~= FULL then
    return word(bytes, i), word(bytes, i + 4), word(bytes, i + 8), word(bytes, i + 12), word(bytes, i + 16)
  end
  return word(bytes, i), word(bytes, i + 4), word(bytes, i + 8), word(bytes, i + 12), word(bytes, i + 16), word(bytes, i + 20),
    word(bytes, i + 24), word(bytes, i + 28)
end
corr.unpack = unpack
corr.FLOW_FINDING = 2147483648 -- added to a record's flow where its heap entry names findings
corr.RECORD, corr.RECORD_FORMAT, corr.RECORD_TO_FLOW, corr.RECORD_TO_CLASS = RECORD, FULL, "<IIII", "<IIIII"

-- Record i (from 0): seconds' low word, nanoseconds' word, length, flow, class, peer, delay, extra.
local function record(p, i)
  local page, first = corr.page(p, i)
  return unpack(corr.RECORD_FORMAT, page, (i - first) * RECORD + 1)
end
corr.record = record

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

-- Appends the records with a length and a time from (s1, n1) to (s2, n2) to found, MANY at most.
local function find_in_page(p, no, ordered, s1, n1, s2, n2, len, found)
  local first = no * PAGE
  local last = first + PAGE
  if last > p.frames then last = p.frames end
  local i = first
  if ordered then
    i = first_where(first, last, function(k)
      local lo, hi = record(p, k)
      local s, n = corr.unpack_stamp(lo, hi)
      return not before(s, n, s1, n1)
    end)
  end
  while i < last do
    local lo, hi, l = record(p, i)
    local s, n = corr.unpack_stamp(lo, hi)
    if before(s2, n2, s, n) then
      if ordered then break end
    elseif l == len and not before(s, n, s1, n1) then
      found[#found + 1] = i + 1
      if #found >= MANY then return end
    end
    i = i + 1
  end
end

-- Frame numbers of the records with this length and a time from (s1, n1) to (s2, n2), MANY at most.
function corr.find(p, s1, n1, s2, n2, len)
  local first_s, first_n, last_s, last_n = corr.span(p)
  local found = {}
  if not first_s or before(s2, n2, first_s, first_n) or before(last_s, last_n, s1, n1) then return found end
  local pages = index(p)
  local no = first_where(0, p.pages.count, function(k)
    local s, n = stamp(pages, k * PAGE_ENTRY + 9)
    return not before(s, n, s1, n1)
  end)
  while no < p.pages.count do
    local at = no * PAGE_ENTRY
    local s, n = stamp(pages, at + 1)
    if before(s2, n2, s, n) then break end -- this and all later pages begin after it
    local min_s, min_n = stamp(pages, at + 17)
    local max_s, max_n = stamp(pages, at + 25)
    if not before(s2, n2, min_s, min_n) and not before(max_s, max_n, s1, n1) then
      find_in_page(p, no, word(pages, at + 33) == 1, s1, n1, s2, n2, len, found)
      if #found >= MANY then return found end
    end
    no = no + 1
  end
  return found
end
