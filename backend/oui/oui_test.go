package oui

import "testing"

func TestVendor(t *testing.T) {
	for _, x := range []struct {
		name string
		mac  [6]byte
		want string
	}{
		{"large block", [6]byte{0x00, 0x1c, 0x7f, 1, 2, 3}, "Check Point"},
		{"another large block", [6]byte{0x00, 0x00, 0x0c, 1, 2, 3}, "Cisco"},
		{"virtual card", [6]byte{0x00, 0x50, 0x56, 1, 2, 3}, "VMware"},
		{"medium block inside a large one", [6]byte{0x20, 0x85, 0x93, 0xb1, 2, 3}, "IOG Products"},
		{"small block", [6]byte{0x70, 0xb3, 0xd5, 0x71, 0x90, 3}, "2M Technology"},
		{"locally administered", [6]byte{0x02, 0x1c, 0x7f, 1, 2, 3}, ""},
		{"group address", [6]byte{0x01, 0x00, 0x5e, 1, 2, 3}, ""},
		{"the first block", [6]byte{0x00, 0x00, 0x00, 1, 2, 3}, "XEROX"},
		{"a loopback", [6]byte{}, ""},
	} {
		if got := Vendor(x.mac); got != x.want {
			t.Errorf("%s: %x is %q, want %q", x.name, x.mac, got, x.want)
		}
	}
}

func TestShort(t *testing.T) {
	for name, want := range map[string]string{
		"Check Point Software Technologies":   "Check Point",
		"Palo Alto Networks":                  "Palo Alto Networks",
		"Fortinet, Inc.":                      "Fortinet",
		"HUAWEI TECHNOLOGIES CO.,LTD":         "HUAWEI TECHNOLOGIES",
		"Siemens AG":                          "Siemens",
		"Inc":                                 "Inc",
		"":                                    "",
		"Cisco Systems, Inc":                  "Cisco",
		"ASUSTek COMPUTER INC.":               "ASUSTek COMPUTER",
		"Advanced Digital Information Co Ltd": "Advanced Digital Information",
	} {
		if got := Short(name); got != want {
			t.Errorf("%q is shortened to %q, want %q", name, got, want)
		}
	}
}

func BenchmarkVendor(b *testing.B) {
	Vendor([6]byte{0x00, 0x00, 0x0c, 1, 2, 3})
	b.ReportAllocs()
	for b.Loop() {
		Vendor([6]byte{0x00, 0x1c, 0x7f, 1, 2, 3})
	}
}
