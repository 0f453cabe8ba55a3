-- What is said of a frame. The field table (backend/field) names these functions: each field's value is an expression of
-- them. A value function gives one value, a list, or nil: not known.

local value = {}
corr.value = value

local word, stamp, FINDING = corr.word, corr.stamp, corr.FLOW_FINDING

local NO_DELAY = 2147483648 -- 0x80000000
local DELAY_IN_EXTRA = 2147483649

local TAG_DELAY, TAG_PEERS, TAG_CHANGED_TEXT, TAG_MESSAGE, TAG_MESSAGE_PEERS, TAG_FINDINGS, TAG_LOGS, TAG_TIE =
  1, 2, 3, 4, 5, 6, 7, 9
local TAG_FAR_PEERS, TAG_FAR_MESSAGE_PEERS = 10, 11
local WORDS = { [TAG_DELAY] = 2, [TAG_PEERS] = 3, [TAG_MESSAGE_PEERS] = 3, [TAG_FAR_PEERS] = 4, [TAG_FAR_MESSAGE_PEERS] = 4 }

-- Words of a capture's heap.
local function heap_words(p, at, n)
  if at + n > p.heap.count then corr.problem(p.store.path .. " is damaged") end
  return p.store:read(p.heap.off + at * 4, n * 4)
end

local function heap_text(p, at)
  local n = word(heap_words(p, at, 1), 1)
  return corr.plain(string.sub(heap_words(p, at + 1, (n + 3 - (n + 3) % 4) / 4), 1, n))
end

local function heap_peer(p, s, i)
  local kind = heap_words(p, word(s, i), 2)
  local index, stream = word(kind, 1), word(kind, 5)
  if stream == 4294967295 then stream = nil end
  local at = p.store.points[index + 1]
  if not at then corr.problem(p.store.path .. " is damaged") end
  return { point = at, index = index, frame = word(s, i + 4), stream = stream }
end

-- Reads the heap entry: what few frames have.
local function read_extra(p, at)
  local x = { peers = {}, changed_text = {}, message_peers = {}, findings = {}, logs = {} }
  local s = heap_words(p, at + 1, word(heap_words(p, at, 1), 1))
  local i = 1
  while i < #s do
    local w = word(s, i)
    local tag = w % 256
    local count = (w - tag) / 256
    local size = (WORDS[tag] or 1) * 4
    i = i + 4
    if i + count * size > #s + 1 then corr.problem(p.store.path .. " is damaged") end
    for _ = 1, count do
      if tag == TAG_DELAY then
        local sec, ns = stamp(s, i)
        if sec then x.delay = corr.duration(sec, ns) end
      elseif tag == TAG_PEERS or tag == TAG_FAR_PEERS then
        table.insert(x.peers, heap_peer(p, s, i))
      elseif tag == TAG_MESSAGE_PEERS or tag == TAG_FAR_MESSAGE_PEERS then
        table.insert(x.message_peers, heap_peer(p, s, i))
      elseif tag == TAG_CHANGED_TEXT then
        table.insert(x.changed_text, heap_text(p, word(s, i)))
      elseif tag == TAG_MESSAGE then
        x.message = heap_text(p, word(s, i))
      elseif tag == TAG_FINDINGS then
        table.insert(x.findings, p.store:finding(word(s, i)))
      elseif tag == TAG_TIE then
        x.tie = word(s, i)
      elseif tag == TAG_LOGS then
        table.insert(x.logs, p.store:log(word(s, i)))
      end
      i = i + size
    end
  end
  return x
end

-- The digest of a record's frame, where another one has the same time and length; nil where none has.
function corr.tie(p, n)
  local _, _, _, _, _, _, _, extra = corr.record(p, n - 1)
  return extra ~= 0 and read_extra(p, extra).tie or nil
end

-- A number made from a frame's first bytes, by the same arithmetic as flow.Digest in backend/flow.
function corr.digest(bytes)
  local h = 1
  for i = 1, math.min(#bytes, 128) do h = (h * 31 + string.byte(bytes, i)) % 16777216 end
  return h
end

-- A frame's annotation. The table is used again for the next frame.
local frame = {}

function corr.annotation(p, n)
  local lo, hi, _, flow, class, peer, delay, extra = corr.record(p, n - 1)
  local sec, ns = corr.unpack_stamp(lo, hi)
  return corr.fill(p, n, sec, ns, flow, class, peer, delay, extra)
end

function corr.fill(p, n, sec, ns, flow, class, peer, delay, extra)
  local f = frame
  f.finding = flow >= FINDING
  if f.finding then flow = flow - FINDING end
  f.point, f.number, f.sec, f.ns, f.flow, f.peer, f.delay = p, n, sec, ns, flow, peer, delay
  f.class = p.known.of[class] or p.store:class(p, class)
  f.extra_at, f.extra_read = extra, nil
  return f
end

-- What few frames have beside their record, read when it is first asked for; nil for nothing.
function corr.extra(f)
  if f.extra_at == 0 then return nil end
  if not f.extra_read then f.extra_read = read_extra(f.point, f.extra_at) end
  return f.extra_read
end
local extra = corr.extra

local function flow_at(f)
  if f.flow == 0 then return nil end
  return f.point.store:flow(f.flow).at[f.point.index]
end

-- A list of what get gives for the frame's peer and for each further one.
local function of_peers(f, get)
  local all = {}
  if f.peer ~= 0 and f.class.peer then all[1] = get(f, f.class.peer, f.class.peer_point, f.peer) end
  if f.extra_at ~= 0 then
    for _, p in ipairs(extra(f).peers) do all[#all + 1] = get(f, p.point, p.index, p.frame, p.stream) end
  end
  return all
end

local function each(list, name)
  local all = {}
  for i, v in ipairs(list) do all[i] = v[name] end
  return all
end

-- A list of what few frames have; key: of its elements only this.
function value.extra_list(name, key)
  return function(f)
    local x = extra(f)
    if not x then return nil end
    return key and each(x[name], key) or x[name]
  end
end

-- Ends of a conversation that a translation changes: the part of its tuple that the initiator's packets carry in a
-- field, and the one that packets against it carry.
local ENDS = {
  ["ip.src"] = { "src", "dst" }, ["ip.dst"] = { "dst", "src" }, ["ipv6.src"] = { "src", "dst" }, ["ipv6.dst"] = { "dst", "src" },
  ["tcp.srcport"] = { "sport", "dport" }, ["tcp.dstport"] = { "dport", "sport" },
  ["udp.srcport"] = { "sport", "dport" }, ["udp.dstport"] = { "dport", "sport" }, ["icmp.ident"] = { "sport", "sport" },
}

-- corr.changed.text: what the frame carries itself, and addresses and ports by its conversation's tuples.
function value.changed_text(f)
  local all = {}
  local here, there
  if f.flow ~= 0 and f.class.changed and f.class.peer then
    local at = f.point.store:flow(f.flow).at
    here, there = at[f.point.index], at[f.class.peer_point]
    if not f.class.peer_down then here, there = there, here end
  end
  if here and there and here.src and there.src then
    for _, name in ipairs(f.class.changed) do
      local e = ENDS[name]
      local key = e and e[f.class.reverse and 2 or 1]
      if key and here[key] ~= there[key] then
        all[#all + 1] = string.format("%s: %s \226\134\146 %s", name, here[key], there[key])
      end
    end
  end
  if f.extra_at ~= 0 then
    for _, t in ipairs(extra(f).changed_text) do all[#all + 1] = t end
  end
  return all
end

-- Value functions that give the same for all frames of a capture and class.
corr.by_class = {}

local function by_class(f)
  corr.by_class[f] = true
  return f
end

-- What the frame's class says under a name.
function value.class(name)
  return by_class(function(f) return f.class[name] end)
end

-- What its conversation says of this point under a name.
function value.at_point(name)
  return function(f)
    local at = flow_at(f)
    return at and at[name]
  end
end

value.point = by_class(function(f) return f.point.name end)

function value.flow(f)
  if f.flow ~= 0 then return f.flow end
end

function value.path(f)
  if f.flow == 0 then return nil end
  local flow = f.point.store:flow(f.flow)
  if f.class.reverse then return flow.path_reverse end
  return flow.path
end

function value.peer_frame(f)
  if f.extra_at ~= 0 then return of_peers(f, function(_, _, _, n) return n end) end
  if f.peer ~= 0 and f.class.peer then return f.peer end
end

function value.peer_point(f)
  if f.extra_at ~= 0 then return of_peers(f, function(_, p) return p.name end) end
  if f.peer ~= 0 and f.class.peer then return f.class.peer.name end
end

function value.peer_stream(f)
  local all = of_peers(f, function(g, _, index, _, stream)
    if stream or g.flow == 0 then return stream end
    local at = g.point.store:flow(g.flow).at[index]
    return at and at.stream
  end)
  if #all > 0 or f.extra_at == 0 then return all end
  -- No frame of a proxy's other side carries these bytes, yet some carry the same messages.
  local seen = {}
  for _, p in ipairs(extra(f).message_peers) do
    if p.stream and not seen[p.stream] then
      seen[p.stream] = true
      all[#all + 1] = p.stream
    end
  end
  return all
end

function value.delay(f)
  local d = f.delay
  if d == NO_DELAY then return nil end
  if d == DELAY_IN_EXTRA then
    local x = extra(f)
    return x and x.delay
  end
  if d >= 2147483648 then d = d - 4294967296 end
  local sec = math.floor(d / 1000000000)
  return corr.duration(sec, d - sec * 1000000000)
end

function value.time(f) return corr.reference_time(f.point, f.number, f.sec, f.ns) end

function value.message(f)
  local x = extra(f)
  return x and x.message
end
