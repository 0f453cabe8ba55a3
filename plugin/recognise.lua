-- Which frame of which capture is this? Wireshark doesn't tell a plugin the file's name, and a file may be a filtered,
-- cut, merged, converted or time-shifted copy. So a frame is recognised by its time and length:
--
--  1. in step: all frames from the first on were the records of one capture with the same numbers;
--  2. by time: the only record with this time and length, of all captures;
--  3. shifted: a run of frames in step but for a constant difference of time.
--
-- Times are compared within what a double rounds off, which is all that Wireshark tells a plugin cheaply.
-- What is ambiguous is not recognised. Where most frames are not known, the few that are may be chance (another
-- interface of the same host, the same clock): then nothing is said either.

local record, find, span = corr.record, corr.find, corr.span
local unpack_stamp, sub, add, before = corr.unpack_stamp, corr.time_sub, corr.time_add, corr.time_before

local RUN = 5 -- frames in a row that prove a shift …
local DISTINCT = 4 -- … and how many different, uneven gaps must lie between them
local ALONE = 8 -- frames known of one capture and none of the other before a tie goes to it

local Recogniser = {}
Recogniser.__index = Recogniser

function corr.recogniser(points)
  local all = {}
  for i, p in ipairs(points) do all[i] = p end
  return setmetatable({
    points = points,
    step = all, -- captures that all frames so far are in step with
    upto = 0, -- the last frame in step
    seen = 0, -- the highest frame number so far
    known = 0, strange = 0, -- frames by time so far
    only = {}, -- frames known of one capture only
    fine = false, -- some time had a part below 1 µs
    runs = {},
  }, Recogniser)
end

-- How far, in ns, a double may be off from a time of so many seconds.
local function rounding(sec)
  return math.ceil(math.abs(sec) * 1.2e-7) + 1
end

-- How far below the given time a record may have been before a copy with microseconds lost the rest.
local function width(self, p)
  if p.sub_micro and not self.fine then return 999 end
  return 0
end

-- Notes whether the file's times have parts below a microsecond.
local function note_fine(self, sec, ns)
  local part = ns % 1000
  if math.min(part, 1000 - part) > rounding(sec) then self.fine = true end
end

-- Whether record n of capture p is this frame.
local function same(self, p, n, sec, ns, len)
  if n > p.frames then return false end
  local off = rounding(sec)
  if self.shift then
    if p ~= self.shift.point then return false end
    sec, ns = sub(sec, ns, self.shift.sec, self.shift.ns)
    off = 3 * off -- the shift is the difference of two such times
  end
  local lo, hi, l = record(p, n - 1)
  if l ~= len then return false end
  local s, t = unpack_stamp(lo, hi)
  if not s then return false end
  local d = (s - sec) * 1e9 + (t - ns)
  return d >= -off and d <= off + width(self, p)
end

-- Continues the step by one frame.
function Recogniser:in_step(n, sec, ns, len)
  local one = self.step[1]
  if not self.step[2] then
    if not same(self, one, n, sec, ns, len) then return nil end
    self.upto = n
    return one
  end
  local left = {}
  for _, p in ipairs(self.step) do
    if same(self, p, n, sec, ns, len) then left[#left + 1] = p end
  end
  if #left == 0 then return nil end
  self.step, self.upto = left, n
  if left[2] then return nil, true end
  return left[1]
end

-- Of several records of one capture with a frame's time and length, the one whose digest its bytes have.
function Recogniser:which(p, found)
  if not found[2] then return found[1] end
  local bytes = self.bytes and self.bytes()
  if not bytes then return nil end
  local want, hit = corr.digest(bytes), nil
  for _, n in ipairs(found) do
    if corr.tie(p, n) == want then
      if hit then return nil end
      hit = n
    end
  end
  return hit
end

-- The only record with this time and length.
function Recogniser:by_time(first, sec, ns, len)
  local hit, number, near
  local hits = 0
  for _, p in ipairs(self.points) do
    local s, t = sec, ns
    if self.shift then
      if p ~= self.shift.point then s = nil else s, t = sub(sec, ns, self.shift.sec, self.shift.ns) end
    end
    local s1, n1, s2, n2 = span(p)
    local off = rounding(sec)
    if s and s1 and not before(s, t + 999 + off, s1, n1) and not before(s2, n2 + off, s, t) then
      near = true
      if self.shift then off = 3 * off end
      local from_s, from_n = sub(s, t, 0, off)
      local to_s, to_n = add(s, t, 0, off + width(self, p))
      local found = find(p, from_s, from_n, to_s, to_n, len)
      if found[1] then
        hits = hits + 1
        if hits == 1 or self:rather(p, hit) then hit, number = p, self:which(p, found) end
      end
    end
  end
  if first and near then self:count(hits, hit) end
  if not number or self.known < self.strange then return nil end
  if hits > 1 and not self:certain(hit) then return nil end
  return hit, number
end

-- Whether a frame that both captures have is rather p's: only where the file held nothing of the other so far.
function Recogniser:rather(p, other)
  return (self.only[p] or 0) > (self.only[other] or 0)
end

function Recogniser:certain(p)
  if (self.only[p] or 0) < ALONE then return false end
  for q, n in pairs(self.only) do
    if q ~= p and n > 0 then return false end
  end
  return true
end

function Recogniser:count(hits, hit)
  if hits == 0 then
    self.strange = self.strange + 1
  else
    self.known = self.known + 1
    if hits == 1 then self.only[hit] = (self.only[hit] or 0) + 1 end
  end
end

-- Looks for a constant difference of time to the records with the same numbers. Gaps that are even milliseconds prove
-- nothing: programs make them.
function Recogniser:shifted(n, sec, ns, len)
  for _, p in ipairs(self.points) do
    local run = self.runs[p]
    local s, t, l
    if n <= p.frames then
      local lo, hi
      lo, hi, l = record(p, n - 1)
      s, t = unpack_stamp(lo, hi)
    end
    if not s or l ~= len then
      self.runs[p] = nil
    else
      local ds, dn = sub(sec, ns, s, t)
      if run and run.last == n - 1 and math.abs((ds - run.sec) * 1e9 + dn - run.ns) <= 2 * rounding(sec) then
        run.last, run.length = n, run.length + 1
        local gs, gn = sub(s, t, run.at_sec, run.at_ns)
        if gn % 1000000 ~= 0 and not run.gaps[gs + gn / 1e9] then
          run.gaps[gs + gn / 1e9] = true
          run.distinct = run.distinct + 1
        end
      else
        run = { first = n, last = n, length = 1, sec = ds, ns = dn, gaps = {}, distinct = 0 }
        self.runs[p] = run
      end
      run.at_sec, run.at_ns = s, t
      if run.first == 1 and run.length >= RUN and run.distinct >= DISTINCT then
        self.shift, self.step, self.upto = { point = p, sec = run.sec, ns = run.ns }, { p }, n
        self.known, self.strange, self.only = RUN, 0, { [p] = RUN }
        return p
      end
    end
  end
  return nil
end

-- A shift found before, tried at the first frame: the same file, loaded or dissected anew.
function Recogniser:assume(shift)
  self.shift, self.step = shift, { shift.point }
  self.assumed = true
end

local SURE = 32 -- frames in step whose exact times agreed, from which on Wireshark's double is enough

-- The capture that frame n should be in step with, beyond doubt if its time and length agree; nil for none.
function Recogniser:sure(n)
  if self.upto >= SURE and n <= self.upto + 1 and not self.step[2] and not self.shift then return self.step[1] end
end

-- Notes that all frames to n were in step.
function Recogniser:went(n)
  if n > self.upto then self.upto = n end
  if n > self.seen then
    local p, more = self.step[1], n - self.seen
    self.seen, self.known = n, self.known + more
    self.only[p] = (self.only[p] or 0) + more
  end
end

-- The capture and frame number that frame n of this file is; nil where it isn't known.
function Recogniser:frame(n, sec, ns, len)
  local first = n > self.seen
  if first then
    self.seen = n
    note_fine(self, sec, ns)
  end
  if n == self.upto + 1 and self.step[1] then
    local p, tie = self:in_step(n, sec, ns, len)
    if p then
      self.assumed = nil
      if first then self:count(1, p) end
      return p, n
    end
    if tie then return nil end
    if self.assumed then -- another file
      self.shift, self.assumed, self.step = nil, nil, self.points
      return self:frame(n, sec, ns, len)
    end
  elseif n <= self.upto then
    local p = self.step[1]
    if p and not self.step[2] and same(self, p, n, sec, ns, len) then return p, n end
    if not self.step[2] then self.step, self.upto = {}, 0 end -- renumbered: tshark -2 -R
  end
  local p, number = self:by_time(first, sec, ns, len)
  if number then return p, number end
  if first and self.known <= self.strange and self:shifted(n, sec, ns, len) then return self.shift.point, n end
  return nil
end
