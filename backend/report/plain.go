package report

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// plain words each kind of finding for readers who know no protocols.
var plain = map[string]string{
	"closed-by-middlebox":   "A device between the two ends hung up on both of them. Each end believes that the other one did.",
	"rst-injected":          "A device between the two ends cut the connection by sending a fake hang-up signal in their names.",
	"syn-not-delivered":     "Calls never reach the other end: something on the way swallows them without a word.",
	"close-race":            "One side hung up while the other was just asking. The question got lost.",
	"early-close":           "The service hangs up on quiet connections sooner than its caller expects, and now and then a question gets lost.",
	"fails-since":           "Until a certain moment calls went through, from then on none did.",
	"fails-through":         "Only the calls that took one of several ways failed.",
	"proxy-answered":        "The go-between answered some requests on its own. The service behind it never saw them, or did not answer in time.",
	"log-unseen-drop":       "A device's own records speak of calls that it turned away and that nobody recorded.",
	"log-silent":            "None of the records that were handed over says what became of a call that failed.",
	"rejected":              "Something on the way turns calls away in the other end's name. The other end never hears of them.",
	"zero-window":           "One end took in all it had room for and then stopped listening. What lies between carried everything.",
	"idle-expired":          "Something on the way forgets calls during which nobody speaks for a while. Both ends believe they are still connected.",
	"synack-not-delivered":  "The other end answers, but its answer is swallowed on the way back.",
	"large-packets-lost":    "Small pieces of data get through, large ones disappear. The conversation starts and then hangs.",
	"message-not-delivered": "A message left one end and never arrived at the other.",
	"tcp-terminated":        "The two ends never talk to each other directly: a device in the middle talks to each of them.",
	"close-contradiction":   "Both ends say that the other one hung up. Both are honest: a third party did.",
	"answer-too-fast":       "An answer came back sooner than the distance allows, so it came from something nearer than the other end.",
	"syn-proxied":           "A device answers calls first and only then passes them on.",
	"direction-asymmetry":   "Calls in one direction work, calls in the other direction fail. The line itself is fine.",
	"nat":                   "Addresses are replaced on the way, as a switchboard replaces extension numbers.",
	"payload-rewritten":     "A device changes the contents of messages on the way.",
	"loss":                  "Some packets get lost on the way and are sent again, which costs time.",
	"reordering":            "Packets overtake each other on the way.",
	"duplicates":            "The recording shows some packets twice; they were sent once.",
	"offload-artefact":      "Some recorded packets look too large. The recording computer makes them look so; it is harmless.",
	"asymmetric-path":       "Questions and answers take different roads.",
	"clock-step":            "One recorder's clock was set while it recorded; the report corrects for it.",
	"capture-truncated":     "A recording is cut off or damaged; what comes later is missing.",
	"capture-drops":         "A recorder was too slow and missed some packets. They were not lost on the road.",
	"isn-rewritten":         "A device renumbers the bytes of the connection on the way. By itself that is harmless.",
	"ttl-restarted":         "A device sends the packets anew in its own name instead of passing them on.",
	"ecn-stripped":          "A device takes away an offer that lets the network warn of congestion before it loses packets.",
	"mss-changed":           "A device makes both ends use smaller packets, usually so that they fit into a tunnel.",
	"sack-changed":          "A device takes away what helps the ends to repair losses quickly.",
	"wscale-changed":        "A device changes how much data may be on its way at once, which can slow long-distance transfers.",
	"timestamps-changed":    "A device changes or removes the clock that the two ends use to measure their distance.",
	"option-removed":        "A device takes away something that one end offered to the other.",
	"ipid-rewritten":        "A device gives the packets new serial numbers. By itself that is harmless.",
	"log-contradiction":     "The device's own log says one thing, the traffic another.",
}

// Plainly words a finding for everyone; its title where there is no plainer word.
func Plainly(f *model.Finding) string {
	if s, ok := plain[f.ID]; ok {
		return s
	}
	return "A device on the way changes technical details of the connection (" + strings.ReplaceAll(f.ID, "-", " ") + ")."
}

// TextPlain prints the report for readers who know no protocols: the path, what was tried, where it stopped, what to do.
func TextPlain(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	p.path(doc)
	for _, s := range story(doc) {
		p.line("")
		p.wrap("", 0, Escape(s))
	}
	for i := range doc.Findings {
		if f := &doc.Findings[i]; f.Severity == "error" && f.Next != "" {
			p.line("")
			p.wrap("To hand to whoever looks after it: ", 0, Escape(f.Next)+".")
			break
		}
	}
	if words := glossed(doc); len(words) > 0 {
		p.line("")
		for _, w := range words {
			p.wrap("", 2, w.Word+": "+w.Gloss+".")
		}
	}
	return p.writeTo(w)
}

// story tells in plain sentences what was tried, where it stopped and who ended it.
func story(d *model.Document) []string {
	var out []string
	caps := byOrder(d)
	if len(caps) > 0 {
		var names []string
		for _, c := range caps {
			names = append(names, c.Name)
		}
		out = append(out, fmt.Sprintf("The traffic was recorded at %s: %s.", count(int64(len(names)), "place"), strings.Join(names, ", ")))
	}
	bad := 0
	for o, n := range d.Summary.Outcomes {
		if failing(&model.Flow{Outcome: o}) {
			bad += int(n)
		}
	}
	switch {
	case bad == 0:
		out = append(out, fmt.Sprintf("All %s did what they were for, as far as the recordings show.", count(d.Summary.Flows, "conversation")))
	default:
		out = append(out, fmt.Sprintf("Of %s, %d failed.", count(d.Summary.Flows, "conversation"), bad))
		if t := tried(d); t != "" {
			out = append(out, t)
		}
	}
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Severity == "error" {
			out = append(out, Plainly(f))
			if f.Segment != nil {
				out[len(out)-1] += fmt.Sprintf(" This happens between %s and %s.", f.Segment[0], f.Segment[1])
			}
			if len(out) >= 7 {
				break
			}
		}
	}
	return out
}

// purposes are what a conversation is for, by how what it carries begins; a name follows where one is known.
var purposes = []struct{ begins, what string }{
	{"ClientHello", "an encrypted connection"}, {"TLS", "an encrypted connection"}, {"QUIC", "an encrypted connection"}, {"DTLS", "an encrypted connection"},
	{"DNS", "the address that belongs to a name"}, {"SIP", "a telephone call"}, {"REGISTER", "a telephone call"}, {"INVITE", "a telephone call"},
	{"SMTP", "sending mail"}, {"POP", "fetching mail"}, {"IMAP", "fetching mail"}, {"FTP", "a transfer of files"}, {"SSH", "a remote login"},
	{"GET ", "a web page"}, {"POST ", "a web page"}, {"HEAD ", "a web page"}, {"HTTP", "a web page"},
}

// tried says of the first conversation that failed what was tried, and who ended it.
func tried(d *model.Document) string {
	f := FlowOf(d, Worst(d))
	if f == nil || !failing(f) {
		return ""
	}
	var at *model.At
	for _, name := range append(slices.Clone(f.Path), f.PathReverse...) {
		if at = f.At[name]; at != nil {
			break
		}
	}
	if at == nil {
		return ""
	}
	what := "a connection"
	for _, p := range purposes {
		if strings.HasPrefix(f.App, p.begins) {
			what = p.what
			break
		}
	}
	if _, in, ok := strings.Cut(f.App, "("); ok && strings.HasPrefix(what, "an encrypted") {
		if name, _, _ := strings.Cut(strings.TrimSuffix(in, ")"), ","); strings.Contains(name, ".") && !strings.Contains(name, " ") {
			what += " to " + name
		}
	}
	s := fmt.Sprintf("The computer %v tried to reach the computer %v for %s.", at.Tuple[0], at.Tuple[2], what)
	switch {
	case strings.HasPrefix(f.Outcome, "blackholed"):
		s += " Nobody ended it: what was sent disappeared on the way."
	case f.Outcome == "no-answer":
		s += " It never got an answer."
	case f.ClosedBy == "middlebox":
		s += " Neither of the two ended it: something on the way did."
	case f.ClosedBy == f.Initiator:
		s += " The one that had begun ended it."
	case f.ClosedBy == "client" || f.ClosedBy == "server":
		s += " The one that was called ended it."
	}
	return s
}

// gloss explains a word.
type gloss struct{ Word, sign, Gloss string }

// glosses are the words that can't be done without, by what shows that they are used.
var glosses = []gloss{
	{"router", `\brouters?\b`, "a device that passes traffic on from one network to the next"},
	{"firewall", `\bfirewall\b`, "a device that decides which traffic may pass"},
	{"packet filter", `\bpacket filter\b`, "a device that lets some traffic through and drops the rest"},
	{"proxy", `\bproxy\b`, "a go-between that talks to each end in the other one's place"},
	{"TCP-terminating", `\bTCP-terminating\b`, "talking to each end on its own instead of passing on what they say to each other"},
	{"NAT", `\bNAT|\bNPTv6\b|\bSIIT\b`, "replacing addresses on the way, as a switchboard replaces extension numbers"},
	{"tunnel", `\b(tunnel|softwire)\b`, "traffic wrapped into other traffic, as a letter in another envelope"},
	{"gateway", `\bgateway\b`, "a device that changes what is said as it passes"},
	{"MSS clamp", `\bMSS clamp\b`, "a device that makes both ends use smaller packets"},
	{"reset", `\bresets?\b|\bRST\b`, "the signal that ends a conversation at once"},
	{"frame", `\bframes?\b`, "a packet as it was recorded"},
	{"packet", `\b(packet|frame)s?\b`, "one of the pieces that all that is sent is cut into"},
	{"log", `\blogs?\b`, "the diary that a device keeps of what it did"},
	{"an address such as 192.0.2.1:443", `\d:\d+ → `, "a computer and, behind the colon, which of its services or conversations is meant"},
	{"UTC", `\bUTC\b`, "the time of day at the zero meridian, without summer time"},
	{"ms, µs", `\d (ms|µs)\b`, "thousandths and millionths of a second"},
	{"±", "±", "by how much a time may be wrong"},
}

// tags are what a picture holds beside its words.
var tags = regexp.MustCompile(`<[^>]*>`)

// glossed lists the words that a reader of this document's plain depth meets.
func glossed(d *model.Document) []gloss {
	var b strings.Builder
	b.WriteString(tags.ReplaceAllString(pathMap(d), "\n"))
	for _, s := range story(d) {
		b.WriteString("\n" + s)
	}
	for i := range d.Findings {
		b.WriteString("\n" + Plainly(&d.Findings[i]) + "\n" + d.Findings[i].Next)
	}
	text := b.String()
	return slices.DeleteFunc(slices.Clone(glosses), func(g gloss) bool { return !regexp.MustCompile(g.sign).MatchString(text) })
}
