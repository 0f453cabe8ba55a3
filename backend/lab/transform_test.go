package lab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// derivations are cases of every transformation, on recorded cases that it suits.
var derivations = []struct{ from, specs string }{
	{"snat-basic", "clock=2y@b,drift=-40@b,step=-3s@a"},
	{"routers-3-8", "units=ns@a,container=pcapng/be/gzip@b,rename"},
	{"four-points", "container=nspcap/zstd@b,container=nspcapng/lz4@c,container=pcap/be@d"},
	{"snat-basic", "snaplen=60@a,snaplen=96@b"},
	{"four-points", "drop=20@b,drop=5@d"},
	{"routers-3-8", "late=0.4@a,early=0.6@b"},
	{"udp-icmp-nat", "filter=udp@b"},
	{"four-points", "filter=tcp@c"},
	{"four-points", "remove@b"},
	{"four-points", "remove@a,remove@d"},
	{"vlan-middle", "remove@b"},
	{"snat-basic", "mix=../../testdata/routers-3-8,rename"},
	{"routers-3-8", "mix=../../testdata/snat-basic/b"},
	{"four-points", "span@b,drop=10@b"},
	{"routers-3-8", "span@a,span@b"},
	{"snat-basic", "any@b"},
	{"mss-loss-reorder", "disorder=30@b"},
	{"udp-icmp-nat", "renumber,isn,ipid=random"},
	{"ipv6-routers", "renumber,isn"},
	{"vxlan-middle", "renumber,isn,ipid=random,ttl=128@client"},
	{"skype-story", "renumber,isn,ipid=random,ttl=64@server"},
	{"synproxy", "isn,renumber,ttl=255@client"},
	{"haproxy-tcp", "isn,renumber,clock=-5h@b"},
	{"snat-basic", "ipid=zero,ttl=255@client,ttl=128@server"},
	{"four-points", "hops=4@client,hops=2@b-c,hops=1@server"},
	{"mss-loss-reorder", "hops=4@a-b,zerosums@a"},
	{"routers-3-8", "nat=source@a-b,mss=1200@a-b"},
	{"blackhole", "nat=double/ports@a-b"},
	{"ipv6-routers", "nat=double/ports"},
	{"partial-reuse-span", "nat=destination/ports"},
	{"four-points", "vlan@b,qinq@c,mpls@d"},
	{"four-points", "gre@b,ipip@c,vxlan@d"},
	{"ipv6-routers", "ipip@b"},
	{"ipv6-routers", "geneve@a,sll@b"},
	{"snat-basic", "geneve@b,sll2@a"},
	{"four-points", "sll@a,raw@b,null@c,loop@d"},
	{"ipv6-routers", "raw@a,null@b"},
	{"snat-basic", "fragment=600@b"},
	{"udp-icmp-nat", "fragment=900@a,fragment=600@b"},
	{"four-points", "fragment=900@b,snaplen=128@c"},
	{"mss-loss-reorder", "gro@a"},
	{"routers-3-8", "gro@b,gro@a"},
	{"four-points", "gro@d,remove@b"},
	{"four-points", "loss=5@b-c,dup=5@a-b,reorder=10@c-d"},
	{"routers-3-8", "loss=5,dup=5,reorder=20"},
	{"lb-two-servers", "clock=7h@c,snaplen=96@a,renumber,isn,ipid=random,span@b"},
	{"asymmetric-route", "renumber,drop=5@b,clock=-2y@d"},
	{"quic-nat", "clock=1h@b,drop=3@a,snaplen=200@b"},
	{"sip-alg", "clock=1h@b,disorder@a,vlan@b"},
	{"tls-offload", "clock=1h@b,renumber,isn"},
	{"gso-split", "isn,renumber,hops=2@a-b"},
	{"cooked", "clock=1h@a,isn,renumber,drop=4@a"},
	{"double-nat", "idle=60@a-b,clock=1h@b"},
	{"snat-basic", "outage=0.5@a-b"},
}

func derive(t *testing.T, from, specs string, seed int64) *Case {
	t.Helper()
	c := load(t, from)
	if err := c.Apply(specs, seed); err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return c
}

func TestTransformations(t *testing.T) {
	for _, d := range derivations {
		t.Run(d.from+" "+d.specs, func(t *testing.T) {
			t.Parallel()
			c := derive(t, d.from, d.specs, 7)
			if err := c.check(); err != nil {
				t.Error(err)
			}
			dir := t.TempDir()
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			readBack(t, c, dir)
			if asksTshark(d.specs) {
				dissects(t, c.Paths(dir))
			}
		})
	}
}

// TestEveryTransformation: none is left out above.
func TestEveryTransformation(t *testing.T) {
	used := map[string]bool{}
	for _, d := range derivations {
		for _, spec := range strings.Split(d.specs, ",") {
			name, _, _ := strings.Cut(spec, "@")
			name, _, _ = strings.Cut(name, "=")
			used[name] = true
		}
	}
	for _, x := range Transforms() {
		if !used[x.Name] {
			t.Errorf("no case uses %s", x.Name)
		}
	}
}

// readBack: what is written loads again, says the same, and grades itself perfect.
func readBack(t *testing.T, c *Case, dir string) {
	t.Helper()
	d, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.Truth()
	if err != nil {
		t.Fatal(err)
	}
	d.Name = c.Name
	got, err := d.Truth()
	if err != nil {
		t.Fatal(err)
	}
	same(t, c.Name, "", decoded(t, got), decoded(t, want))
	var oracle bytes.Buffer
	if err := c.Oracle(&oracle); err != nil {
		t.Fatal(err)
	}
	score, err := Grade(d, &oracle)
	if err != nil || !score.Perfect() {
		t.Errorf("the truth graded against itself: %v\n%v", err, score)
	}
}

// headers are the layers that this package writes. What recorded payloads look like to tshark isn't its business.
var headers = strings.Fields("frame eth ethertype sll vlan ieee8021ad mpls raw null loop ip ipv6 icmp icmpv6 arp gre udp tcp vxlan geneve data")

// dissects asks tshark, which must find no header malformed.
func dissects(t *testing.T, paths []string) {
	t.Helper()
	for _, p := range paths {
		out, err := exec.Command("tshark", "-n", "-r", p, "-o", "tcp.desegment_tcp_streams:FALSE", "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number", "-e", "frame.protocols").Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			layers := strings.Split(line, ":")
			if last := layers[len(layers)-1]; slices.Contains(headers, last) {
				t.Errorf("tshark -r %s: malformed: %s", filepath.Base(p), line)
			}
		}
	}
}

// reshaped transformations change what stands where in a frame: tshark looks at their results.
var reshaped = "vlan qinq mpls gre ipip vxlan geneve sll sll2 raw null loop any fragment gro container"

func asksTshark(specs string) bool {
	for _, spec := range strings.Split(specs, ",") {
		name, _, _ := strings.Cut(spec, "@")
		name, _, _ = strings.Cut(name, "=")
		if slices.Contains(strings.Fields(reshaped), name) {
			return true
		}
	}
	return false
}

func TestSameSeedSameBytes(t *testing.T) {
	const specs = "renumber,isn,ipid=random,loss=5,dup=5,reorder=10,nat=source/ports,span@b,drop=3@a,disorder@a"
	var first map[string]string
	for range 2 {
		c := derive(t, "routers-3-8", specs, 3)
		dir := t.TempDir()
		if err := c.Write(dir); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, name := range []string{"a.pcap", "b.pcap", "truth.json"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(b)
		}
		if first == nil {
			first = files
		}
		for name, s := range files {
			if s != first[name] {
				t.Errorf("%s differs", name)
			}
		}
	}
}

func TestApplyFails(t *testing.T) {
	for _, c := range []struct{ from, specs, want string }{
		{"snat-basic", "nothing", `lab: no transformation is called "nothing"`},
		{"snat-basic", "span@z", `lab: span@z: no capture is called "z"`},
		{"snat-basic", "loss@b-a", `lab: loss@b-a: "b-a" are no neighbours; write a-b, the client's side first`},
		{"snat-basic", "nat=source", "lab: nat=source: there is a source-nat between them"},
		{"lb-two-servers", "remove@b", "lab: remove@b: lb-two-servers: its captures don't form a line"},
	} {
		err := load(t, c.from).Apply(c.specs, 1)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %s: got %v, want %s", c.from, c.specs, err, c.want)
		}
	}
}
