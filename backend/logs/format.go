package logs

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// parser reads lines of one format. ok is false for lines that it can't read; skip for lines that say nothing by design
// (comments, headers).
type parser interface {
	parse(line string) (r Record, ok, skip bool)
}

type lineFunc func(line string) (Record, bool)

func (f lineFunc) parse(line string) (Record, bool, bool) {
	r, ok := f(line)
	return r, ok, false
}

// format is a kind of log.
type format struct {
	name string
	make func() parser
	// sure recognises a line that can be nothing else.
	sure func(line string) bool
}

var formats = []format{
	{"conntrack", func() parser { return lineFunc(conntrack) }, func(l string) bool { return conntrackEvent.MatchString(l) }},
	{"asa", func() parser { return lineFunc(asa) }, func(l string) bool { return strings.Contains(l, "%ASA-") || strings.Contains(l, "%FTD-") }},
	{"haproxy", func() parser { return lineFunc(haproxy) }, func(l string) bool { return haproxyLine.MatchString(l) }},
	{"netfilter", func() parser { return lineFunc(keyValue) }, func(l string) bool { return strings.Contains(l, " SRC=") && strings.Contains(l, " DST=") }},
	{"suricata", func() parser { return lineFunc(object) }, func(l string) bool { return strings.HasPrefix(l, "{") && strings.Contains(l, `"event_type"`) }},
	{"json", func() parser { return lineFunc(object) }, func(l string) bool { return strings.HasPrefix(l, "{") && strings.HasSuffix(strings.TrimSpace(l), "}") }},
	{"zeek", func() parser { return &columns{sep: "\t"} }, func(l string) bool { return strings.HasPrefix(l, "#separator") || strings.HasPrefix(l, "#fields") }},
	{"vpcflow", func() parser { return lineFunc(vpcFlow) }, func(l string) bool { return vpcLine.MatchString(l) }},
	{"paloalto", func() parser { return lineFunc(paloAlto) }, func(l string) bool { return strings.Contains(l, ",TRAFFIC,") }},
	{"checkpoint", func() parser { return lineFunc(keyValue) }, func(l string) bool {
		return strings.Contains(l, "i/f_dir=") || strings.Contains(l, "product=VPN-1") || strings.Contains(l, "s_port=")
	}},
	{"fortinet", func() parser { return lineFunc(keyValue) }, func(l string) bool { return strings.Contains(l, "devid=") && strings.Contains(l, "srcip=") }},
	{"keyvalue", func() parser { return lineFunc(keyValue) }, func(l string) bool { _, ok := keyValue(l); return ok }},
	{"csv", func() parser { return &columns{sep: ","} }, func(l string) bool { return header(strings.Split(l, ",")) }},
}

// Formats lists the names that --log FORMAT=FILE takes.
func Formats() []string {
	var out []string
	for _, f := range formats {
		out = append(out, f.name)
	}
	return out
}

func formatNamed(name string) *format {
	for i := range formats {
		if formats[i].name == name {
			return &formats[i]
		}
	}
	return nil
}

// recognise finds the format of a log's first lines.
func recognise(lines []string) *format {
	for i := range formats {
		for _, l := range lines {
			if formats[i].sure(l) {
				return &formats[i]
			}
		}
	}
	return nil
}

// keyValue reads key=value pairs, separated by | or ; (Check Point), or by spaces with quotes (Fortinet, netfilter, LEA).
func keyValue(line string) (Record, bool) {
	f := fields{}
	sep := byte(' ')
	for _, s := range []byte{'|', ';'} {
		if strings.Count(line, string(s)) >= 4 {
			sep = s
			break
		}
	}
	for len(line) > 0 {
		var item string
		item, line = nextItem(line, sep)
		k, v, ok := strings.Cut(item, "=")
		if ok {
			v = strings.Trim(v, `"`)
			f.set(k, v)
			if strings.Contains(lower(k), "reason") && f["reason"] == "" {
				f["reason"] = v
			}
		} else if k, v, ok := strings.Cut(item, ": "); ok {
			f.set(k, strings.Trim(v, `"`)) // fw log -n: key: value;
		}
	}
	return f.record()
}

// nextItem cuts a line at the next separator outside of quotes.
func nextItem(line string, sep byte) (item, rest string) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
		case line[i] == sep && !quoted:
			return strings.TrimSpace(line[:i]), line[i+1:]
		}
	}
	return strings.TrimSpace(line), ""
}

// object reads a line of JSON, nested objects by dotted names.
func object(line string) (Record, bool) {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return Record{}, false
	}
	f := fields{}
	flatten(f, "", m, 0)
	return f.record()
}

func flatten(f fields, prefix string, m map[string]any, depth int) {
	for k, v := range m {
		switch v := v.(type) {
		case string:
			f.set(prefix+k, v)
		case json.Number:
			f.set(prefix+k, v.String())
		case map[string]any:
			if depth < 4 {
				flatten(f, prefix+k+".", v, depth+1)
			}
		}
	}
}

// columns reads tables with a header: CSV, Zeek's TSV.
type columns struct {
	sep  string
	head []string
}

func header(l []string) bool {
	n := 0
	for _, c := range l {
		if k := names[lower(strings.Trim(c, `"`))]; k == "src" || k == "dst" {
			n++
		}
	}
	return n >= 2
}

func (c *columns) parse(line string) (Record, bool, bool) {
	if rest, ok := strings.CutPrefix(line, "#fields\t"); ok {
		c.head = strings.Split(rest, "\t")
		return Record{}, false, true
	}
	if strings.HasPrefix(line, "#") {
		return Record{}, false, true
	}
	l := strings.Split(line, c.sep)
	if c.sep == "," {
		var err error
		if l, err = csv.NewReader(strings.NewReader(line)).Read(); err != nil {
			return Record{}, false, false
		}
	}
	if c.head == nil {
		if header(l) {
			c.head = l
			return Record{}, false, true
		}
		return Record{}, false, false
	}
	f := fields{}
	for i, v := range l {
		if i < len(c.head) {
			f.set(strings.Trim(c.head[i], `"`), v)
		}
	}
	r, ok := f.record()
	return r, ok, false
}

var (
	conntrackEvent = regexp.MustCompile(`\[(NEW|UPDATE|DESTROY)\]\s+\w+\s+\d+`)
	conntrackTime  = regexp.MustCompile(`^\[(\d+\.\d+)`)
	conntrackTuple = regexp.MustCompile(`src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?`)
)

// conntrack reads conntrack -E -o timestamp,extended,id: the tuple of the original direction and that of the reply, which
// shows the translation.
func conntrack(line string) (Record, bool) {
	m := conntrackTuple.FindAllStringSubmatch(line, 2)
	ev := conntrackEvent.FindStringSubmatch(line)
	if len(m) == 0 || ev == nil {
		return Record{}, false
	}
	f := fields{"src": m[0][1], "dst": m[0][2], "sport": m[0][3], "dport": m[0][4], "action": ev[1]}
	w := strings.Fields(ev[0])
	if len(w) >= 2 {
		f["proto"] = w[1]
	}
	if t := conntrackTime.FindStringSubmatch(line); t != nil {
		f["time"] = t[1]
	}
	if len(m) == 2 {
		f["xsrc"], f["xsport"], f["xdst"], f["xdport"] = m[1][2], m[1][4], m[1][1], m[1][3]
	}
	return f.record()
}

var (
	asaFlow  = regexp.MustCompile(`for [^:\s]+:([0-9a-fA-F.:]+)/(\d+) ?(?:\(([0-9a-fA-F.:]+)/(\d+)\))?.* to [^:\s]+:([0-9a-fA-F.:]+)/(\d+) ?(?:\(([0-9a-fA-F.:]+)/(\d+)\))?`)
	asaDeny  = regexp.MustCompile(`(?i)deny (\w+) src [^:\s]+:([0-9a-fA-F.:]+)/(\d+).* dst [^:\s]+:([0-9a-fA-F.:]+)/(\d+)(.*)`)
	asaList  = regexp.MustCompile(`access-list \S+ (permitted|denied) (\w+) [^/]+/([0-9a-fA-F.:]+)\((\d+)\).*-> [^/]+/([0-9a-fA-F.:]+)\((\d+)\)`)
	asaXlate = regexp.MustCompile(`(?:Built|Teardown) \w+ (\w+) translation from [^:\s]+:([0-9a-fA-F.:]+)/(\d+).* to [^:\s]+:([0-9a-fA-F.:]+)/(\d+)`)
	asaBuilt = regexp.MustCompile(`(Built|Teardown) (inbound|outbound)? ?(TCP|UDP|ICMP)`)
	syslogAt = regexp.MustCompile(`^(?:<\d+>)?(?:\d+ )?(\w{3} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\S+)`)
)

// asa reads Cisco ASA's syslog messages 302013-302016, 106023, 106100, 305011, 305012.
func asa(line string) (Record, bool) {
	f := fields{}
	if m := syslogAt.FindStringSubmatch(line); m != nil {
		f["time"] = m[1]
	}
	switch {
	case asaDeny.MatchString(line):
		m := asaDeny.FindStringSubmatch(line)
		f["proto"], f["src"], f["sport"], f["dst"], f["dport"], f["action"], f["reason"] = m[1], m[2], m[3], m[4], m[5], "deny", strings.TrimSpace(m[6])
	case asaList.MatchString(line):
		m := asaList.FindStringSubmatch(line)
		f["action"], f["proto"], f["src"], f["sport"], f["dst"], f["dport"] = m[1], m[2], m[3], m[4], m[5], m[6]
	case asaXlate.MatchString(line):
		m := asaXlate.FindStringSubmatch(line)
		f["proto"], f["src"], f["sport"], f["xsrc"], f["xsport"], f["action"] = m[1], m[2], m[3], m[4], m[5], "translated"
		f["dst"], f["dport"] = m[4], "0" // names one end only; the other is the translation itself
	case asaFlow.MatchString(line):
		m, b := asaFlow.FindStringSubmatch(line), asaBuilt.FindStringSubmatch(line)
		f["src"], f["sport"], f["xsrc"], f["xsport"], f["dst"], f["dport"], f["xdst"], f["xdport"] = m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8]
		if b != nil {
			f["action"], f["proto"] = map[string]string{"Built": "built", "Teardown": "teardown"}[b[1]], b[3]
			if b[1] == "Teardown" {
				if _, why, ok := strings.Cut(line, " bytes "); ok {
					_, f["reason"], _ = strings.Cut(why, " ")
				}
			}
			if b[2] == "outbound" { // foreign address first: turn it round
				f["src"], f["sport"], f["dst"], f["dport"] = f["dst"], f["dport"], f["src"], f["sport"]
				f["xsrc"], f["xsport"], f["xdst"], f["xdport"] = f["xdst"], f["xdport"], f["xsrc"], f["xsport"]
			}
		}
	default:
		return Record{}, false
	}
	return f.record()
}

var haproxyLine = regexp.MustCompile(`haproxy\[\d+\]: ([0-9a-fA-F.:\[\]]+):(\d+) \[(\d\d/\w{3}/\d{4}:[\d:.]+)\] (\S+) (\S+)/(\S+) (.*)`)

var haproxyAddress = regexp.MustCompile(`(?:^|\s)(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):(\d+)(?:\s|$)`)

// haproxy reads the TCP and HTTP log formats. They name the client and the server's name, not its address, so that one
// end stays open: the record is tied by the client's. A log format of one's own that ends with %bi:%bp and %si:%sp names
// the connection behind too.
func haproxy(line string) (Record, bool) {
	m := haproxyLine.FindStringSubmatch(line)
	if m == nil {
		return Record{}, false
	}
	f := fields{"src": m[1], "sport": m[2], "time": m[3], "proto": "tcp", "dst": m[1], "dport": "0", "action": "proxied"}
	f["reason"] = fmt.Sprintf("backend %s, server %s: %s", m[5], m[6], m[7])
	if x := haproxyAddress.FindAllStringSubmatch(strings.ReplaceAll(m[7], " ", "  "), 2); len(x) == 2 {
		f["xsrc"], f["xsport"], f["xdst"], f["xdport"] = x[0][1], x[0][2], x[1][1], x[1][2]
	}
	return f.record()
}

var vpcLine = regexp.MustCompile(`^\d \d{12} eni-\S+ \S+ \S+ \d+ \d+ \d+ \d+ \d+ \d{9,10} \d{9,10} (ACCEPT|REJECT) `)

// vpcFlow reads AWS VPC flow logs, version 2's default fields.
func vpcFlow(line string) (Record, bool) {
	w := strings.Fields(line)
	if len(w) < 14 {
		return Record{}, false
	}
	return fields{"src": w[3], "dst": w[4], "sport": w[5], "dport": w[6], "proto": w[7], "time": w[10], "action": w[12]}.record()
}

// paloAlto reads PAN-OS traffic logs (CSV; the fields' places are fixed).
func paloAlto(line string) (Record, bool) {
	l, err := csv.NewReader(strings.NewReader(line[max(0, strings.Index(line, ",TRAFFIC,")-60):])).Read()
	if err != nil {
		return Record{}, false
	}
	at := -1
	for i, v := range l {
		if v == "TRAFFIC" {
			at = i - 3
		}
	}
	if at < 0 || len(l) < at+31 {
		return Record{}, false
	}
	w := l[at:]
	f := fields{"time": w[6], "src": w[7], "dst": w[8], "xsrc": w[9], "xdst": w[10], "sport": w[24], "dport": w[25], "xsport": w[26], "xdport": w[27], "proto": w[29], "action": w[30]}
	if len(w) > 46 {
		f["reason"] = w[46]
	}
	return f.record()
}
