-- Menus of Wireshark's windows. Tools > Correlation: the report, the findings, and the other captures. From Wireshark 4.4
-- on also a frame's context menu: the same packet or conversation in the other capture, its findings, all that is known.

local menus = {}
corr.menus = menus

local WINDOWS = package.config and string.sub(package.config, 1, 1) == "\\"
local MAC = "/Applications/Wireshark.app/Contents/MacOS/Wireshark"

local function window(title, text)
  TextWindow.new(title):set(text)
end

-- One argument of a command line; nil where the system's shell would read more into it.
local function quoted(s)
  if string.find(s, "%c") then return nil end
  if WINDOWS then
    if string.find(s, '["%%!]') then return nil end
    return '"' .. s .. '"'
  end
  return "'" .. string.gsub(s, "'", "'\\''") .. "'"
end
menus.quoted = quoted

local function exists(path)
  local f = io.open(path, "rb")
  if f then f:close() end
  return f ~= nil
end

function menus.program()
  if WINDOWS then return Dir.global_config_path() .. "\\Wireshark.exe" end
  if exists(MAC) then return MAC end
  return "wireshark"
end

-- Whether corr's profile is there: by corr install, or in the folder of corr open.
function menus.profile()
  return exists(Dir.personal_config_path("profiles/corr/preferences"))
end

-- The command that opens a capture in a second Wireshark; nil and the reason where there is none.
function menus.command(folder, path, frame, filter)
  if not path or not exists(path) then return nil, "the capture " .. (path or "?") .. " is no longer there" end
  local args = { "-X", "lua_script:" .. folder .. "corr.lua", "-r", path }
  if menus.profile() then
    args[#args + 1], args[#args + 2] = "-C", "corr"
  end
  if filter then
    args[#args + 1], args[#args + 2] = "-Y", filter
  end
  if frame then
    args[#args + 1], args[#args + 2] = "-g", string.format("%d", frame)
  end
  local line = quoted(menus.program())
  for _, a in ipairs(args) do
    local q = quoted(a)
    if not q then return nil, "the name " .. path .. " holds characters that no shell should see" end
    line = line .. " " .. q
  end
  if WINDOWS then return 'start "" ' .. line end
  return line .. " >/dev/null 2>&1 &"
end

local function open(folder, path, frame, filter)
  local line, why = menus.command(folder, path, frame, filter)
  if not line then return window("Correlation", why) end
  os.execute(line)
end

-- What a frame's fields say, by name: a list each, as shown. The callback gets all of the frame's fields.
function menus.read(fields)
  local by = {}
  for _, f in ipairs(fields) do
    local name = f.name
    if string.sub(name, 1, 5) == "corr." then
      by[name] = by[name] or {}
      table.insert(by[name], f.display)
    elseif name == "frame.number" then
      by[name] = { f.display }
    end
  end
  return by
end

-- All that is known of a frame, a line a field.
function menus.explain(by)
  local lines = {}
  for _, f in ipairs(corr.fields) do
    if by[f.name] then lines[#lines + 1] = string.format("%-22s %s", f.title, table.concat(by[f.name], "; ")) end
  end
  if #lines == 0 then return "corr knows nothing of this frame." end
  return table.concat(lines, "\n") .. "\n"
end

-- The findings of a result, the gravest first, a paragraph each.
function menus.findings(store)
  local lines = {}
  for _, severity in ipairs({ "error", "warn", "note", "chat" }) do
    for i = 0, store.findings.count - 1 do
      local f = store:finding(i)
      if f.severity == severity then lines[#lines + 1] = severity .. "  " .. (f.title or "") .. "  (" .. (f.id or "") .. ")" end
    end
  end
  if #lines == 0 then return "Nothing to report.\n" end
  return table.concat(lines, "\n\n") .. "\n"
end

-- The point of a name, of all results that are open.
local function point(sources, name)
  for _, s in ipairs(sources) do
    if s.store then
      for _, p in ipairs(s.store.points) do
        if p.name == name then return p, s end
      end
    end
  end
end

-- The result that the opened file belongs to: the one that knows frames of it.
local function current(sources)
  for _, s in ipairs(sources) do
    if s.store and s.recogniser.seen > 0 and s.recogniser.known + s.recogniser.upto > 0 then return s end
  end
end
menus.current = current

local function folder(s) return string.match(s.path, "^(.*[/\\])") or "" end

-- A frame's menu: what is done with the fields of the selected frame.
function menus.actions(sources)
  local function elsewhere(by, filter)
    local peers, frames = by["corr.peer_point"], by["corr.peer_frame"]
    local p, s = point(sources, peers and peers[1])
    if not p then return window("Correlation", "This frame has no counterpart in another capture.") end
    if filter then return open(folder(s), p.path, nil, "corr.flow == " .. (by["corr.flow"] or { "0" })[1]) end
    open(folder(s), p.path, tonumber(frames and frames[1]))
  end
  return {
    { "Open this frame in the other capture", function(by) elsewhere(by, false) end },
    { "Show this conversation there", function(by) elsewhere(by, true) end },
    { "Copy the findings", function(by) copy_to_clipboard(table.concat(by["corr.finding"] or {}, "\n")) end },
    { "Explain this frame", function(by)
      window("Correlation: frame " .. (by["frame.number"] or { "?" })[1], menus.explain(by))
    end },
  }
end

function menus.register(sources)
  local function with(fn)
    return function()
      local s = current(sources)
      if not s then return window("Correlation", "Open one of the captures first.") end
      fn(s)
    end
  end
  register_menu("Correlation/Report", with(function(s) browser_open_data_file(folder(s) .. "report.html") end),
    MENU_TOOLS_UNSORTED)
  register_menu("Correlation/Findings", with(function(s) window("Correlation: findings", menus.findings(s.store)) end),
    MENU_TOOLS_UNSORTED)
  register_menu("Correlation/Open the other captures", with(function(s)
    for _, p in ipairs(s.store.points) do
      if s.recogniser.upto == 0 or p ~= s.recogniser.step[1] then open(folder(s), p.path) end
    end
  end), MENU_TOOLS_UNSORTED)
  if not register_packet_menu then return end
  local ask = "corr.fate"
  for _, action in ipairs(menus.actions(sources)) do
    register_packet_menu("Correlation/" .. action[1], function(...) action[2](menus.read({ ... })) end, ask)
  end
end
