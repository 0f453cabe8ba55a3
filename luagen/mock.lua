-- The part of Wireshark's API that corr.lua uses, and a way to ask what it says of a frame.

local post -- the protocol that registered itself as postdissector

ProtoField = setmetatable({}, {
  __index = function(_, kind)
    if kind == "new" then return function(_, name, type) return { name = name, kind = type } end end
    return function(name) return { name = name, kind = kind } end
  end,
})
Proto = { new = function(name) return { name = name } end }
ProtoExpert = { new = function(name) return { name = name } end }
-- Wireshark's are userdata: no tables.
NSTime = { new = function(sec, ns) return function() return sec, ns end end }
Dissector = { get = function(name) return name end }
ftypes = { STRING = "string" }
base = { DEC = 1, UTC = 2, UNICODE = 3 }
expert = { group = { PROTOCOL = 1, UNDECODED = 2 }, severity = { ERROR = 1, WARN = 2, NOTE = 3, CHAT = 4 } }
function gui_enabled() return false end
function register_postdissector(p) post = p end

local function written(v)
  if type(v) == "function" then return string.format("%.0f s %.0f ns", v()) end
  if type(v) == "number" then return string.format("%.0f", v) end
  return v
end

-- Begins a file anew.
function ask_anew() post.init() end

-- A tree item's methods are the same functions for all items, as in Wireshark: the plugin keeps one.
local Item = {}
Item.__index = Item

local function new_item(ask)
  return setmetatable({ ask = ask, visible = ask.visible }, Item)
end

function Item:add(f, v)
  if f.kind then table.insert(self.ask, f.name .. ": " .. written(v)) end
  return new_item(self.ask)
end

function Item:set_generated() return self end

function Item:add_proto_expert_info(e, text) table.insert(self.ask, e.name .. ": " .. text) end

function Item:referenced(f)
  return type(f) == "table" and string.find(self.ask.wanted, " " .. f.name .. " ", 1, true) ~= nil
end

-- What the postdissector adds for frame n: a line a field. wanted: names of the fields that somebody asks for, ignored
-- where a tree is shown.
function ask(n, len, time, visible, wanted)
  local lines = { visible = visible, wanted = wanted }
  local buffer = { len = function() return 0 end, raw = function() return "" end }
  post.dissector(buffer, { number = n, len = len, abs_ts = time }, new_item(lines))
  return table.concat(lines, "\n")
end
