package lab

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Bulk is a kind of large traffic, for measuring: two or more points on one path, five routers apart, each clock some
// seconds off, one packet in 500 lost between two points.
type Bulk struct {
	Frames int // sent, about as many as each capture holds
	Points int
	// Conversations at once, and the packets of each: TCP through a source NAT in front of the last point, with handshake,
	// data both ways and FIN. Packets 0: they never end.
	Conversations, Packets int
	// Alike: datagrams with the same bytes instead, between the same hosts.
	Alike bool
}

// Bulks are kinds by name.
var Bulks = map[string]Bulk{
	"mixed": {Points: 2, Conversations: 2000, Packets: 400},
	"short": {Points: 2, Conversations: 100_000, Packets: 10},
	"one":   {Points: 2, Conversations: 1},
	"alike": {Points: 2, Conversations: 2000, Alike: true},
	"16":    {Points: 16, Conversations: 500, Packets: 400},
}

const (
	bulkStep  = 5_000     // ns from packet to packet
	bulkDelay = 3_000_000 // ns between two points, at least
	bulkCut   = 128       // snaplen
)

// bulkConversation is what its next packet is made from.
type bulkConversation struct {
	id    uint32
	sent  int
	ready int64 // when the packet before has arrived
	seq   [2]uint32
	ipid  [2]uint16
}

// bulkFrame waits for its turn in a capture.
type bulkFrame struct {
	at   int64
	data []byte
	orig uint32
}

type bulkQueue []bulkFrame

func (q bulkQueue) Len() int           { return len(q) }
func (q bulkQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q bulkQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *bulkQueue) Push(x any)        { *q = append(*q, x.(bulkFrame)) }
func (q *bulkQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// Write writes the captures p00.pcap, p01.pcap … into a folder. pairs is the number of packets that the first two of them
// share.
func (b Bulk) Write(dir string) (pairs int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	files, outs := make([]*os.File, b.Points), make([]*bufio.Writer, b.Points)
	for p := range files {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("p%02d.pcap", p)))
		if err != nil {
			return 0, err
		}
		files[p], outs[p] = f, bufio.NewWriterSize(f, 1<<20)
		head := []byte{0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, bulkCut, 0, 0, 0, 1, 0, 0, 0}
		if _, err := outs[p].Write(head); err != nil {
			return 0, err
		}
	}
	pairs, err = b.frames(outs)
	for p := range files {
		err = errors.Join(err, outs[p].Flush(), files[p].Close())
	}
	return pairs, err
}

func (b Bulk) frames(outs []*bufio.Writer) (pairs int, err error) {
	r := rand.New(rand.NewPCG(1, uint64(b.Frames)))
	queues := make([]bulkQueue, b.Points)
	flush := func(until int64) error {
		for p := range queues {
			for q := &queues[p]; q.Len() > 0 && (*q)[0].at < until; {
				f := heap.Pop(q).(bulkFrame)
				at := f.at + 1_790_000_000_000_000_000 + int64(p)*7_300_000_000
				var rec [16]byte
				binary.LittleEndian.PutUint32(rec[0:], uint32(at/1e9))
				binary.LittleEndian.PutUint32(rec[4:], uint32(at%1e9))
				binary.LittleEndian.PutUint32(rec[8:], uint32(len(f.data)))
				binary.LittleEndian.PutUint32(rec[12:], f.orig)
				if _, err := outs[p].Write(rec[:]); err != nil {
					return err
				}
				if _, err := outs[p].Write(f.data); err != nil {
					return err
				}
			}
		}
		return nil
	}
	open := make([]bulkConversation, b.Conversations)
	next := uint32(0)
	start := func(c *bulkConversation) {
		*c = bulkConversation{id: next, seq: [2]uint32{r.Uint32(), r.Uint32()}, ipid: [2]uint16{uint16(r.Uint32()), uint16(r.Uint32())}}
		next++
	}
	for k := range open {
		start(&open[k])
	}
	now := int64(0)
	for i := range b.Frames {
		now += bulkStep
		k := r.IntN(len(open))
		for tries := 0; open[k].ready > now && tries < len(open); tries++ {
			k = (k + 1) % len(open)
		}
		c := &open[k]
		now = max(now, c.ready)
		t := now
		data, orig, back := b.packet(c, t, r)
		c.sent++
		seen := 0
		for hop := range b.Points {
			p := hop
			if back {
				p = b.Points - 1 - hop
			}
			d := append([]byte(nil), data...)
			d[14+8] = byte(64 - 3*hop) // TTL
			if !b.Alike {
				nat(d, c.id, p == b.Points-1, back)
			}
			heap.Push(&queues[p], bulkFrame{t, d, orig})
			if p < 2 {
				seen++
			}
			if r.IntN(500) == 0 {
				break // lost on the next stretch
			}
			t += bulkDelay + int64(r.IntN(200_000))
		}
		if seen == 2 {
			pairs++
		}
		if c.ready = t; b.Packets > 0 && c.sent == b.Packets {
			start(c)
		}
		if i%1024 == 0 {
			if err := flush(now); err != nil {
				return 0, err
			}
		}
	}
	return pairs, flush(1 << 62)
}

// packet makes a conversation's next packet; back: from the server.
func (b Bulk) packet(c *bulkConversation, t int64, r *rand.Rand) (data []byte, orig uint32, back bool) {
	const ethernet, ip, tcp = 14, 20, 32
	n := c.sent
	flags, size := byte(0x18), 0 // PSH, ACK
	switch left := b.Packets - n; {
	case b.Alike:
		size, back = 40, n%2 == 1
	case n == 0:
		flags = 0x02 // SYN
	case n == 1:
		flags, back = 0x12, true
	case n == 2:
		flags = 0x10
	case b.Packets > 0 && left == 3:
		flags = 0x11 // FIN
	case b.Packets > 0 && left == 2:
		flags, back = 0x11, true
	case b.Packets > 0 && left == 1:
		flags = 0x10
	case n%4 == 3:
		size = 100 + r.IntN(300) // a request
	case n%4 == 2:
		flags = 0x10
	default:
		size, back = 1200, true
	}
	d := 0
	if back {
		d = 1
	}
	data = make([]byte, ethernet+ip+tcp+size)
	data[12] = 8
	h, x := data[ethernet:], data[ethernet+ip:]
	copy(h, []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6})
	if c.ipid[d]++; c.ipid[d] == 0 {
		c.ipid[d] = 1
	}
	binary.BigEndian.PutUint16(h[4:], c.ipid[d])
	ends := [2][]byte{{10, byte(c.id >> 16), byte(c.id >> 8), byte(c.id)}, {198, 51, 100, byte(c.id % 8)}}
	ports := [2]uint16{uint16(20_000 + c.id%40_000), 443}
	copy(h[12:], ends[d])
	copy(h[16:], ends[1-d])
	binary.BigEndian.PutUint16(x, ports[d])
	binary.BigEndian.PutUint16(x[2:], ports[1-d])
	if b.Alike {
		h[9] = 17
		data = data[:ethernet+ip+8+size]
		binary.BigEndian.PutUint16(x[4:], uint16(8+size))
	} else {
		binary.BigEndian.PutUint32(x[4:], c.seq[d])
		if flags&0x10 != 0 {
			binary.BigEndian.PutUint32(x[8:], c.seq[1-d])
		}
		x[12], x[13] = tcp/4<<4, flags
		binary.BigEndian.PutUint16(x[14:], 500)
		copy(x[20:], []byte{1, 1, 8, 10})
		binary.BigEndian.PutUint32(x[24:], c.id*0x9E3779B1+uint32(t/1_000_000)) // each connection has an offset of its own
		for k := tcp; k < len(x); k += 8 {
			var w [8]byte
			binary.LittleEndian.PutUint64(w[:], r.Uint64())
			copy(x[k:], w[:])
			if k > bulkCut {
				break // cut off anyway
			}
		}
		c.seq[d] += uint32(size)
		if flags&3 != 0 {
			c.seq[d]++
		}
	}
	binary.BigEndian.PutUint16(h[2:], uint16(len(data)-ethernet))
	orig = uint32(len(data))
	return data[:min(len(data), bulkCut)], orig, back
}

// nat shows the client under another address and port at the last point.
func nat(d []byte, id uint32, behind, back bool) {
	if !behind {
		return
	}
	addr, port := 14+12, 14+20
	if back {
		addr, port = addr+4, port+2
	}
	copy(d[addr:], []byte{203, 0, 113, byte(id % 8)})
	binary.BigEndian.PutUint16(d[port:], uint16(10_000+id/8%50_000))
}
