package luagen

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/field"
	"github.com/corr-dev/corr/plugin"
)

// Options of the generated plugin.
type Options struct {
	// Ann is the name of the annotations beside corr.lua; empty for corr.ann.
	Ann string
	// Work is the folder in which the proof's own files lie for a moment; empty for the system's temporary one.
	Work string
}

// Generate writes corr.lua after it has proved that it loads and answers.
func Generate(w io.Writer, o Options) error {
	src, err := assemble(o)
	if err != nil {
		return err
	}
	if err := prove(src, o.Work); err != nil {
		return fmt.Errorf("corr.lua is not written, it does not answer: %w", err)
	}
	_, err = w.Write(src)
	return err
}

// prologue finds the script's own folder. A second corr.lua in one Wireshark only adds its annotations to the first.
const prologue = `-- corr.lua: what became of each frame at the other capture points. Made by corr; the annotations lie beside it.
-- Wireshark: Tools > Lua, or tshark -X lua_script:corr.lua

local source = debug.getinfo(1, "S").source
local folder = string.match(source, "^@(.*[/\\])") or ""
local annotations = folder .. %s

if _G.corr_add_annotations then
  _G.corr_add_annotations(annotations)
  return
end

local corr = {}
corr.arguments = { ... } -- -X lua_script1:summary

`

const epilogue = `
_G.corr_add_annotations = corr.add_source
corr.add_source(annotations)
`

func assemble(o Options) ([]byte, error) {
	if o.Ann == "" {
		o.Ann = "corr.ann"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, prologue, quote(o.Ann))
	writeFields(&b)
	for _, name := range plugin.Order {
		src, err := plugin.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		// A block of its own: Lua allows 200 locals in one.
		fmt.Fprintf(&b, "\ndo -- %s\n%send\n", name, src)
		if name == "values.lua" {
			writeValues(&b)
		}
	}
	b.WriteString(epilogue)
	return b.Bytes(), nil
}

// writeValues writes each field's value, as the table has it.
func writeValues(b *bytes.Buffer) {
	b.WriteString("\ndo -- values of the fields\nlocal value = corr.value\ncorr.values = {\n")
	for _, f := range field.All {
		fmt.Fprintf(b, "  [%s] = %s,\n", quote(f.Name), f.Value)
	}
	b.WriteString("}\nend\n")
}

func writeFields(b *bytes.Buffer) {
	fmt.Fprintf(b, "corr.title = %s\ncorr.fields = {\n", quote(field.Title))
	for _, f := range field.All {
		repeats := ""
		if f.Repeats {
			repeats = " repeats = true,"
		}
		fmt.Fprintf(b, "  { name = %s, title = %s, type = %s,%s\n    text = %s },\n", quote(f.Name), quote(f.Title), quote(string(f.Type)), repeats, quote(f.Text))
	}
	b.WriteString("}\n")
}

// quote gives a Lua string. Decimal escapes mean the same in every Lua.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			b.WriteByte('\\')
			b.WriteString(fmt.Sprintf("%03s", strconv.Itoa(int(c))))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
