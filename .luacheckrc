-- plugin/*.lua are blocks of one file: corr is their common table, the rest is Wireshark's API.
std = "min"
globals = { "corr" }
read_globals = { "Dissector", "Proto", "ProtoField", "ProtoExpert", "NSTime", "Struct", "base", "ftypes", "expert", "register_postdissector", "bit32", "gui_enabled", "register_menu", "register_packet_menu", "TextWindow", "Dir", "Listener", "copy_to_clipboard", "browser_open_data_file", "MENU_TOOLS_UNSORTED" }
max_line_length = 130
