package field

// Type is a Wireshark field type, named as ProtoField names it.
type Type string

const (
	String       Type = "string"
	Uint8        Type = "uint8"
	Uint32       Type = "uint32"
	RelativeTime Type = "relative_time"
	AbsoluteTime Type = "absolute_time"
)

// Field is one corr.* field.
type Field struct {
	Name    string `json:"name"`
	Title   string `json:"title"` // what the packet tree shows before the value
	Type    Type   `json:"type"`
	Repeats bool   `json:"repeats"` // a frame may have several values
	Unit    string `json:"unit"`    // empty where values have none
	Text    string `json:"text"`    // what it means, one sentence or two, no full stop at the end
	Source  string `json:"source"`  // what it is found from
	Example string `json:"example"`
	// Value is the Lua expression, over the functions of plugin/values.lua, that gives a function from a frame to its value.
	Value string `json:"-"`
}

// Protocol is the name that all fields begin with.
const Protocol = "corr"

// Title of the tree that holds all fields.
const Title = "Capture correlation"

// Names gives all names in the table's order.
func Names() []string {
	var l []string
	for i := range All {
		l = append(l, All[i].Name)
	}
	return l
}

// Known reports whether a field of this name exists.
func Known(name string) bool {
	for i := range All {
		if All[i].Name == name {
			return true
		}
	}
	return false
}
