-- The postdissector: recognises each frame and shows what is known of it.

local fill, unpack, RECORD, FORMAT = corr.fill, corr.unpack, corr.RECORD, corr.RECORD_FORMAT
local FINDING = corr.FLOW_FINDING

local proto = Proto.new("corr", corr.title)
-- The fields' owner. A filter on a field counts as a reference to its owner; so fields of "corr" itself would hide whether
-- somebody asks for "corr", and its item costs more than all else.
local owner = Proto.new("corr_fields", corr.title .. ", fields")
local fields = {} -- in the order of the packet tree: { field, value function }
local experts = {}

local function make_field(f)
  if f.type == "relative_time" then return ProtoField.relative_time(f.name, f.title, f.text) end
  if f.type == "absolute_time" then return ProtoField.absolute_time(f.name, f.title, base.UTC, f.text) end
  -- ProtoField.string with a base loses the description from Wireshark 4.0 on.
  if f.type == "string" then return ProtoField.new(f.title, f.name, ftypes.STRING, nil, base.UNICODE, nil, f.text) end
  return ProtoField[f.type](f.name, f.title, base.DEC, nil, nil, f.text)
end

-- Wireshark makes some objects for each frame. Where Lua collects them in short rounds, begun early and gone through
-- quickly, they are still in the processor's cache: that saves some eight hundredths of tshark's whole time.
collectgarbage("setpause", 150)
collectgarbage("setstepmul", 1000)

local registered, registered_experts = {}, {}
for i, f in ipairs(corr.fields) do
  registered[i] = make_field(f)
  fields[i] = { name = f.name, field = registered[i], value = corr.values[f.name], repeats = f.repeats }
end
for i, severity in ipairs({ "error", "warn", "note", "chat" }) do
  experts[severity] = ProtoExpert.new("corr.expert." .. severity, "Finding", expert.group.PROTOCOL,
    expert.severity[string.upper(severity)])
  registered_experts[i] = experts[severity]
end
local trouble = ProtoExpert.new("corr.expert.plugin", "The correlation can't be read", expert.group.UNDECODED,
  expert.severity.NOTE)
registered_experts[5] = trouble
owner.fields = registered
proto.experts = registered_experts

local sources = {} -- one for each corr.ann: path, store, recogniser, problem
local wanted = {} -- what is added while no tree is shown
local with_proto = true -- whether an item for the protocol is added
local shown -- whether a tree is
local windows = gui_enabled() -- without them a tree is shown during a whole pass or not at all
local brief -- where nothing is wanted but corr.flow and what classes say: the format of as much of a record, else nil
local flow_field -- corr.flow where it is wanted
local class_fields, any_class -- what is wanted of classes; whether anything is
local of_class, classes -- by class of the capture ahead: fields and values in turn; how many classes
local CLASSES = 4096 -- of them before they are forgotten
local last -- number of the frame before, nil where wanted may be out of date
local ahead, ahead_point -- the number and the capture of the next frame while the quick way is open, else nil
local page, page_from, page_size -- the records around it: bytes, the first one's frame number, how many
-- TreeItem's method and what gives two attributes of a Pinfo: looking them up for each frame costs as much as calling them.
local tree_add, frame_len, frame_epoch

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
  last, ahead = nil, nil
  for _, s in ipairs(sources) do
    if s.recogniser and s.recogniser.shift and not s.recogniser.assumed then
      local shift = s.recogniser.shift
      s.shift = { index = shift.point.index, sec = shift.sec, ns = shift.ns }
    end
    if s.store then s.store.file:close() end
    s.store, s.recogniser, s.problem, s.opened, s.told = nil, nil, nil, nil, nil
  end
end

-- The frame's time, as a double has it. The exact one is frame.time_epoch, but a plugin that reads any field makes
-- Wireshark fill in all of that protocol's, for every frame.
local function frame_time(pinfo)
  local abs = pinfo.abs_ts
  local sec = math.floor(abs)
  local ns = math.floor((abs - sec) * 1e9 + 0.5)
  if ns >= 1000000000 then return sec + 1, ns - 1000000000 end
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

-- Whether something asks for the protocol itself: a filter "corr". Versions that can't tell: yes.
local function proto_referenced(tree)
  local ok, asked = pcall(function() return tree:referenced(Dissector.get("corr")) end)
  return not ok or asked
end

local function add(tree, field, value)
  if value == nil then return end
  if type(value) ~= "table" then value = { value } end
  for _, v in ipairs(value) do
    local item = tree:add(field, v)
    if shown then item:set_generated() end
  end
end

-- Adds what is asked for. While no tree is shown the fields hang on the root: an item for the protocol is added only
-- where somebody asks for it or a finding needs one, since it costs more than all else.
local function show(tree, list, f)
  local sub = tree
  -- Nothing tells whether somebody gathers expert information: frames with findings always give theirs.
  local findings = f.finding and corr.extra(f).findings
  if with_proto or findings then sub = tree:add(proto) end
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
  show(tree, list, corr.annotation(p, number))
  return true
end

-- The quick way: while one capture is in step and no tree is shown, a frame costs one look at its record. This runs for
-- every frame, so it calls as little as it can, and takes the next frame for the one that follows: its time and length
-- tell if it is not.
local function next_page()
  if ahead > ahead_point.frames then return false end
  local ok, bytes, from, size = pcall(corr.page, ahead_point, ahead - 1)
  if not ok then return false end -- the long way tells
  page, page_from, page_size = bytes, from + 1, size
  return true
end

local function show_wanted(tree, p, sec, ns, flow, class, peer, delay, extra)
  local f = fill(p, ahead, sec, ns, flow, class, peer, delay, extra)
  if with_proto or flow >= FINDING then return show(tree, wanted, f) end
  for i = 1, #wanted do
    local x = wanted[i]
    local v = x.value(f)
    if v ~= nil then
      if x.repeats and type(v) == "table" then
        for k = 1, #v do tree_add(tree, x.field, v[k]) end
      else
        tree_add(tree, x.field, v)
      end
    end
  end
end

-- What is wanted of a class, fields and values in turn; nil where corr.ann is damaged.
local function class_items(class)
  local f = { point = ahead_point }
  local ok, c = pcall(ahead_point.store.class, ahead_point.store, ahead_point, class)
  if not ok then return nil end
  f.class = c
  local l = {}
  for _, x in ipairs(class_fields) do
    local v = x.value(f)
    if type(v) ~= "table" then v = { v } end
    for _, one in ipairs(v) do
      l[#l + 1], l[#l + 2] = x.field, one
    end
  end
  if classes >= CLASSES then of_class, classes = {}, 0 end
  of_class[class], classes = l, classes + 1
  return l
end

local function add_items(tree, l)
  for i = 1, #l, 2 do tree_add(tree, l[i], l[i + 1]) end
end

-- Sorts what is wanted by where it is found.
local function sort_wanted()
  brief, flow_field, class_fields = nil, nil, {}
  if with_proto then return end
  for _, x in ipairs(wanted) do
    if x.name == "corr.flow" then
      flow_field = x.field
    elseif corr.by_class[x.value] then
      class_fields[#class_fields + 1] = x
    else
      return
    end
  end
  any_class = class_fields[1] ~= nil
  brief = any_class and corr.RECORD_TO_CLASS or corr.RECORD_TO_FLOW
end

local function quickly(pinfo, tree)
  local o = ahead - page_from
  if o >= page_size then
    if not next_page() then return false end
    o = ahead - page_from
  end
  local sec, ns, len, flow, class, peer, delay, extra = unpack(FORMAT, page, o * RECORD + 1)
  if len ~= frame_len(pinfo) or ns >= 1000000000 then return false end
  local off = frame_epoch(pinfo) - sec - ns / 1e9
  if off > 5e-7 or off < -5e-7 then return false end -- a double's rounding
  if not pcall(show_wanted, tree, ahead_point, sec, ns, flow, class, peer, delay, extra) then return false end
  ahead = ahead + 1
  return true
end

-- The function that gives an attribute of a Pinfo: Wireshark's own where its objects show it and it does give it.
local function getter(pinfo, name)
  local meta = getmetatable(pinfo)
  local own = type(meta) == "table" and type(meta.__getters) == "table" and meta.__getters[name]
  if type(own) == "function" then
    local ok, v = pcall(own, pinfo)
    if ok and v == pinfo[name] then return own end
  end
  return function(p) return p[name] end
end

-- Goes the quick way from the next frame on, where it is open.
local function speed_up(n, pinfo, tree)
  local only = not sources[2] and sources[1]
  ahead_point = only and only.store and only.recogniser:sure(n + 1)
  ahead = ahead_point and n + 1
  page_from, page_size = 0, 0
  of_class, classes = {}, 0
  tree_add = tree.add
  frame_len, frame_epoch = getter(pinfo, "len"), getter(pinfo, "abs_ts")
end

local function slow_down()
  if ahead then
    last = ahead - 1
    sources[1].recogniser:went(last)
  end
  ahead = nil
end

function proto.dissector(buffer, pinfo, tree)
  -- A window asks for frames in any order, and shows trees.
  if ahead and (not windows or pinfo.number == ahead and not tree.visible) then
    -- The same as quickly does, with fewer calls and less of the record.
    local o = ahead - page_from
    if brief and o < page_size then
      local sec, ns, len, flow, class = unpack(brief, page, o * RECORD + 1)
      if flow < FINDING and len == frame_len(pinfo) and ns < 1000000000 then
        local off = frame_epoch(pinfo) - sec - ns / 1e9
        if off <= 5e-7 and off >= -5e-7 then
          local l = not any_class or of_class[class] or class_items(class)
          if l and (l == true or pcall(add_items, tree, l)) then
            if flow_field and flow ~= 0 then tree_add(tree, flow_field, flow) end
            ahead = ahead + 1
            return
          end
        end
      end
    end
    if quickly(pinfo, tree) then return end
  end
  slow_down()
  local n = pinfo.number
  shown = tree.visible
  local list = fields
  if shown then
    last, with_proto, brief = nil, true, nil
  else
    -- A pass visits every frame once; what is asked for changes between passes only.
    if not last or n ~= last + 1 then
      wanted = referenced(tree)
      with_proto = proto_referenced(tree)
      sort_wanted()
    end
    last = n
    list = wanted
  end
  local len = pinfo.len
  local sec, ns = frame_time(pinfo)
  local function bytes() return buffer:raw(0, math.min(buffer:len(), 128)) end
  for _, s in ipairs(sources) do
    if not s.opened then open_source(s) end
    if s.store then
      local ok, known = pcall(annotate, s, n, sec, ns, len, tree, list, bytes)
      if not ok then
        s.problem, s.store = type(known) == "table" and known.corr or tostring(known), nil
        complain(s, tree)
      elseif known then
        if not shown then speed_up(n, pinfo, tree) end
        return
      end
    elseif s.problem and (n == 1 or not s.told) then
      complain(s, tree)
    end
  end
end

register_postdissector(proto)
if windows and register_menu then corr.menus.register(sources) end

-- tshark -q -X lua_script:corr.lua -X lua_script1:summary: the findings, once the file is read.
for _, a in ipairs(corr.arguments) do
  if a == "summary" then
    local tap = Listener.new("frame")
    function tap.draw()
      local s = corr.menus.current(sources)
      print(s and corr.menus.findings(s.store) or "corr knows no frame of this file.")
    end
  end
end
