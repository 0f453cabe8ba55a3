package lab

import "net/netip"

// peer is one end of a TCP connection.
type peer struct {
	addr   netip.Addr
	port   uint16
	isn    uint32
	next   uint32 // sequence number of the next new byte
	rcv    uint32 // next byte expected
	ttl    byte
	window uint16
	scale  int // -1: no option
	mss    int
	id     uint16
	count  bool // IP ID counts; else it is random
	clock  uint32
}

// conn plays a TCP connection over a leg.
type conn struct {
	w     *world
	leg   leg
	lane  lane
	flow  *Flow
	end   [2]*peer // client's side, server's side
	ts    bool
	sack  bool
	parts []part
}

// part is a packet of a connection, with the stream bytes that it carries.
type part struct {
	dir      byte
	flags    byte
	from, to int // stream offsets
	frames   map[int]*Frame
	lost     bool // on its leg of the path
}

func (w *world) peer(a netip.Addr, port uint16) *peer {
	p := &peer{
		addr: a, port: port, isn: w.rng.Uint32(), ttl: []byte{64, 64, 128, 255}[w.rng.IntN(4)], window: uint16(8192 + w.rng.IntN(57000)),
		scale: w.rng.IntN(12) - 1, mss: []int{1460, 1460, 1360, 1220, 536}[w.rng.IntN(5)], id: uint16(w.rng.UintN(65536)), count: w.rng.IntN(2) == 0, clock: w.rng.Uint32(),
	}
	p.next = p.isn
	return p
}

func (w *world) conn(g leg, f *Flow, client, server *peer) *conn {
	c := &conn{w: w, leg: g, flow: f, end: [2]*peer{client, server}, ts: w.rng.IntN(2) == 0 || w.six, sack: w.rng.IntN(3) > 0}
	return c
}

func (c *conn) ends(dir byte) (from, to *peer) {
	i := dirIndex(dir)
	return c.end[i], c.end[1-i]
}

// options of a segment; sacked is a range received out of order.
func (c *conn) options(p *peer, flags byte, t int64, sacked [2]uint32) []byte {
	var b []byte
	if flags&flagSYN != 0 {
		b = append(b, optMSS, 4, byte(p.mss>>8), byte(p.mss))
		if c.sack {
			b = append(b, optSACKPerm, 2)
		}
		if p.scale >= 0 {
			b = append(b, optScale, 3, byte(p.scale))
		}
	}
	if c.ts {
		b = append(b, 1, 1, optTimestamp, 10)
		b = be.AppendUint32(b, p.clock+uint32(t/1_000_000))
		echo := c.other(p).clock + uint32(t/1_000_000) - 1
		if flags&flagACK == 0 {
			echo = 0
		}
		b = be.AppendUint32(b, echo)
	}
	if sacked[0] != sacked[1] {
		b = append(b, 1, 1, optSACK, 10)
		b = be.AppendUint32(be.AppendUint32(b, sacked[0]), sacked[1])
	}
	for len(b)%4 != 0 {
		b = append(b, 1)
	}
	return b
}

func (c *conn) other(p *peer) *peer {
	if c.end[0] == p {
		return c.end[1]
	}
	return c.end[0]
}

// send sends one segment.
func (c *conn) send(dir byte, t int64, seq uint32, flags byte, payload []byte, sacked [2]uint32, lossAt int) passed {
	from, to := c.ends(dir)
	ack := from.rcv
	if flags&flagACK == 0 {
		ack = 0
	}
	l4 := tcpSegment(from.port, to.port, seq, ack, flags, from.window, c.options(from, flags, t, sacked), payload)
	from.id = c.w.nextID(from.id, from.count)
	p := c.w.emit(c.leg, &c.lane, c.flow, dir, t, from.ttl, ipPacket(protoTCP, from.addr, to.addr, from.id, true, l4), lossAt)
	off := int(seq - from.isn - 1)
	c.parts = append(c.parts, part{dir, flags, off, off + len(payload), p.frames, p.lost})
	return p
}

// nextID never gives 0: that would say nothing.
func (w *world) nextID(id uint16, count bool) uint16 {
	if !count {
		id = uint16(w.rng.UintN(65536))
	}
	if id++; id == 0 {
		id = 1
	}
	return id
}

func (c *conn) plain(dir byte, t int64, flags byte) passed {
	from, _ := c.ends(dir)
	return c.send(dir, t, from.next, flags, nil, [2]uint32{}, -1)
}

// try sends a segment again and again until it arrives; it takes sequence space.
func (c *conn) try(dir byte, t int64, flags byte) int64 {
	from, to := c.ends(dir)
	wait := int64(1_000_000_000)
	for range 3 {
		p := c.send(dir, t, from.next, flags, nil, [2]uint32{}, c.w.mayLose(c.leg))
		if !p.lost {
			from.next++
			to.rcv = from.next
			return p.arrives
		}
		t += wait
		wait *= 2
	}
	p := c.plain(dir, t, flags)
	from.next++
	to.rcv = from.next
	return p.arrives
}

// open plays the handshake and gives the times at which both ends are ready.
func (c *conn) open(t int64) (client, server int64) {
	t = c.try('f', t, flagSYN)
	client = c.try('r', t+c.think(), flagSYN|flagACK) + c.think()
	return client + 2000, c.plain('f', client, flagACK).arrives
}

func (c *conn) think() int64 { return 5_000 + c.w.rng.Int64N(60_000) }

// fin ends one direction and gives the times when the other end has it and when the sender knows.
func (c *conn) fin(dir byte, t int64) (arrives, known int64) {
	arrives = c.try(dir, t, flagFIN|flagACK)
	return arrives, c.plain(opposite(dir), arrives+c.think(), flagACK).arrives
}

// message sends data and gives the time when all is there and when the sender knows.
func (c *conn) message(dir byte, t int64, data []byte) (arrives, known int64) {
	from, to := c.ends(dir)
	size := min(from.mss, to.mss)
	if c.ts {
		size -= 12
	}
	known = t
	for window := 10; len(data) > 0; window = min(40, window*2) {
		n := min(len(data), window*size)
		arrives, known = c.burst(dir, known+c.think(), data[:n], size)
		data = data[n:]
	}
	return arrives, known
}

// burst sends a window of segments, loses some, has them acknowledged and sent again.
func (c *conn) burst(dir byte, t int64, data []byte, size int) (arrives, known int64) {
	from, to := c.ends(dir)
	type segment struct {
		seq  uint32
		data []byte
	}
	var lost []segment
	waiting := 0 // segments not acknowledged yet
	for len(data) > 0 {
		n := min(size, len(data))
		if c.w.rng.IntN(8) == 0 { // programs don't write in full segments
			n = 1 + c.w.rng.IntN(n)
		}
		s := segment{from.next, data[:n]}
		data = data[n:]
		from.next += uint32(n)
		flags := byte(flagACK)
		if len(data) == 0 {
			flags |= flagPSH
		}
		p := c.send(dir, t, s.seq, flags, s.data, [2]uint32{}, c.w.mayLose(c.leg))
		t += 4_000 + c.w.rng.Int64N(12_000)
		switch {
		case p.lost:
			lost = append(lost, s)
			continue
		case len(lost) > 0: // out of order: told at once
			block := [2]uint32{}
			if c.sack {
				block = [2]uint32{s.seq, s.seq + uint32(n)}
			}
			arrives = p.arrives
			known = c.send(opposite(dir), p.arrives+3000, to.next, flagACK, nil, block, -1).arrives
			continue
		}
		to.rcv = from.next
		arrives = p.arrives
		if waiting++; waiting == 2 || len(data) == 0 {
			waiting = 0
			known = c.plain(opposite(dir), p.arrives+c.think()/4, flagACK).arrives
		}
	}
	retry := max(t, known) + 1_500_000
	if known == 0 || waiting == 0 && len(lost) > 0 {
		retry += 200_000_000
	}
	for i, s := range lost {
		p := c.send(dir, retry, s.seq, flagACK|flagPSH, s.data, [2]uint32{}, -1)
		to.rcv = from.next
		if i+1 < len(lost) {
			to.rcv = lost[i+1].seq
		}
		arrives = p.arrives
		known = c.plain(opposite(dir), p.arrives+c.think()/4, flagACK).arrives
		retry = known + 1_500_000
	}
	return arrives, known
}
