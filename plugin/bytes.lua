-- Numbers in corr.ann: little-endian words and stamps. Plain arithmetic, since Lua 5.2 and 5.4 share no other way.

local byte = string.byte
local floor = math.floor

-- The word at 1-based position i of string s.
function corr.word(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

-- A signed word.
function corr.int(s, i)
  local w = corr.word(s, i)
  if w >= 2147483648 then return w - 4294967296 end
  return w
end

-- A 64-bit number that a double holds; corr.ann has no larger ones here.
function corr.long(s, i)
  local lo, hi = corr.word(s, i), corr.word(s, i + 4)
  if hi >= 2147483648 then hi = hi - 4294967296 end
  return lo + hi * 4294967296
end

-- Splits the two words of a stamp into floored seconds and nanoseconds; nil for none.
function corr.unpack_stamp(lo, hi)
  if hi < 1000000000 then return lo, hi end
  local top = floor(hi / 1073741824)
  local ns = hi - top * 1073741824
  if ns >= 1000000000 then return nil end
  if top >= 2 then top = top - 4 end
  return lo + top * 4294967296, ns
end

function corr.stamp(s, i)
  return corr.unpack_stamp(corr.word(s, i), corr.word(s, i + 4))
end

-- Sum and difference of two (seconds, nanoseconds).
function corr.time_add(s1, n1, s2, n2)
  local s, n = s1 + s2, n1 + n2
  if n >= 1000000000 then return s + 1, n - 1000000000 end
  return s, n
end

function corr.time_sub(s1, n1, s2, n2)
  local s, n = s1 - s2, n1 - n2
  if n < 0 then return s - 1, n + 1000000000 end
  return s, n
end

-- Whether the first instant is before the second.
function corr.time_before(s1, n1, s2, n2)
  return s1 < s2 or (s1 == s2 and n1 < n2)
end
