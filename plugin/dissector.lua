-- The postdissector: recognises each frame and shows what is known of it.

local proto = Proto.new("corr", corr.title)
local fields = {} -- in the order of the packet tree: { field, value function }
local experts = {}

local function make_field(f)
  if f.type == "relative_time" then return ProtoField.relative_time(f.name, f.title, f.text) end
  if f.type == "absolute_time" then return ProtoField.absolute_time(f.name, f.title, base.UTC, f.text) end
  if f.type == "string" then return ProtoField.string(f.name, f.title, base.UNICODE, f.text) end
  return ProtoField[f.type](f.name, f.title, base.DEC, nil, nil, f.text)
end

local registered, registered_experts = {}, {}
for i, f in ipairs(corr.fields) do
  registered[i] = make_field(f)
  fields[i] = { field = registered[i], value = corr.values[f.name] }
end
for i, severity in ipairs({ "error", "warn", "note", "chat" }) do
  experts[severity] = ProtoExpert.new("corr.expert." .. severity, "Finding", expert.group.PROTOCOL,
    expert.severity[string.upper(severity)])
  registered_experts[i] = experts[severity]
end
local trouble = ProtoExpert.new("corr.expert.plugin", "The correlation can't be read", expert.group.UNDECODED,
  expert.severity.NOTE)
registered_experts[5] = trouble
proto.fields = registered
proto.experts = registered_experts

local frame_time = Field.new("frame.time_epoch")

local sources = {} -- one for each corr.ann: path, store, recogniser, problem
local wanted = {} -- what is added while no tree is shown
local with_proto = true -- whether an item for the protocol is added
local last -- number of the frame before, nil where wanted may be out of date

-- The file's first frame in exact time less its relative time: with it, the exact time of a frame costs no field.
local base_sec, base_ns

function corr.add_source(path)
  sources[#sources + 1] = { path = path }
end

local function open_source(s)
  local ok, store = pcall(corr.open, s.path)
  if ok then
    s.store, s.recogniser = store, corr.recogniser(store.points)
    if s.shift then
      for _, p in ipairs(store.points) do
        if p.index == s.shift.index then
          s.recogniser:assume({ point = p, sec = s.shift.sec, ns = s.shift.ns })
        end
      end
    end
  else
    s.problem = type(store) == "table" and store.corr or tostring(store)
  end
  s.opened = true
end

-- A new file, or the same one dissected anew: corr.ann may be another too.
function proto.init()
  last, base_sec = nil, nil
  for _, s in ipairs(sources) do
    if s.recogniser and s.recogniser.shift and not s.recogniser.assumed then
      local shift = s.recogniser.shift
      s.shift = { index = shift.point.index, sec = shift.sec, ns = shift.ns }
    end
    if s.store then s.store.file:close() end
    s.store, s.recogniser, s.problem, s.opened, s.told = nil, nil, nil, nil, nil
  end
end

-- The frame's exact time from Wireshark's own field.
local function field_time()
  local info = frame_time()
  if not info then return 0, 0 end -- the file gives no time for this frame: recorded as 0
  local t = info.value
  local sec, ns = t.secs, t.nsecs
  if ns < 0 then sec, ns = sec - 1, ns + 1000000000 end
  return sec, ns
end

-- The frame's exact time. pinfo.abs_ts is off by up to 120 ns, pinfo.rel_ts is exact for 24 days but counts from the
-- first frame, or from a time reference: the two together tell.
local function exact_time(pinfo)
  local rel = pinfo.rel_ts
  if base_sec and rel >= 0 and rel < 2097152 then
    local rs = math.floor(rel)
    local sec, ns = base_sec + rs, base_ns + math.floor((rel - rs) * 1e9 + 0.5)
    if ns >= 1000000000 then sec, ns = sec + 1, ns - 1000000000 end
    local off = pinfo.abs_ts - sec - ns / 1e9
    if off < 3e-7 and off > -3e-7 then return sec, ns end
  end
  local sec, ns = field_time()
  local rs = math.floor(rel)
  base_sec, base_ns = corr.time_sub(sec, ns, rs, math.floor((rel - rs) * 1e9 + 0.5))
  return sec, ns
end

-- What display filters, columns, taps and colour rules ask for.
local function referenced(tree)
  local list = {}
  for _, f in ipairs(fields) do
    if tree:referenced(f.field) then list[#list + 1] = f end
  end
  return list
end

-- Whether something asks for the protocol itself (a filter "corr"). Versions that can't tell: yes.
local function proto_referenced(tree)
  local ok, asked = pcall(function() return tree:referenced(Dissector.get("corr")) end)
  return not ok or asked
end

local function add(tree, field, value)
  if value == nil then return end
  if with_proto then
    if type(value) == "table" then
      for _, v in ipairs(value) do tree:add(field, v):set_generated() end
    else
      tree:add(field, value):set_generated()
    end
  elseif type(value) == "table" then
    for _, v in ipairs(value) do tree:add(field, v) end
  else
    tree:add(field, value)
  end
end

-- Adds what is asked for. While no tree is shown the fields hang on the root: an item for the protocol is added only
-- where somebody asks for it or a finding needs one, since it costs more than all else.
local function show(tree, list, f)
  local sub = tree
  -- Nothing tells whether somebody gathers expert information: frames with findings always give theirs.
  local findings = f.extra_at ~= 0 and corr.extra(f).findings
  if with_proto or findings and findings[1] then sub = tree:add(proto) end
  for i = 1, #list do
    local x = list[i]
    add(sub, x.field, x.value(f))
  end
  if not findings then return end
  for _, finding in ipairs(findings) do
    sub:add_proto_expert_info(experts[finding.severity] or experts.note, finding.title or finding.id or "")
  end
end

local function complain(s, tree)
  s.told = true
  tree:add(proto):add_proto_expert_info(trouble, "corr: " .. s.problem)
end

-- Says what source s knows of the frame; true if it knows it.
local function annotate(s, n, sec, ns, len, tree, list, bytes)
  s.recogniser.bytes = bytes
  local p, number = s.recogniser:frame(n, sec, ns, len)
  if not p then return false end
  show(tree, list, corr.annotation(p, number, sec, ns))
  return true
end

local function step(s, p, n, abs, len, tree, list)
  local flow, class, peer, delay, extra, sec, ns = corr.record_if(p, n - 1, abs, len)
  if not flow then return false end
  s.recogniser:went(n)
  show(tree, list, corr.fill(p, n, sec, ns, flow, class, peer, delay, extra))
  return true
end

-- The quick way: the one source's capture is in step, and this frame goes on with it.
local function ahead(s, n, abs, len, tree, list)
  local p = s.recogniser:ahead(n)
  if not p or n > p.frames then return false end
  local ok, done = pcall(step, s, p, n, abs, len, tree, list)
  return ok and done
end

function proto.dissector(buffer, pinfo, tree)
  local n = pinfo.number
  local list = fields
  if tree.visible then
    last, with_proto = nil, true
  else
    -- A pass visits every frame once; what is asked for changes between passes only.
    if not last or n ~= last + 1 then
      wanted = referenced(tree)
      with_proto = #wanted == 0 or proto_referenced(tree)
    end
    last = n
    list = wanted
  end
  local len = pinfo.len
  local only = not sources[2] and sources[1]
  if only and only.store and ahead(only, n, pinfo.abs_ts, len, tree, list) then return end
  local sec, ns = exact_time(pinfo)
  local function bytes() return buffer:raw(0, math.min(buffer:len(), 128)) end
  for _, s in ipairs(sources) do
    if not s.opened then open_source(s) end
    if s.store then
      local ok, known = pcall(annotate, s, n, sec, ns, len, tree, list, bytes)
      if ok then
        if known then return end
      else
        s.problem, s.store = type(known) == "table" and known.corr or tostring(known), nil
        complain(s, tree)
      end
    elseif s.problem and (n == 1 or not s.told) then
      complain(s, tree)
    end
  end
end

register_postdissector(proto)
