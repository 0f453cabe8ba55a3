package oui

import "strings"

// legal are words at the end of a company's name that say what kind of company it is.
var legal = map[string]bool{"inc": true, "incorporated": true, "corp": true, "corporation": true, "co": true, "company": true, "ltd": true, "limited": true,
	"llc": true, "gmbh": true, "ag": true, "kg": true, "sa": true, "s.a": true, "s.a.s": true, "sas": true, "bv": true, "b.v": true, "nv": true, "n.v": true, "ab": true,
	"oy": true, "oyj": true, "a/s": true, "as": true, "spa": true, "s.p.a": true, "srl": true, "s.r.l": true, "plc": true, "pty": true, "pte": true, "kk": true, "k.k": true,
	"international": true, "holdings": true, "group": true, "intl": true, "int'l": true, "the": true, "&": true, "and": true}

// alias holds names by which everybody knows a maker, where the registry's differ from them by more than a legal form.
var alias = map[string]string{
	"Check Point Software Technologies": "Check Point",
	"Hewlett Packard Enterprise":        "HPE",
	"Hewlett Packard":                   "HP",
	"F5 Networks":                       "F5",
	"Juniper Networks":                  "Juniper",
	"Cisco Systems":                     "Cisco",
	"Arista Networks":                   "Arista",
	"Huawei Technologies":               "Huawei",
	"Extreme Networks":                  "Extreme",
	"Ubiquiti Networks":                 "Ubiquiti",
	"Aruba":                             "Aruba",
	"SonicWALL":                         "SonicWall",
	"Routerboard.com":                   "MikroTik",
	"Barracuda Networks":                "Barracuda",
	"Blue Coat Systems":                 "Blue Coat",
	"A10 Networks":                      "A10",
	"Riverbed Technology":               "Riverbed",
	"VMware":                            "VMware",
}

// Short is an organisation's name without its legal form: "Check Point" for "Check Point Software Technologies".
func Short(name string) string {
	name = strings.TrimSpace(strings.ReplaceAll(name, "\u00a0", " "))
	words := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' })
	for len(words) > 1 {
		w := strings.ToLower(strings.Trim(words[len(words)-1], "().,"))
		if w != "" && !legal[w] && !allLegal(w) {
			break
		}
		words = words[:len(words)-1]
	}
	s := strings.TrimRight(strings.Join(words, " "), ".")
	if a, ok := alias[s]; ok {
		return a
	}
	return s
}

// allLegal reports whether a word is legal forms joined: "co.,ltd", "co.ltd".
func allLegal(w string) bool {
	parts := strings.FieldsFunc(w, func(r rune) bool { return r == '.' || r == ',' })
	for _, p := range parts {
		if !legal[p] {
			return false
		}
	}
	return len(parts) > 1
}
