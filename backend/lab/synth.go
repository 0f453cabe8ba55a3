package lab

import (
	"fmt"
	"strings"
)

// Options narrow what Random draws. The zero value leaves all to the seed.
type Options struct {
	Points int    // 2 to 16
	Flows  int    // conversations; a million take some GB of memory
	Box    string // synproxy, transparent, proxy, siit, none
	Twins  bool   // conversations that look alike: the same server, the same sizes, mostly the same bytes
	Plain  bool   // no transformations on top: captures in ns, clocks right, nothing missed
}

// Random makes a case from a seed: conversations over a chain of points with what stands between them, and what
// recorders do to it.
func Random(seed int64, o Options) *Case {
	rng := random(seed, "world")
	w := newWorld(seed, rng, o)
	w.c.Name = fmt.Sprintf("seed-%d", seed)
	twins := o.Twins || rng.IntN(4) == 0
	n := o.Flows
	if n == 0 {
		n = 4 + rng.IntN(30)
	}
	for i := range n {
		w.conversation(i, twins)
		w.when += rng.Int64N(30_000_000)
	}
	w.notes()
	for _, p := range w.c.Captures {
		p.sortByTime()
	}
	if !o.Plain {
		w.distort(seed, twins)
	}
	w.c.relax()
	return w.c
}

// conversation plays the i-th one.
func (w *world) conversation(i int, twins bool) {
	port := uint16(20_000 + i*7%45_000) // each once, then on further clients
	more := i / 45_000 * 3
	if kind := w.rng.IntN(10); kind >= 6 && w.box != "proxy" {
		switch {
		case kind == 6 && w.box != "siit":
			w.ping()
		case kind == 7 && w.box != "siit":
			w.esp(i)
		case kind == 8:
			w.quic(port)
		default:
			w.dns(port, twins)
		}
		return
	}
	client := w.peer(w.client(more+w.rng.IntN(3)), port)
	server := w.peer(w.server(w.rng.IntN(2)), []uint16{80, 443, 5061}[w.rng.IntN(3)])
	if twins {
		client.addr, server.addr, server.port = w.client(more), w.server(0), 443
	}
	w.again(client, server)
	switch w.box {
	case "proxy", "transparent":
		w.proxied(client, server, twins)
	case "synproxy":
		w.synProxied(client, server, twins)
	default:
		w.tcp(client, server, twins)
	}
}

// again lets a client use its last port once more, for the same server, when all of the last conversation is over.
func (w *world) again(client, server *peer) {
	if w.last[0] != nil && w.rng.IntN(15) == 0 {
		client.addr, client.port = w.last[0].addr, w.last[0].port
		server.addr, server.port = w.last[1].addr, w.last[1].port
		w.when = max(w.when, w.end+1_000_000_000)
	}
	w.last = [2]*peer{client, server}
}

// through is the way of packets that nothing ends on.
func (w *world) through() leg {
	if w.box == "siit" {
		return w.siit()
	}
	return w.whole()
}

// notes writes down what stands between the points.
func (w *world) notes() {
	if w.box == "" || w.box == "none" {
		return
	}
	q := w.c.Pairs[w.at-1]
	kind := map[string]string{"synproxy": "syn-proxy", "transparent": "terminating-transparent-proxy", "proxy": "terminating-proxy", "siit": "siit"}[w.box] // ports stay, each host has an address of its own: RFC 7915
	b := box(kind)
	switch w.box {
	case "transparent", "proxy":
		b["terminates_tcp"], b["isn"], b["ip_id"], b["ttl"] = true, "own", "own", "reset to 255"
	case "synproxy":
		b["isn"] = "constant shift of the server's numbers"
	case "siit":
		b["nat"], b["ip_id"] = "IPv6 to IPv4", "own"
	}
	q.Middleboxes = append(q.Middleboxes, b)
}

// distort lets wires and recorders do what they do. What doesn't suit the case is left out.
func (w *world) distort(seed int64, twins bool) {
	names := make([]string, w.n)
	for i, p := range w.c.Captures {
		names[i] = p.Label()
	}
	for _, stage := range w.stages(names, twins) {
		for _, spec := range stage {
			// An error says that a transformation finds nothing to do here, and nothing was changed.
			_ = w.c.apply(spec, seed)
		}
	}
}

// stages draws transformations in an order in which they build on each other: wires, hosts, recorders, files.
func (w *world) stages(names []string, twins bool) [][]string {
	point := func() string { return names[w.rng.IntN(w.n)] }
	pair := func() string { i := w.rng.IntN(w.n - 1); return names[i] + "-" + names[i+1] }
	one := func(chance float64, specs ...string) []string {
		if w.rng.Float64() >= chance {
			return nil
		}
		return []string{specs[w.rng.IntN(len(specs))]}
	}
	nats := []string{"nat=source", "nat=destination", "nat=double", "nat=source/ports", "nat=double/ports"}
	wires := one(0.4, nats...)
	wires = append(wires, one(0.3, "dup=3", "reorder=10", "dup=2", "reorder=30")...)
	wires = append(wires, one(0.2, "mss=1200")...)
	for i := range wires {
		wires[i] += "@" + pair()
	}
	hosts := one(0.25, "gro@"+names[0], "gro@"+names[w.n-1], "fragment=700@"+point(), "fragment=1300@"+point())
	recorders := one(0.5, "drop=2@"+point(), "late=0.3@"+point(), "early=0.7@"+point(), "filter=tcp@"+point(), "span@"+point(), "any@"+point(), "drop=10@"+point())
	tunnels := one(0.4, "vlan", "qinq", "mpls", "gre", "ipip", "vxlan", "geneve", "sll", "sll2", "raw")
	for i := range tunnels {
		tunnels[i] += "@" + point()
	}
	var files []string
	if !twins {
		files = one(0.2, "snaplen=128@"+point(), "snaplen=200@"+point(), "zerosums@"+point())
	}
	files = append(files, one(0.3, "disorder=10@"+point())...)
	for _, name := range names {
		kinds := []string{"pcap", "nspcap", "pcapng", "nspcapng", "pcap/be", "pcapng/gzip", "nspcapng/zstd", "pcap/lz4"}
		files = append(files, "container="+kinds[w.rng.IntN(len(kinds))]+"@"+name)
	}
	for _, name := range names[1:] {
		offsets := []string{fmt.Sprintf("%dms", w.rng.IntN(4000)-2000), fmt.Sprintf("%dh", w.rng.IntN(48)-24), fmt.Sprintf("%dy", w.rng.IntN(5)-2)}
		files = append(files, "clock="+offsets[w.rng.IntN(3)]+"@"+name, fmt.Sprintf("drift=%d@%s", w.rng.IntN(100)-50, name))
	}
	files = append(files, one(0.5, "rename")...)
	return [][]string{wires, hosts, recorders, tunnels, files}
}

// Recipe says how to make the case again, for messages of tests.
func (c *Case) Recipe() string { return c.Name + " " + strings.Join(c.Applied, ",") }
