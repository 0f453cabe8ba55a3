-- Times and durations as Wireshark's NSTime.

local floor = math.floor

-- A duration from floored seconds and nanoseconds. Wireshark wants both parts of a negative one negative.
function corr.duration(sec, ns)
  if sec < 0 and ns > 0 then return NSTime.new(sec + 1, ns - 1000000000) end
  return NSTime.new(sec, ns)
end

-- The local time of point p's frame n on the reference clock, or nil. The same arithmetic as Point.Ref in backend/annotate, to
-- the nanosecond.
function corr.reference_time(p, n, sec, ns)
  if not p.clock_known then return nil end
  local off_sec, off_ns = p.offset_sec, p.offset_ns
  for _, s in ipairs(p.steps) do
    if n < s.from then break end
    off_sec, off_ns = s.offset_sec, s.offset_ns
  end
  local since = (sec - p.at_sec) * 1000000000 + (ns - p.at_ns)
  local drift = floor((since + 0.0) * p.drift / 1e18 + 0.5) -- + 0.0: integers of Lua 5.4 would overflow
  local d_sec = floor(drift / 1000000000)
  sec, ns = corr.time_sub(sec, ns, off_sec, off_ns)
  sec, ns = corr.time_sub(sec, ns, d_sec, drift - d_sec * 1000000000)
  return NSTime.new(sec, ns)
end
