package logs

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A line of each format, as its documentation or a device writes it.
var lines = []struct {
	name, format, line string
	from, to           string
	xfrom              string
	action, proto      string
	time               string
}{
	{"check point, pipes", "checkpoint", `loc=1|time=2026-11-24 15:50:46|action=drop|i/f_dir=inbound|product=VPN-1 & FireWall-1|src=10.80.12.21|s_port=5061|dst=10.17.4.35|service=53695|proto=tcp|reason=SIP protocol violation`, "10.80.12.21:5061", "10.17.4.35:53695", "", "drop", "tcp", "2026-11-24T15:50:46Z"},
	{"check point, semicolons", "checkpoint", `loc=1;time=2026-11-24 15:50:46;action=accept;i/f_dir=inbound;src=10.1.1.1;s_port=5000;dst=10.2.2.2;service=443;proto=tcp;xlatesrc=192.0.2.1;xlatesport=10001`, "10.1.1.1:5000", "10.2.2.2:443", "192.0.2.1:10001", "accept", "tcp", "2026-11-24T15:50:46Z"},
	{"netfilter", "netfilter", `Nov 24 15:50:46 fw kernel: [12.3] DROP IN=eth0 OUT=eth1 SRC=10.1.1.1 DST=10.2.2.2 LEN=60 TTL=63 ID=1 DF PROTO=TCP SPT=5000 DPT=443 SYN`, "10.1.1.1:5000", "10.2.2.2:443", "", "", "tcp", ""},
	{"conntrack", "conntrack", "[1795535446.123456]\t    [NEW] tcp      6 120 SYN_SENT src=10.1.1.1 dst=10.2.2.2 sport=5000 dport=443 [UNREPLIED] src=10.2.2.2 dst=192.0.2.1 sport=443 dport=10001 id=7", "10.1.1.1:5000", "10.2.2.2:443", "192.0.2.1:10001", "new", "tcp", "2026-11-24T15:50:46.123456001Z"},
	{"haproxy tcp", "haproxy", `Nov 24 15:50:46 lb haproxy[123]: 10.1.1.1:5000 [24/Nov/2026:15:50:46.123] front back/srv1 1/0/30 212 -- 1/1/1/1/0 0/0`, "10.1.1.1:5000", "10.1.1.1:0", "", "proxied", "tcp", "2026-11-24T15:50:46.123Z"},
	{"haproxy with the connection behind", "haproxy", `Nov 24 15:50:46 lb haproxy[123]: 10.1.1.1:5000 [24/Nov/2026:15:50:46.123] front back/srv1 1/0/30 212 -- 1/1/1/1/0 0/0 10.9.9.9:40001 10.8.8.8:8080`, "10.1.1.1:5000", "10.1.1.1:0", "10.9.9.9:40001", "proxied", "tcp", "2026-11-24T15:50:46.123Z"},
	{"asa built inbound", "asa", `Nov 24 2026 15:50:46: %ASA-6-302013: Built inbound TCP connection 77 for outside:10.1.1.1/5000 (10.1.1.1/5000) to inside:10.2.2.2/443 (192.0.2.9/443)`, "10.1.1.1:5000", "10.2.2.2:443", "10.1.1.1:5000", "built", "tcp", "2026-11-24T15:50:46Z"},
	{"asa translation built", "asa", `Nov 24 2026 15:50:46: %ASA-6-305011: Built dynamic TCP translation from inside:10.1.1.1/5000 to outside:192.0.2.1/10001`, "10.1.1.1:5000", "192.0.2.1:0", "192.0.2.1:10001", "translated", "tcp", "2026-11-24T15:50:46Z"},
	{"asa translation torn down", "asa", `Nov 24 2026 15:50:46: %ASA-6-305012: Teardown dynamic TCP translation from inside:10.1.1.1/5000 to outside:192.0.2.1/10001 duration 0:00:30`, "10.1.1.1:5000", "192.0.2.1:0", "192.0.2.1:10001", "translated", "tcp", "2026-11-24T15:50:46Z"},
	{"asa deny", "asa", `Nov 24 2026 15:50:46 fw : %ASA-4-106023: Deny tcp src outside:10.1.1.1/5000 dst inside:10.2.2.2/443 by access-group "in" [0x0, 0x0]`, "10.1.1.1:5000", "10.2.2.2:443", "", "deny", "tcp", "2026-11-24T15:50:46Z"},
	{"asa access list", "asa", `Nov 24 2026 15:50:46: %ASA-6-106100: access-list in denied tcp outside/10.1.1.1(5000) -> inside/10.2.2.2(443) hit-cnt 1 first hit`, "10.1.1.1:5000", "10.2.2.2:443", "", "denied", "tcp", "2026-11-24T15:50:46Z"},
	{"fortinet", "fortinet", `date=2026-11-24 time=15:50:46 devname="fg" devid="FGT1" logid="0000000013" type="traffic" srcip=10.1.1.1 srcport=5000 dstip=10.2.2.2 dstport=443 proto=6 action="deny" transip=192.0.2.1 msg="no policy"`, "10.1.1.1:5000", "10.2.2.2:443", "192.0.2.1:0", "deny", "tcp", "2026-11-24T15:50:46Z"},
	{"aws vpc", "vpcflow", `2 123456789012 eni-0a1b2c3d 10.1.1.1 10.2.2.2 5000 443 6 10 840 1795535446 1795535506 REJECT OK`, "10.1.1.1:5000", "10.2.2.2:443", "", "reject", "tcp", "2026-11-24T15:50:46Z"},
	{"suricata", "suricata", `{"timestamp":"2026-11-24T15:50:46.000000+0000","event_type":"alert","src_ip":"10.1.1.1","src_port":5000,"dest_ip":"10.2.2.2","dest_port":443,"proto":"TCP","alert":{"action":"blocked","signature":"x"}}`, "10.1.1.1:5000", "10.2.2.2:443", "", "", "tcp", "2026-11-24T15:50:46Z"},
	{"zeek json", "json", `{"ts":1795535446.0,"id.orig_h":"10.1.1.1","id.orig_p":5000,"id.resp_h":"10.2.2.2","id.resp_p":443,"proto":"tcp","conn_state":"REJ"}`, "10.1.1.1:5000", "10.2.2.2:443", "", "rej", "tcp", "2026-11-24T15:50:46Z"},
	{"zeek tsv", "zeek", "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n1795535446.0\tC1\t10.1.1.1\t5000\t10.2.2.2\t443\ttcp\tS0", "10.1.1.1:5000", "10.2.2.2:443", "", "s0", "tcp", "2026-11-24T15:50:46Z"},
	{"csv", "csv", "timestamp,src_ip,src_port,dst_ip,dst_port,action\n2026-11-24 15:50:46,2001:db8::1,5000,2001:db8::2,443,allow", "[2001:db8::1]:5000", "[2001:db8::2]:443", "", "allow", "", "2026-11-24T15:50:46Z"},
	{"any key=value", "keyvalue", `src=10.1.1.1 dst=10.2.2.2 sport=5000 dport=443 action=pass`, "10.1.1.1:5000", "10.2.2.2:443", "", "pass", "", ""},
}

func TestFormats(t *testing.T) {
	for _, x := range lines {
		var got []Record
		st, err := ReadFrom(context.Background(), Source{Path: "x"}, strings.NewReader(x.line+"\n"), nil, func(r *Record) { got = append(got, *r) })
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %d records, %v, %+v", x.name, len(got), err, st)
			continue
		}
		r := got[0]
		if st.Format != x.format {
			t.Errorf("%s: recognised as %s", x.name, st.Format)
		}
		if r.From.String() != x.from || r.To.String() != x.to || r.Action != x.action || r.Proto != x.proto {
			t.Errorf("%s: %v → %v, %q, %q", x.name, r.From, r.To, r.Action, r.Proto)
		}
		if x.xfrom != "" && r.XFrom.String() != x.xfrom {
			t.Errorf("%s: translated %v, want %s", x.name, r.XFrom, x.xfrom)
		}
		if x.time != "" && r.Time.Format(time.RFC3339Nano)[:19] != x.time[:19] {
			t.Errorf("%s: time %s, want %s", x.name, r.Time.Format(time.RFC3339Nano), x.time)
		}
	}
}

func conversation(id uint32, from, to string, at time.Time) Conversation {
	return Conversation{ID: id, Proto: "tcp", Ends: [][2]netip.AddrPort{{netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)}}, First: at, Last: at.Add(time.Second)}
}

func TestTie(t *testing.T) {
	at := time.Date(2026, 11, 24, 15, 51, 27, 0, time.UTC)
	tie := NewTie([]Conversation{
		conversation(1, "10.1.1.1:5000", "10.2.2.2:443", at),
		conversation(2, "10.1.1.1:5000", "10.2.2.2:443", at.Add(time.Hour)), // the same ports again
		conversation(3, "192.0.2.1:10001", "10.2.2.2:80", at),
		conversation(4, "10.1.1.9:1", "10.2.2.9:2", at),
	})
	log := strings.Join([]string{
		"src=10.1.1.9 sport=1 dst=10.2.2.9 dport=2 proto=tcp action=accept time=2026-11-24T15:50:46Z",                                         // exact: the log is 41 s behind
		"src=10.2.2.2 sport=443 dst=10.1.1.1 dport=5000 proto=tcp action=drop time=2026-11-24T15:50:46Z",                                      // turned round, of two by time
		"src=10.7.7.7 sport=4000 dst=10.2.2.2 dport=80 proto=tcp xlatesrc=192.0.2.1 xlatesport=10001 action=accept time=2026-11-24T15:50:46Z", // by its translation
		"src=10.1.1.9 sport=1 dst=10.2.2.9 dport=2 proto=udp action=accept time=2026-11-24T15:50:46Z",                                         // another protocol
		"src=10.9.9.9 sport=1 dst=10.2.2.9 dport=2 proto=tcp action=accept",                                                                   // nobody
		"nonsense",
	}, "\n")
	st, err := ReadFrom(context.Background(), Source{Path: "fw.log"}, strings.NewReader(log), nil, tie.Add)
	if err != nil || st.Lines != 6 || st.Bad != 1 || len(st.Samples) != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	got, k := tie.Done()
	if len(got) != 3 || !k.Known || k.Offset > -40e9 || k.Offset < -42e9 {
		t.Fatalf("%d records, clock %+v", len(got), k)
	}
	for i, want := range []uint32{4, 1, 3} {
		if len(got[i].Flows) != 1 || got[i].Flows[0] != want {
			t.Errorf("record %d goes to %v, want %d", i, got[i].Flows, want)
		}
	}
	if !got[1].Turned || got[0].Turned {
		t.Error("the turned record is not seen as turned")
	}
}

func TestCompressedAndUnknown(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(lines[0].line + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if _, err := ReadFrom(context.Background(), Source{}, &b, nil, func(*Record) { n++ }); err != nil || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
	if _, err := ReadFrom(context.Background(), Source{Path: "x.txt"}, strings.NewReader("a poem\nof two lines\n"), nil, func(*Record) {}); err == nil || !strings.Contains(err.Error(), "no log of a known format") {
		t.Errorf("a poem is taken for a log: %v", err)
	}
}

// However long a line, memory stays bounded and the next line is read.
func TestLongLine(t *testing.T) {
	in := strings.NewReader(lines[0].line + "|x=" + strings.Repeat("y", 1<<20) + "\n" + lines[0].line + "\n")
	n := 0
	if st, err := ReadFrom(context.Background(), Source{}, in, nil, func(r *Record) {
		if n++; len(r.Text) > lineMost {
			t.Errorf("a line of %d bytes was kept", len(r.Text))
		}
	}); err != nil || n != 2 || st.Lines != 2 {
		t.Errorf("%d records of %d lines, %v", n, st.Lines, err)
	}
}

func FuzzFormats(f *testing.F) {
	for _, x := range lines {
		f.Add(x.line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range Formats() {
			_, err := ReadFrom(context.Background(), Source{Path: "x", Format: name}, strings.NewReader(text), nil, func(r *Record) {
				if !r.From.IsValid() || !r.To.IsValid() {
					t.Errorf("%s gives a record without ends for %q", name, text)
				}
			})
			_ = err // compressed nonsense may fail; it must not panic
		}
	})
}

func BenchmarkCheckPoint(b *testing.B) {
	text := strings.Repeat(lines[0].line+"\n", 1000)
	tie := NewTie(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadFrom(context.Background(), Source{}, strings.NewReader(text), nil, tie.Add); err != nil {
			b.Fatal(err)
		}
	}
}
