package message_test

import (
	"fmt"
	"os/exec"
	"sort"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// end is one direction of a TCP connection: both ends, and the initial sequence number that tells instances apart.
type end struct {
	src, dst     decode.Addr
	sport, dport uint16
}

// direction is a stream and the segments that came before what they follow.
type direction struct {
	s       *message.Stream
	isn     uint32
	next    uint64
	waiting map[uint64][]byte
}

// streamsOf reads every TCP direction that begins with a SYN in a capture, and calls f with its messages.
func streamsOf(t testing.TB, file string, f func(src, dst string, m message.StreamMessage)) {
	t.Helper()
	open := map[end]*direction{}
	finish := func(e end, d *direction) {
		d.s.Close()
		for _, m := range d.s.Messages() {
			f(fmt.Sprintf("%d", e.sport), fmt.Sprintf("%d", e.dport), m)
		}
	}
	eachPacket(t, file, func(_ int, p *decode.Packet) {
		if p.Reach != decode.ReachTransport || p.IP.Proto != 6 {
			return
		}
		e := end{p.IP.Src, p.IP.Dst, p.Sport, p.Dport}
		d := open[e]
		if p.TCP.Flags&decode.SYN != 0 && (d == nil || d.isn != p.TCP.Seq) {
			if d != nil {
				finish(e, d)
			}
			initiator := p.TCP.Flags&decode.ACK == 0
			d = &direction{s: message.NewStream(initiator, 0), isn: p.TCP.Seq, waiting: map[uint64][]byte{}}
			open[e] = d
		}
		if d == nil || len(p.Payload) == 0 {
			return
		}
		off := uint64(p.TCP.Seq - d.isn - 1)
		if off > 1<<31 {
			return
		}
		if len(p.Payload) > len(d.waiting[off]) {
			d.waiting[off] = append([]byte(nil), p.Payload...)
		}
		d.flush()
	})
	ends := make([]end, 0, len(open))
	for e := range open {
		ends = append(ends, e)
	}
	sort.Slice(ends, func(i, j int) bool { return fmt.Sprint(ends[i]) < fmt.Sprint(ends[j]) })
	for _, e := range ends {
		finish(e, open[e])
	}
}

// flush writes what is in order now.
func (d *direction) flush() {
	for again := true; again; {
		again = false
		for off, b := range d.waiting {
			if off > d.next {
				continue
			}
			d.s.Write(off, b)
			d.next = max(d.next, off+uint64(len(b)))
			delete(d.waiting, off)
			again = true
		}
	}
}

// TestStreamTshark compares, for every capture, how often each message occurs between two ports with what tshark finds
// when it puts streams together.
func TestStreamTshark(t *testing.T) {
	for _, file := range recorded(t) {
		t.Run(strings.TrimPrefix(file, "../../testdata/"), func(t *testing.T) {
			t.Parallel()
			ours, n := map[string]int{}, 0
			streamsOf(t, file, func(src, dst string, m message.StreamMessage) {
				if m.Cut && m.Proto != message.ProtoHTTP {
					return
				}
				text := ""
				switch m.Proto {
				case message.ProtoTLS:
					text = fmt.Sprint("TLS ", m.Len-m.HeadLen)
				case message.ProtoHTTP:
					if m.HTTP.Status != 0 {
						text = fmt.Sprint("HTTP ", m.HTTP.Status)
					} else {
						text = "HTTP " + m.HTTP.Method + " " + m.HTTP.Target
					}
				case message.ProtoSIP:
					text = "SIP " + m.SIP.CallID + " " + m.SIP.CSeq
				default:
					return
				}
				ours[src+" "+dst+" "+text]++
				n++
			})
			theirs := tsharkStreams(t, file)
			for k, n := range theirs {
				if ours[k] != n {
					t.Errorf("%s: got %d, tshark %d\n  tshark -r %s -o tcp.reassemble_out_of_order:TRUE", k, ours[k], n, file)
				}
			}
			for k, n := range ours {
				if theirs[k] == 0 {
					t.Errorf("%s: got %d, tshark none", k, n)
				}
			}
			t.Logf("%d messages", n)
		})
	}
}

func tsharkStreams(t *testing.T, file string) map[string]int {
	t.Helper()
	args := []string{"-n", "-r", file, "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "tcp && !icmp",
		"-T", "fields", "-E", "occurrence=a"}
	for _, f := range []string{"tcp.srcport", "tcp.dstport", "tls.record.length", "http.request.method", "http.request.uri",
		"http.response.code", "sip.Call-ID", "sip.CSeq"} {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark %s: %v", strings.Join(args, " "), err)
	}
	found := map[string]int{}
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		key := v[0] + " " + v[1]
		for _, n := range split(v[2]) {
			found[key+" TLS "+n]++
		}
		targets := split(v[4])
		for k, method := range split(v[3]) {
			found[key+" HTTP "+method+" "+targets[min(k, len(targets)-1)]]++
		}
		for _, code := range split(v[5]) {
			found[key+" HTTP "+code]++
		}
		sequences := split(v[7])
		for k, id := range split(v[6]) {
			found[key+" SIP "+id+" "+sequences[min(k, len(sequences)-1)]]++
		}
	}
	return found
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
