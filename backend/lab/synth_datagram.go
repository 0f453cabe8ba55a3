package lab

import "net/netip"

// datagram plays an exchange that is no TCP: a plan of packets in turn.
type datagram struct {
	w      *world
	leg    leg
	lane   lane
	flow   *Flow
	addr   [2]netip.Addr
	ttl    [2]byte
	id     [2]uint16
	proto  byte
	pause  int64
	isLost bool // whether packets may be lost: only those that nothing waits for
}

func (w *world) datagram(proto string, client, server netip.Addr) *datagram {
	n := protoNumber[proto]
	return &datagram{
		w: w, leg: w.through(), flow: w.flow(proto), addr: [2]netip.Addr{client, server}, ttl: [2]byte{64, 64}, proto: n,
		id: [2]uint16{uint16(w.rng.UintN(65536)), uint16(w.rng.UintN(65536))}, pause: 50_000,
	}
}

// send gives the time of arrival.
func (d *datagram) send(dir byte, t int64, l4 []byte) int64 {
	i := dirIndex(dir)
	d.id[i] = d.w.nextID(d.id[i], true)
	lossAt := -1
	if d.isLost && !d.w.six { // without IP ID nothing might tell the lost one from another
		lossAt = d.w.mayLose(d.leg)
	}
	p := d.w.emit(d.leg, &d.lane, d.flow, dir, t, d.ttl[i], ipPacket(d.proto, d.addr[i], d.addr[1-i], d.id[i], d.proto != protoUDP, l4), lossAt)
	if p.lost {
		return t + 1_000_000
	}
	return p.arrives
}

// dns: a few questions, each answered; ids are few, so they come again.
func (w *world) dns(port uint16, twin bool) {
	d := w.datagram("udp", w.client(w.rng.IntN(3)), w.server(0))
	t := w.when
	for i := range 1 + w.rng.IntN(2) {
		q := w.content(34, twin)
		be.PutUint16(q, uint16(i+1)) // the same ids in every conversation
		copy(q[2:], []byte{1, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		t = d.send('f', t, udpDatagram(port, 53, q)) + 100_000
		a := append(append([]byte(nil), q...), w.content(60, twin)...)
		be.PutUint16(a[2:], 0x8180)
		t = d.send('r', t, udpDatagram(53, port, a)) + 300_000
	}
}

// quic: full datagrams both ways, all bytes random.
func (w *world) quic(port uint16) {
	d := w.datagram("udp", w.client(w.rng.IntN(3)), w.server(1))
	d.isLost = true
	t := w.when
	for range 2 + w.rng.IntN(12) {
		dir := "fr"[w.rng.IntN(2)]
		for range 1 + w.rng.IntN(4) {
			l4 := udpDatagram(port, 443, append([]byte{0x40 | byte(w.rng.UintN(64))}, w.bytes(40+w.rng.IntN(1160))...))
			if dir == 'r' {
				be.PutUint16(l4, 443)
				be.PutUint16(l4[2:], port)
			}
			d.send(dir, t, l4)
			t += 20_000 + w.rng.Int64N(200_000)
		}
		t += w.rng.Int64N(4_000_000)
	}
}

func (w *world) ping() {
	proto := "icmp"
	if w.six {
		proto = "icmpv6"
	}
	d := w.datagram(proto, w.client(w.rng.IntN(3)), w.server(w.rng.IntN(2)))
	id := uint16(w.rng.UintN(65536))
	body := w.bytes(48)
	t := w.when
	for i := range 1 + w.rng.IntN(8) {
		at := d.send('f', t, icmpEcho(w.six, false, id, uint16(i+1), body))
		d.send('r', at+30_000, icmpEcho(w.six, true, id, uint16(i+1), body))
		t += 10_000_000 + w.rng.Int64N(1_000_000)
	}
}

func (w *world) esp(i int) {
	d := w.datagram("esp", w.client(20+i), w.server(20+i))
	spi := [2]uint32{w.rng.Uint32(), w.rng.Uint32()}
	var seq [2]uint32
	t := w.when
	for range 4 + w.rng.IntN(30) {
		k := w.rng.IntN(2)
		seq[k]++
		l4 := be.AppendUint32(be.AppendUint32(nil, spi[k]), seq[k])
		d.send("fr"[k], t, append(l4, w.bytes(40+4*w.rng.IntN(300))...))
		t += 10_000 + w.rng.Int64N(3_000_000)
	}
}
