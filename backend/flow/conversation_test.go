package flow

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// Hosts of the made traffic.
const (
	hostA = 0x0a000001
	hostB = 0x0a000002
	hostR = 0x0a0000fe // a router
)

var be = binary.BigEndian

// ipv4 puts a header in front of body; fragment is the whole flags and offset field.
func ipv4(src, dst uint32, proto uint8, id, fragment uint16, body []byte) []byte {
	h := make([]byte, 20, 20+len(body))
	h[0], h[8], h[9] = 0x45, 64, proto
	be.PutUint16(h[2:], uint16(20+len(body)))
	be.PutUint16(h[4:], id)
	be.PutUint16(h[6:], fragment)
	be.PutUint32(h[12:], src)
	be.PutUint32(h[16:], dst)
	return append(h, body...)
}

func tcpHeader(sport, dport uint16, seq, ack uint32, flags uint8, payload int) []byte {
	h := make([]byte, 20+payload)
	be.PutUint16(h[0:], sport)
	be.PutUint16(h[2:], dport)
	be.PutUint32(h[4:], seq)
	be.PutUint32(h[8:], ack)
	h[12], h[13] = 0x50, flags
	be.PutUint16(h[14:], 1000)
	return h
}

func udpHeader(sport, dport uint16, payload int) []byte {
	h := make([]byte, 8+payload)
	be.PutUint16(h[0:], sport)
	be.PutUint16(h[2:], dport)
	be.PutUint16(h[4:], uint16(8+payload))
	return h
}

func tcpAB(seq, ack uint32, flags uint8) []byte {
	return ipv4(hostA, hostB, 6, 1, 0, tcpHeader(4000, 80, seq, ack, flags, 0))
}

func tcpBA(seq, ack uint32, flags uint8) []byte {
	return ipv4(hostB, hostA, 6, 1, 0, tcpHeader(80, 4000, seq, ack, flags, 0))
}

func udpAB(sport, dport uint16) []byte {
	return ipv4(hostA, hostB, 17, 1, 0, udpHeader(sport, dport, 4))
}

// icmp is an error from the router to A that quotes n bytes of packet.
func icmp(kind, code uint8, packet []byte, n int) []byte {
	return ipv4(hostR, hostA, 1, 9, 0, append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, packet[:n]...))
}

// pieces cuts a datagram in fragments of size bytes of data, the header apart.
func pieces(packet []byte, size int) [][]byte {
	var out [][]byte
	src, dst, id := be.Uint32(packet[12:]), be.Uint32(packet[16:]), be.Uint16(packet[4:])
	data := packet[20:]
	for off := 0; off < len(data); off += size {
		end, f := min(off+size, len(data)), uint16(off/8)
		if end < len(data) {
			f |= 0x2000
		}
		out = append(out, ipv4(src, dst, packet[9], id, f, data[off:end]))
	}
	return out
}

// piece is the fragment of a datagram that holds the bytes from and up to to of what is behind its header.
func piece(packet []byte, from, to int) []byte {
	f := uint16(from / 8)
	if to < len(packet)-20 {
		f |= 0x2000
	}
	return ipv4(be.Uint32(packet[12:]), be.Uint32(packet[16:]), packet[9], be.Uint16(packet[4:]), f, packet[20+from:20+to])
}

const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

type streamCase struct {
	name   string
	frames [][]byte
}

// streamCases are packets that the recorded cases don't have.
func streamCases() []streamCase {
	big := func(id uint16, sport uint16) [][]byte {
		return pieces(ipv4(hostA, hostB, 17, id, 0, udpHeader(sport, 9000, 64)), 24)
	}
	f, g := big(7, 5000), big(8, 5001)
	whole := ipv4(hostA, hostB, 17, 9, 0, udpHeader(5000, 9000, 64)) // 72 bytes behind the header
	long := ipv4(hostA, hostB, 6, 1, 0, tcpHeader(4001, 81, 77, 0, syn, 40))
	gre := ipv4(hostA, hostB, 47, 1, 0, append([]byte{0, 0, 8, 0}, ipv4(hostR, hostA, 17, 1, 0, udpHeader(1, 2, 3))...))
	return []streamCase{
		{"plain", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, ack), udpAB(1, 2), udpAB(3, 4), udpAB(1, 2)}},
		{"syn retransmitted", [][]byte{tcpAB(100, 0, syn), tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack)}},
		{"ports reused", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, ack), tcpAB(900, 0, syn), tcpBA(700, 901, syn|ack), tcpAB(901, 701, ack)}},
		{"reused after fin, same", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, fin|ack), tcpBA(501, 102, fin|ack), tcpAB(102, 502, ack), tcpAB(100, 0, syn), tcpBA(900, 101, syn|ack)}},
		{"reused after rst, same", [][]byte{tcpAB(100, 0, syn), tcpBA(0, 101, rst|ack), tcpAB(100, 0, syn), tcpBA(0, 101, rst|ack)}},
		{"reused after rst, other", [][]byte{tcpAB(100, 0, syn), tcpBA(0, 101, rst|ack), tcpAB(101, 0, syn), tcpBA(0, 102, rst|ack)}},
		{"reused by the other side", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpBA(900, 0, syn), tcpAB(300, 901, syn|ack), tcpBA(901, 301, ack)}},
		{"simultaneous open", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 0, syn), tcpAB(100, 501, syn|ack), tcpBA(500, 101, syn|ack)}},
		{"syn/ack changes", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpBA(600, 101, syn|ack), tcpBA(600, 0, syn), tcpBA(500, 0, syn)}},
		{"midstream then syn", [][]byte{tcpAB(100, 500, ack), tcpBA(500, 100, ack), tcpAB(99, 0, syn), tcpAB(98, 0, syn), tcpBA(499, 0, syn)}},
		{"data before syn", [][]byte{tcpBA(500, 101, ack), tcpAB(100, 0, syn), tcpAB(101, 0, syn)}},
		{"syn with ack number", [][]byte{tcpAB(100, 7, syn), tcpBA(6, 0, syn), tcpBA(8, 0, syn)}},
		{"ack of zero", [][]byte{tcpAB(100, 0, 0), tcpBA(500, 0, ack), tcpAB(1, 0, syn)}},
		{"reused, syn missed", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, fin|ack), tcpBA(501, 102, fin|ack), tcpBA(900, 301, syn|ack), tcpAB(301, 901, ack), tcpAB(700, 0, syn), tcpBA(901, 0, syn)}},
		{"reused by the other side, syn missed", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, rst|ack), tcpAB(900, 301, syn|ack), tcpBA(301, 901, ack), tcpBA(301, 0, syn), tcpAB(100, 0, syn)}},
		{"reused, handshake missed", [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, fin|ack), tcpBA(501, 102, fin|ack), tcpAB(90_000_101, 80_000_501, ack), tcpBA(80_000_501, 90_000_101, ack), tcpAB(100, 0, syn), tcpAB(90_000_100, 0, syn)}},
		{"icmp quotes known udp", [][]byte{udpAB(1, 2), udpAB(3, 4), icmp(3, 3, udpAB(1, 2), 28), udpAB(5, 6)}},
		{"icmp quotes unknown udp", [][]byte{icmp(3, 3, udpAB(1, 2), 28), udpAB(3, 4), udpAB(1, 2)}},
		{"icmp quotes known tcp", [][]byte{tcpAB(100, 0, syn), icmp(3, 1, tcpAB(100, 0, syn), 28), icmp(11, 0, tcpAB(100, 0, syn), 40)}},
		{"icmp quotes unknown tcp", [][]byte{icmp(11, 0, tcpAB(100, 0, syn), 28), udpAB(1, 2), icmp(11, 0, tcpAB(100, 0, syn), 40), tcpAB(100, 0, syn), tcpAB(99, 0, syn)}},
		{"icmp quotes 35 bytes", [][]byte{icmp(11, 0, tcpAB(100, 0, syn), 35), ipv4(hostA, hostB, 6, 1, 0, tcpHeader(9, 9, 1, 0, syn, 0)), tcpAB(100, 0, syn)}},
		{"icmp quotes other syn", [][]byte{tcpAB(100, 0, syn), icmp(11, 0, tcpAB(300, 0, syn), 40), tcpAB(100, 0, syn), tcpAB(300, 0, syn)}},
		{"icmp redirect", [][]byte{icmp(5, 1, tcpAB(100, 0, syn), 40), icmp(5, 1, udpAB(1, 2), 28), tcpAB(100, 0, syn)}},
		{"icmp quotes a fragment", [][]byte{icmp(11, 0, f[1], 28), udpAB(1, 2)}},
		{"icmp quotes a first piece", [][]byte{icmp(11, 1, f[0], 28), udpAB(1, 2), udpAB(5000, 9000)}},
		{"fragments", append(append([][]byte{udpAB(1, 2)}, f...), udpAB(3, 4), udpAB(5000, 9000))},
		{"fragments interleaved", [][]byte{f[0], g[0], g[1], g[2], f[1], udpAB(1, 2), f[2], udpAB(5000, 9000)}},
		{"fragments backwards", [][]byte{f[2], f[1], udpAB(1, 2), f[0], udpAB(3, 4)}},
		{"fragments twice", [][]byte{f[0], f[0], f[1], f[1], f[2], f[2], f[0], udpAB(3, 4), f[1], f[2]}},
		{"fragment missing", [][]byte{f[0], f[2], udpAB(1, 2), udpAB(5000, 9000)}},
		{"fragment missing, id anew", [][]byte{f[0], f[2], udpAB(1, 2), f[0], f[1], f[2]}},
		{"fragments overlap", [][]byte{piece(whole, 0, 24), piece(whole, 16, 48), udpAB(1, 2), piece(whole, 40, 72), udpAB(3, 4)}},
		{"fragments overlap, backwards", [][]byte{piece(whole, 40, 72), piece(whole, 16, 48), udpAB(1, 2), piece(whole, 0, 24), udpAB(3, 4)}},
		{"fragments one inside of another", [][]byte{piece(whole, 0, 48), piece(whole, 16, 24), udpAB(1, 2), piece(whole, 48, 72), udpAB(3, 4)}},
		{"fragments overlap and leave a gap", [][]byte{piece(whole, 0, 24), piece(whole, 8, 32), piece(whole, 40, 72), udpAB(1, 2), piece(whole, 32, 40), udpAB(3, 4)}},
		{"fragments of syn", append([][]byte{tcpAB(1, 0, syn)}, append(pieces(long, 24), udpAB(1, 2), ipv4(hostA, hostB, 6, 1, 0, tcpHeader(4001, 81, 99, 0, syn, 0)))...)},
		{"fragments of gre", append(append([][]byte{}, pieces(gre, 48)...), udpAB(1, 2))},
		{"gre", [][]byte{gre, udpAB(1, 2)}},
		{"udp length broken", [][]byte{ipv4(hostA, hostB, 17, 1, 0, []byte{0, 1, 0, 2, 0, 7, 0, 0}), udpAB(3, 4), udpAB(1, 2)}},
		{"udp-lite", [][]byte{udpAB(1, 2), ipv4(hostA, hostB, 136, 1, 0, udpHeader(1, 2, 4)), ipv4(hostB, hostA, 136, 1, 0, udpHeader(4, 3, 4)), udpAB(3, 4)}},
		{"tcp header longer", [][]byte{ipv4(hostA, hostB, 6, 1, 0, append(tcpHeader(4000, 80, 5, 0, syn, 0)[:12], 0xf0, syn, 0, 0, 0, 0, 0, 0)), tcpAB(6, 0, syn), tcpAB(7, 0, syn)}},
		{"tcp header broken", [][]byte{ipv4(hostA, hostB, 6, 1, 0, append(tcpHeader(4000, 80, 5, 0, syn, 0)[:12], 0x10, syn, 0, 0, 0, 0, 0, 0)), tcpAB(6, 0, syn), tcpAB(7, 0, syn)}},
		{"to itself", [][]byte{ipv4(hostA, hostA, 6, 1, 0, tcpHeader(5, 5, 1, 0, syn, 0)), ipv4(hostA, hostA, 6, 1, 0, tcpHeader(5, 5, 9, 2, syn|ack, 0)), ipv4(hostA, hostA, 6, 1, 0, tcpHeader(5, 5, 1, 0, syn, 0))}},
		{"to itself, other port", [][]byte{ipv4(hostA, hostA, 6, 1, 0, tcpHeader(5, 6, 1, 0, syn, 0)), ipv4(hostA, hostA, 6, 1, 0, tcpHeader(6, 5, 9, 2, syn|ack, 0)), ipv4(hostA, hostA, 6, 1, 0, tcpHeader(6, 5, 1, 0, syn, 0))}},
	}
}

// pcap writes frames as a capture of raw IP; snaplen cuts them, 0 doesn't.
func pcap(frames [][]byte, snaplen int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4)
	b = le.AppendUint32(le.AppendUint64(b, 0), 65535)
	b = le.AppendUint32(b, uint32(capture.LinkRaw))
	for i, f := range frames {
		n := len(f)
		if snaplen > 0 {
			n = min(n, snaplen)
		}
		b = le.AppendUint32(le.AppendUint32(b, 1e9), uint32(i))
		b = le.AppendUint32(le.AppendUint32(b, uint32(n)), uint32(len(f)))
		b = append(b, f[:n]...)
	}
	return b
}

// apart gives a case hosts of its own, so that one capture can hold all cases.
func apart(frame []byte, number int) []byte {
	out := slices.Clone(frame)
	for i := 0; i+4 <= len(out); i++ {
		if h := be.Uint32(out[i:]); h == hostA || h == hostB || h == hostR {
			out[i+2] = byte(number)
		}
	}
	return out
}

// TestMadeStreamsEqualWireshark compares cases of port reuse, quotes and fragments with tshark, whole and cut.
func TestMadeStreamsEqualWireshark(t *testing.T) {
	var frames [][]byte
	var names []string
	for i, c := range streamCases() {
		for n, f := range c.frames {
			frames = append(frames, apart(f, i+1))
			names = append(names, fmt.Sprintf("%s, packet %d", c.name, n+1))
		}
	}
	for _, snaplen := range []int{0, 28, 34, 36, 40, 48, 60} {
		t.Run(fmt.Sprintf("snaplen %d", snaplen), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "made.pcap")
			if err := os.WriteFile(file, pcap(frames, snaplen), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, i := range sameStreams(t, file) {
				t.Errorf("frame %d is %s", i+1, names[i])
			}
		})
	}
}

// add decodes a raw IP frame and adds it.
func add(t *Table, frame []byte, n capture.FrameNo) (ConvID, bool) {
	var p decode.Packet
	decode.Decode(capture.LinkRaw, frame, uint32(len(frame)), &p)
	return t.Add(&p, n)
}

// Fragments that overlap, or that leave every other eight bytes out, cost no more than the gaps of so many datagrams as are
// kept in pieces.
func TestFragmentsAreBounded(t *testing.T) {
	var g fragment
	ip := decode.IP{Whole: true, MF: true}
	for _, step := range []struct{ by, size, most uint32 }{{8, 24, 1}, {8, 1400, 1}, {16, 8, 4096}, {8, 8, 1}} {
		for round := range uint32(3) {
			for off := uint32(0); off < 65528; off += step.by {
				if ip.FragOff, ip.DataLen = off, step.size+8*round*(step.by&8); g.put(&ip) {
					t.Fatal("a datagram without its last piece is whole")
				}
			}
		}
		if n := len(g.pieces); n > int(step.most) {
			t.Errorf("pieces of %d bytes, %d apart, leave %d", step.size, step.by, n)
		}
		g.pieces = g.pieces[:0]
	}
	tab := NewTable()
	for n := range 3 * maxFragmented {
		add(tab, ipv4(hostA, hostB, 17, uint16(n), 0x2000|uint16(n>>16), udpHeader(1, 2, 16)), capture.FrameNo(n+1))
	}
	if n := len(tab.frags.byKey); n > maxFragmented {
		t.Errorf("%d datagrams are kept in pieces, more than %d", n, maxFragmented)
	}
}

// TestConversations says which conversation each frame joins and in which direction, beyond the numbers.
func TestConversations(t *testing.T) {
	f := pieces(ipv4(hostA, hostB, 17, 7, 0, udpHeader(5000, 9000, 64)), 24)
	echo := func(src, dst uint32, kind uint8, id byte) []byte {
		return ipv4(src, dst, 1, 1, 0, []byte{kind, 0, 0, 0, 0, id, 0, 1})
	}
	esp := func(src, dst uint32, spi byte) []byte {
		return ipv4(src, dst, 50, 1, 0, []byte{0, 0, 0, spi, 0, 0, 0, 1})
	}
	tests := []struct {
		name   string
		frames [][]byte
		want   string // "0" forward, "0r" reverse, "-" none
	}{
		{"both directions", [][]byte{tcpAB(1, 0, syn), tcpBA(9, 2, syn|ack), tcpAB(2, 10, ack)}, "0 0r 0"},
		{"new instance", [][]byte{tcpAB(1, 0, syn), tcpBA(9, 2, syn|ack), tcpAB(5, 0, syn), tcpBA(3, 6, syn|ack)}, "0 0r 1 1r"},
		{"instance from the other side", [][]byte{tcpAB(1, 0, syn), tcpBA(9, 2, syn|ack), tcpBA(5, 0, syn), tcpAB(3, 6, syn|ack)}, "0 0r 1 1r"},
		{"echo by identifier", [][]byte{echo(hostA, hostB, 8, 1), echo(hostA, hostB, 8, 2), echo(hostB, hostA, 0, 1)}, "0 1 0r"},
		{"esp by addresses", [][]byte{esp(hostA, hostB, 1), esp(hostB, hostA, 2), esp(hostA, hostR, 1)}, "0 0r 1"},
		{"error goes against what it quotes", [][]byte{udpAB(1, 2), icmp(3, 3, udpAB(1, 2), 28)}, "0 0r"},
		{"error about an echo", [][]byte{echo(hostA, hostB, 8, 1), icmp(11, 0, echo(hostA, hostB, 8, 1), 28)}, "0 0r"},
		{"error about eight bytes of tcp", [][]byte{tcpAB(1, 0, syn), icmp(3, 1, tcpAB(1, 0, syn), 28)}, "0 0r"},
		{"error about unknown tcp", [][]byte{icmp(3, 1, tcpAB(1, 0, syn), 28), tcpAB(1, 0, syn)}, "0 1"},
		{"fragments", [][]byte{f[0], f[1], udpAB(1, 2), f[2], udpAB(5000, 9000)}, "0 0 1 0 0"},
		{"copies of fragments", [][]byte{f[0], f[0], f[1], f[1], f[2], f[2]}, "0 0 0 0 0 0"},
		{"not IP", [][]byte{{0, 1, 2}, udpAB(1, 2)}, "- 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tab, got := NewTable(), ""
			for i, f := range test.frames {
				id, reverse := add(tab, f, capture.FrameNo(i+1))
				switch {
				case id == NoConv:
					got += " -"
				case reverse:
					got += fmt.Sprintf(" %dr", id)
				default:
					got += fmt.Sprintf(" %d", id)
				}
			}
			if got[1:] != test.want {
				t.Errorf("got %s, want %s", got[1:], test.want)
			}
		})
	}
}

// Connections on ports used again are told apart although a recorder missed their SYNs, while Wireshark counts them as one.
func TestInstancesWithoutSYN(t *testing.T) {
	open := [][]byte{tcpAB(100, 0, syn), tcpBA(500, 101, syn|ack), tcpAB(101, 501, ack)}
	closed := append(slices.Clone(open), tcpAB(101, 501, fin|ack), tcpBA(501, 102, fin|ack), tcpAB(102, 502, ack))
	const there, back = 65_539 + 101, 20_000_000 // Linux leaves so much for its own next connection, others more
	for _, c := range []struct {
		name   string
		before [][]byte
		then   []byte
		new    bool
	}{
		{"SYN/ACK of other numbers behind FINs", closed, tcpBA(back, there, syn|ack), true},
		{"data of other numbers behind FINs", closed, tcpAB(there, back, ack), true},
		{"data of other numbers of the server", closed, tcpBA(back, there, ack), true},
		{"the last acknowledgement again", closed, tcpAB(102, 502, ack), false},
		{"FIN again", closed, tcpBA(501, 102, fin|ack), false},
		{"old data again", closed, tcpAB(90, 400, ack), false},
		{"RST", closed, tcpAB(there, back, rst|ack), false},
		{"SYN/ACK of other numbers, nothing closed", open, tcpBA(700, 301, syn|ack), false},
		{"SYN/ACK of numbers far away", open, tcpBA(1<<30, 1<<31, syn|ack), true},
		{"SYN/ACK again", open, tcpBA(500, 101, syn|ack), false},
		{"SYN/ACK that a proxy corrects", closed, tcpBA(900, 101, syn|ack), false},
		{"SYN/ACK behind RST", append(slices.Clone(open), tcpAB(101, 501, rst|ack)), tcpBA(700, 301, syn|ack), true},
		{"data far away, one side closed", append(slices.Clone(open), tcpAB(101, 501, fin|ack)), tcpBA(1<<30, 1<<31, ack), false},
	} {
		tab := NewTable()
		var old, id ConvID
		for i, f := range c.before {
			old, _ = add(tab, f, capture.FrameNo(i+1))
		}
		id, _ = add(tab, c.then, 10)
		if (id != old) != c.new {
			t.Errorf("%s: conversation %d after %d", c.name, id, old)
		}
		if x, y := tab.Conv(old), tab.Conv(id); x.Stream != y.Stream || c.new && y.Instance != x.Instance+1 {
			t.Errorf("%s: tcp.stream %d after %d, instance %d after %d", c.name, y.Stream, x.Stream, y.Instance, x.Instance)
		}
	}
}

func TestInstances(t *testing.T) {
	tab := NewTable()
	for i, seq := range []uint32{10, 20, 30} {
		id, _ := add(tab, tcpAB(seq, 0, syn), capture.FrameNo(i+1))
		c := tab.Conv(id)
		if int(c.Instance) != i || int(c.Stream) != i || int(c.First) != i+1 || c.Packets != 1 {
			t.Errorf("SYN %d: %+v", i, *c)
		}
	}
	if tab.Len() != 3 {
		t.Errorf("%d conversations, want 3", tab.Len())
	}
}

// TestManyConversations finds each of many conversations again, in both directions, after the table grew.
func TestManyConversations(t *testing.T) {
	tab := NewTable()
	const n = 50000
	frame := func(i int, back bool) []byte {
		src, sport := uint32(hostA+i/1000), uint16(1000+i%1000)
		if back {
			return ipv4(hostB, src, 17, 1, 0, udpHeader(53, sport, 4))
		}
		return ipv4(src, hostB, 17, 1, 0, udpHeader(sport, 53, 4))
	}
	for round := range 2 {
		for i := range n {
			if id, reverse := add(tab, frame(i, round == 1), 1); int(id) != i || reverse != (round == 1) {
				t.Fatalf("round %d: conversation %d found as %d, reverse %v", round, i, id, reverse)
			}
		}
	}
	if tab.Len() != n || tab.Conv(n-1).Stream != n-1 {
		t.Errorf("%d conversations, last number %d", tab.Len(), tab.Conv(n-1).Stream)
	}
}

// TestAddAllocates: a packet of a known conversation costs no allocation.
func TestAddAllocates(t *testing.T) {
	tab := NewTable()
	var a, b decode.Packet
	f, g := tcpAB(1, 0, syn), udpAB(1, 2)
	decode.Decode(capture.LinkRaw, f, uint32(len(f)), &a)
	decode.Decode(capture.LinkRaw, g, uint32(len(g)), &b)
	tab.Add(&a, 1)
	tab.Add(&b, 2)
	if n := testing.AllocsPerRun(100, func() { tab.Add(&a, 3); tab.Add(&b, 4) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// benchmarkAdd adds packets of conversations in turn. There is one Packet, as in use, where it was just decoded.
func benchmarkAdd(b *testing.B, conversations int) {
	f := ipv4(hostA, hostB, 6, 1, 0, tcpHeader(1000, 443, 100, 200, ack, 4))
	var p decode.Packet
	decode.Decode(capture.LinkRaw, f, uint32(len(f)), &p)
	tab, k, i := NewTable(), &p.Socket[0], 0
	for b.Loop() {
		if i++; i == conversations {
			i = 0
		}
		p.Sport, k.Sport = uint16(i), uint16(i)
		tab.Add(&p, 1)
	}
}

func BenchmarkAddOne(b *testing.B)  { benchmarkAdd(b, 1) }
func BenchmarkAdd5000(b *testing.B) { benchmarkAdd(b, 5000) }

// BenchmarkAddMillion starts a million conversations.
func BenchmarkAddMillion(b *testing.B) {
	f := tcpAB(1, 0, ack)
	var p decode.Packet
	decode.Decode(capture.LinkRaw, f, uint32(len(f)), &p)
	k := &p.Socket[0]
	for b.Loop() {
		tab := NewTable()
		for i := range 1000000 {
			p.Sport, p.IP.Src[12], p.IP.Src[13] = uint16(i), byte(i>>16), byte(i>>24)
			k.Sport, k.Src = p.Sport, p.IP.Src
			tab.Add(&p, 1)
		}
	}
}
